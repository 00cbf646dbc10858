"""Builds the catalogue's database: `python -m leadglass_agent.redaction.catalogue.build`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from leadglass_agent.redaction import database
from leadglass_agent.redaction.catalogue import speed
from leadglass_agent.redaction.catalogue.rules import CatalogueError, load_rules

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs every example and near-miss, then leaves the artifact beside the catalogue's files."""
    parser = argparse.ArgumentParser(prog="catalogue.build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="run the examples and leave nothing behind")
    parser.add_argument("--into", type=Path, default=Path(__file__).parent, help="folder (default: beside the files)")
    parser.add_argument("--sparse", type=Path, help="a log without secrets; every rule alone is timed on it")
    options = parser.parse_args(arguments)
    try:
        rules = load_rules()
        if options.check:
            database.check(rules, database.compile_rules(rules))
        else:
            database.build(options.into)
        if options.sparse is not None:
            sys.stdout.write(f"{speed.check(rules, options.sparse.read_bytes())}\n")
    except CatalogueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{len(rules)} kinds of credentials\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
