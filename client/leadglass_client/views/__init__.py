"""Replies of the agent to sheets that any output form can show."""
