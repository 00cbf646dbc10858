"""Times each rule of the catalogue alone on the sparse log; a slow one is an error with its figure."""

from __future__ import annotations

import sys
from typing import Final

from generated_texts import generate
from leadglass_agent.redaction.catalogue import speed
from leadglass_agent.redaction.catalogue.rules import CatalogueError, load_rules

_SIZE_BYTES: Final = 8 << 20


def main() -> int:
    """Prints how it was measured; exit 1 when a rule is too slow."""
    ((text,),) = generate("sparse-json-logs", _SIZE_BYTES).calls
    try:
        print(speed.check(load_rules(), text))
    except CatalogueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
