"""Recorded sessions, shown as they were and decided anew."""
