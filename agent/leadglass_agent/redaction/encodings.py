"""What words of secrets look like in base64 and in hex: the anchors that Hyperscan looks for."""

from __future__ import annotations

import base64
from typing import Final

# A base64 text is only looked into where one of these shows: a scan for every run of its alphabet would cost more than
# all other rules together.
_WORDS: Final = (
    b"password",
    b"passwd",
    b"secret",
    b"token",
    b"api_key",
    b"apikey",
    b"api-key",
    b"access_key",
    b"authorization",
    b"bearer ",
    b"private key",
    b"-----begin",
    b"credential",
    b"postgres",
    b"mongodb",
    b"mysql:/",
    b"redis:/",
    b'"auth"',
)
_MIXED: Final = (
    b"apiKey",
    b"ApiKey",
    b"accessKey",
    b"glpat-",
    b"github_pat_",
    b"sk_live_",
    b"AKIA",
    b"xoxb-",
    b"AIzaSy",
)
_WIDE: Final = (b"password", b"Password", b"secret", b"Secret", b"token", b"Token", b"SecureString")
# The first bytes of gzip, with no flag and with a file's name.
GZIP: Final = b"H4sI"
# Kinds of candidates, behind those of names (pairs.py).
IN_BASE64: Final = 2
IN_HEX: Final = 3
SECRET_KIND: Final = 4
_HEX_WORDS: Final = (b"password", b"passwd", b"secret", b"token", b"api_key", b"apikey", b"-----begin")


# What is encoded twice shows these, images of images.
_TWICE: Final = (b"password", b"passwd", b"secret", b"token", b"Password", b"Secret", b"Token", b"PASSWORD", b"TOKEN")


def _spellings() -> list[bytes]:
    spellings = [spelling for word in _WORDS for spelling in (word, word.capitalize(), word.upper(), word.title())]
    return list(dict.fromkeys([*spellings, *_MIXED, *(word.decode().encode("utf-16-le") for word in _WIDE)]))


def _images(word: bytes) -> list[bytes]:
    """Gives the base64 characters that all texts share in which the word stands at the same place modulo three."""
    images: list[bytes] = []
    for before in range(3):
        first = (before * 8 + 5) // 6
        last = (before + len(word)) * 8 // 6
        images.append(base64.b64encode(bytes(before) + word + bytes(2))[first:last])
    return images


def _both_alphabets(image: bytes) -> list[bytes]:
    return list(dict.fromkeys((image, image.translate(bytes.maketrans(b"+/", b"-_")))))


def _escaped(literal: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in literal)


def base64_anchors() -> tuple[bytes, ...]:
    """Gives the expressions of all base64 images, whose letters keep their case."""
    images = [shown for word in _spellings() for image in _images(word) for shown in _both_alphabets(image)]
    twice = [shown for word in _TWICE for image in _images(word) for shown in _images(image)]
    return tuple(
        b"(?-i:" + _escaped(image) + b")" for image in dict.fromkeys([*images, *twice, GZIP, *_images(GZIP)[:1]])
    )


def hex_anchors() -> tuple[bytes, ...]:
    """Gives the expressions of all hex images."""
    spellings = [spelling for word in _HEX_WORDS for spelling in (word, word.capitalize(), word.upper())]
    return tuple(word.hex().encode() for word in dict.fromkeys(spellings))


# What the text around an anchor decodes to holds one of these, in lower case.
WORDS: Final = tuple(
    dict.fromkeys(
        word.lower()
        for word in (*_WORDS, *_MIXED, *_WIDE, GZIP, *(image for word in _TWICE for image in _images(word)))
    )
)
