"""Sessions: bounded permissions to look."""
