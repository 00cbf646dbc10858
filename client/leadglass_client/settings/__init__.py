"""What the client keeps between commands: contexts and the current session."""
