"""What a run of bytes can look like, from plain to random."""

from __future__ import annotations

from typing import Final

# In this order: from COUNTED on, a run is masked beside most names.
PLAIN: Final = 0  # words, numbers, versions, hosts, names of programs
WEAK: Final = 1  # a word and a digit, user@host1: a password only where one is expected
UUID: Final = 2
HEX_SHORT: Final = 3  # 8 to 31 hexadecimal digits: numbers of builds and objects, and passwords of devices
LETTERS: Final = 4  # letters that go on as no word does
DIGEST: Final = 5  # 32 hexadecimal digits or more
COUNTED: Final = 6  # small letters and a number: a password, or the name of a thing that is counted
PASSWORD: Final = 7  # letters with digits or signs, as people make them
SHORT: Final = 8  # random, but so short that names of builds and pods look the same
RANDOM: Final = 9  # as a generator makes them
