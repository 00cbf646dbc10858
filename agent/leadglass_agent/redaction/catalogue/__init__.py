"""Credential kinds as data: one file a family."""
