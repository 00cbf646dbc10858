"""What the options, words and places of one program hold."""

from __future__ import annotations

from typing import Final, final

# Which part of a value is secret. Integers, as the compiled walk compares them.
UNKNOWN: Final = -1
PLAIN: Final = 0  # nothing; the value is only known to be one
WHOLE: Final = 1
PAIR: Final = 2  # user:password, user%password or user,password; a user alone is none
COOKIE: Final = 3  # name=value; a file's name is none
LOGIN: Final = 4  # user/password@database
BEHIND: Final = 5  # kind:value, as in pass:value and s:value; without a kind the whole
WORD: Final = 6  # the whole, unless it begins like a switch of Windows or is an asterisk
SCRIPT: Final = 7  # a command line of its own
ENCODED: Final = 8  # a script that nobody can read: the whole, whatever it looks like
TOKEN: Final = 9  # the whole when it has the variety of a credential
SWITCH: Final = 10  # an option without a value, whatever its name says
ADDRESS: Final = 11  # user:password@host
STREAM_KEY: Final = 12  # the last part of an address
OPTION_LIST: Final = 13  # name=value,name=value
SHAPES: Final = {
    "plain": PLAIN,
    "whole": WHOLE,
    "pair": PAIR,
    "cookie": COOKIE,
    "login": LOGIN,
    "behind": BEHIND,
    "word": WORD,
    "script": SCRIPT,
    "encoded": ENCODED,
    "token": TOKEN,
    "switch": SWITCH,
    "address": ADDRESS,
    "key": STREAM_KEY,
    "list": OPTION_LIST,
}
# The place of an argument that is the last one, wherever that is.
LAST: Final = 0


@final
class Program:
    """One program: its options, what is attached to them, its words, its places and its subcommands, each with a shape.

    `words` holds the distance of the secret behind the word beside the shape: distance << 8 | shape.
    """

    __slots__ = ("attached", "bundles", "options", "pairs", "places", "prefixes", "stdin", "subcommands", "words")

    def __init__(self) -> None:
        self.options: dict[bytes, int] = {}
        self.attached: dict[bytes, int] = {}
        self.prefixes: list[bytes] = []
        self.words: dict[bytes, int] = {}
        self.places: dict[int, int] = {}
        self.pairs: dict[bytes, int] = {}
        # The options with which it reads a secret from its standard input; the empty one stands for always.
        self.stdin: dict[bytes, int] = {}
        self.subcommands: dict[bytes, Program] = {}
        self.bundles = False
