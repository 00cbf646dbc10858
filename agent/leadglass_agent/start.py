"""The one reason why the program does not start: what it was given cannot be run."""

from __future__ import annotations


class StartRefused(Exception):
    """What is configured cannot be run; the text names what to mend, and never quotes a file."""
