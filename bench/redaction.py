"""Measures the redaction engine beside its floor and the detectors that people use instead: `make bench`."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # Processes that measure import this file, too, and are to begin without the engine.
    from redaction_command import main

    sys.exit(main())
