"""Tells from a name whether its value is a secret, or says what something is, where it lies or how it behaves.

The lists are the barrier's own: a gap in those of the redactor is what it is there for.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import lru_cache
from typing import Final

_MAX_NAME: Final = 128
# A name with one of these words anywhere holds a secret, unless its last word is a plain one (TOKEN_URL, SECRET_NAME).
_SENSITIVE_WORDS: Final = """
apikey auth authorization bearer clave contrasena cookie cookies cred credential credentials creds dsn hmac
jwt kennwort keystore mdp mnemonic motdepasse otp parola parole pass passcode passphrase passwd password
passwords passwort pat pepper pin privkey psk pw pwd salt secret secrets seed senha sig signature token tokens
totp wachtwoord webhook
"""
_SECRETS: Final = frozenset(_SENSITIVE_WORDS.split())
# Written as one word: DBPASSWORD, authtoken.
_SECRET_ENDINGS: Final = ("password", "passwd", "passphrase", "passwort", "secret", "token", "apikey", "credentials")
_KEY: Final = "key"
_PLAIN_KEYS: Final = frozenset({"public", "pub", "primary", "foreign", "sort", "partition", "cache", "gpg", "lookup"})

_LAST_WORDS: Final = """
addr address agent app arch args author bind branch bucket build ca cert certificate charset class cluster cmd
color colors command commit component conf config context count cpu cwd database date db debug description
desktop digest dir directory display dist domain driver editor encoding endpoint engine env environment
executable file files flags folder format gid group home host hostname hosts id image index info interval
invocation journal kind lang language level limit list loader locale location log logname mail manpath max
memory method min mode model module modules name names namespace node options opts origin os output owner
pager path paths pid platform plugins pod port ports prefix preset prompt protocol proxy pwd queue ref region
registry release replicas repo repository revision role root run schema scheme scope sdk server service
services session settings sha shell shlvl size socket source stage state status stream suffix tag target tcp
temp term terminal threads time timeout tls tmp tmpdir topic type tz udp uid unit uri url urls user username
verbose version visual volume window workers workspace xauthority zone
"""
_ENDINGS: Final = frozenset(_LAST_WORDS.split())
_NAMES: Final = frozenset({"_", "PS1", "PS2", "PS4", "IFS", "LS_COLORS", "LSCOLORS", "LESSOPEN", "LESSCLOSE"})
_STARTS: Final = ("KUBERNETES_", "LC_", "XDG_", "LESS", "SSH_C", "GPG_", "PYTHON", "NVM_", "npm_")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


class Standing(Enum):
    """What a name says of its value."""

    SECRET = auto()
    PLAIN = auto()
    UNKNOWN = auto()


@lru_cache(maxsize=1024)
def standing_of(name: str) -> Standing:
    """Tells from the name of a variable, key or file what its value is."""
    words = [word.lower() for word in _WORD.findall(name[-_MAX_NAME:])] or [""]
    while len(words) > 1 and words[-1].isdigit():
        words.pop()
    last = words[-1]
    if last == _KEY and words[-2:-1] and words[-2] in _PLAIN_KEYS:
        return Standing.PLAIN
    if last == _KEY or last in _SECRETS or last.endswith(_SECRET_ENDINGS):
        return Standing.SECRET
    if name in _NAMES or name.startswith(_STARTS) or last in _ENDINGS:
        return Standing.PLAIN
    return Standing.UNKNOWN if _SECRETS.isdisjoint(words) and _KEY not in words else Standing.SECRET
