"""Declarations of the commands; nothing heavy is imported before one runs."""
