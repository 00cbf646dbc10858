"""Spans secrets in argument lists, argument by argument, and in the scripts that arguments hold."""
