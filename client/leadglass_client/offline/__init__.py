"""Commands that ask no agent."""
