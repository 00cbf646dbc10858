"""Every command that docs/client.md and docs/access.md show runs as written and prints what stands under it."""

from __future__ import annotations

import contextlib
import re
import shlex
from typing import TYPE_CHECKING

from fake_agent import FakeAgent, make_identities, plain_answers, serving
from leadglass_cli import ROOT, Home

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
_STATUS = re.compile(r"^\(exit code (\d+)\)\n", re.MULTILINE)
# What differs from one day, key and grant to the next.
_PASSING = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "DIGEST"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "GRANT"),
    (re.compile(r"^(nonce +)[\w-]{43}$", re.MULTILINE), r"\1NONCE"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r"\b\d+m(\d\ds)?( from now\)|(?=  spiffe))"), r"SPAN\2"),
    (re.compile(r"LEFT|SPAN(?=  )| {2,}"), "  "),
)
_CERTIFICATE_END = re.compile(r"valid until \S+ \S+Z")


def _examples(text: str) -> list[tuple[str, str]]:
    examples = []
    for block in _BLOCK.findall(text):
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = example.partition("\n")
            examples.append((command, expected))
    return examples


def test_the_commands_of_the_page_print_what_the_page_shows(tmp_path: Path) -> None:
    home = Home(tmp_path)
    examples = _examples((ROOT / "docs" / "client.md").read_text())
    assert len(examples) >= 12
    identities = make_identities(tmp_path / "peer")
    with serving(FakeAgent(plain_answers()), identities.server) as address, contextlib.chdir(tmp_path):
        for command, expected in examples:
            program, *arguments = shlex.split(command.replace("127.0.0.1:7443", address))
            assert program == "leadglass"
            if arguments[:2] == ["context", "set"]:
                arguments[arguments.index("alice")] = str(identities.client.key.parent)
            outcome = home.run_here(*arguments)
            assert (outcome.code, outcome.err) == (0, ""), command
            assert _comparable(outcome.out, address) == _comparable(expected, "127.0.0.1:7443"), command


def _comparable(text: str, address: str) -> str:
    # Ends of certificates follow the clock, and the width of a table follows the port.
    text = _CERTIFICATE_END.sub("valid until TIME", text.replace(address, "ADDRESS"))
    return re.sub(r"(ADDRESS)? {2,}", r"\1  ", text)


def test_the_commands_of_the_access_page_print_what_the_page_shows(tmp_path: Path) -> None:
    home = Home(tmp_path)
    examples = _examples((ROOT / "docs" / "access.md").read_text())
    assert len(examples) >= 10
    with contextlib.chdir(tmp_path):
        for command, shown in examples:
            status = _STATUS.search(shown)
            expected = shown[: status.start()] if status else shown
            program, *arguments = shlex.split(command.removesuffix(" 2>signed.txt"))
            assert program == "leadglass"
            outcome = home.run_here(*arguments)
            assert outcome.code == (int(status[1]) if status else 0), (command, outcome.err)
            told = outcome.out if command.endswith(" 2>signed.txt") else outcome.out + outcome.err
            assert _lasting(told) == _lasting(expected), command


def _lasting(text: str) -> str:
    for pattern, word in _PASSING:
        text = pattern.sub(word, text)
    return text
