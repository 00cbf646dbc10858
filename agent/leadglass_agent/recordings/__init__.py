"""Recordings of sessions: what was asked and what was shown, encrypted, each under a key of its own."""
