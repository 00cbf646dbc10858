"""From raw bytes to Clean text."""
