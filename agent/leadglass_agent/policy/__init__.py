"""Who may see what: parsed once, decided without clock or file."""
