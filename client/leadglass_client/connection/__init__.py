"""The way to an agent: credentials, channel, deadline, and the words for what goes wrong."""
