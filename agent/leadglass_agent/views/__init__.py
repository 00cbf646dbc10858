"""What can be seen: one file per view."""
