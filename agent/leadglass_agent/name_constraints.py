"""Whether a certificate's names lie within what an authority above it may sign (RFC 5280, section 4.2.1.10)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from cryptography import x509

if TYPE_CHECKING:
    from collections.abc import Iterable

_HOST: Final = re.compile(r"[a-z][a-z0-9+.-]*://(?P<host>[a-z0-9._-]+)(?:/|$)")


def are_within(constraints: x509.NameConstraints, certificate: x509.Certificate) -> bool:
    """Says whether every name of the certificate is permitted and none excluded.

    URIs and DNS names are compared. A name of another kind is out wherever that kind is constrained at all.
    """
    permitted = tuple(constraints.permitted_subtrees or ())
    excluded = tuple(constraints.excluded_subtrees or ())
    return all(_is_within(name, permitted, excluded) for name in _names(certificate))


def _names(certificate: x509.Certificate) -> Iterable[x509.GeneralName]:
    """Gives the alternative names, and the subject as the directory name that it is."""
    if len(certificate.subject.rdns):
        yield x509.DirectoryName(certificate.subject)
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            yield from extension.value


def _is_within(
    name: x509.GeneralName, permitted: tuple[x509.GeneralName, ...], excluded: tuple[x509.GeneralName, ...]
) -> bool:
    allowing = [base for base in permitted if type(base) is type(name)]
    refusing = [base for base in excluded if type(base) is type(name)]
    if not allowing and not refusing:
        return True
    host = _host(name)
    if not host:
        return False
    return (not allowing or any(_covers(base, host) for base in allowing)) and not any(
        _covers(base, host) for base in refusing
    )


def _host(name: x509.GeneralName) -> str:
    """Gives the host that a constraint speaks of; empty for what has none, or one that is spelled unusually."""
    if isinstance(name, x509.DNSName):
        return name.value.lower()
    if isinstance(name, x509.UniformResourceIdentifier):
        match = _HOST.match(name.value.lower())
        return match["host"] if match else ""
    return ""


def _covers(base: x509.GeneralName, host: str) -> bool:
    if isinstance(base, x509.DNSName):
        # A DNS constraint holds for the name itself and all below it; the empty one for every name.
        domain = base.value.lower().removeprefix(".")
        return not domain or host == domain or host.endswith(f".{domain}")
    if isinstance(base, x509.UniformResourceIdentifier):
        # A URI constraint holds for one host, or, with a leading dot, for the hosts below it.
        domain = base.value.lower()
        return host.endswith(domain) if domain.startswith(".") else host == domain
    return False
