"""Plants a value into a text and gives what the balanced redactor shows of it."""

from __future__ import annotations

from functools import cache
from typing import Final

from leadglass_agent.redaction.redactor import Redactor

# Letters in both cases and digits, as a generator makes them; in two pieces, so that no scanner takes it for live.
VALUE: Final = "kQ7vT9" + "xLm2pR"
# What a person makes up.
PASSWORD: Final = "Silver" + "2008#"


@cache
def _redactor() -> Redactor:
    return Redactor()


def shown(text: str) -> str:
    """Gives the text as the balanced profile shows it."""
    return _redactor().redact(text.encode()).text.data.decode()


def planted(text: str, value: str = VALUE) -> str:
    """Puts the value in place of each `@@` and gives what is shown."""
    return shown(text.replace("@@", value))
