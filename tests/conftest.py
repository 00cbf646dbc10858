"""Settings of the whole suite."""

from __future__ import annotations

from hypothesis import settings

# A busy machine is slow, and slow is not wrong: no example of a property fails by the clock.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
