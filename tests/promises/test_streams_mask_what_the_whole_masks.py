"""A stream masks what the whole text masks: the same bytes come out whatever the chunks, and no seam shows a secret."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass_agent.redaction.redactor import Redactor
from leadglass_agent.redaction.windows import Sizes
from redaction_corpus import HARMLESS, SURROUNDINGS
from unnamed_secrets import UNNAMED

_REDACTORS = [Redactor("balanced"), Redactor("strict")]
_WINDOW = Sizes().window
_BLOCK = "\n".join(HARMLESS).encode() + b"\n"
_ONE_LINE = [text for text in (*SURROUNDINGS, *UNNAMED) if "\n" not in text]


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from(_REDACTORS),
    st.lists(st.tuples(st.sampled_from(_ONE_LINE), st.integers(-80, 80)), min_size=1, max_size=3),
    st.lists(st.integers(1, 70_000), max_size=6),
)
def test_secrets_around_every_seam_are_masked_in_any_chunks(
    redactor: Redactor, secrets: list[tuple[str, int]], cuts: list[int]
) -> None:
    values = [f"kQ{number}xZvT9-pLm{number}".encode() for number in range(len(secrets))]
    text = b""
    for window, ((surrounding, place), value) in enumerate(zip(secrets, values, strict=True), 1):
        # A window ends in its last lines, so the secret stands around each place where a cut may be.
        wanted = window * (_WINDOW - 4096) + place
        text += (_BLOCK * (_WINDOW // len(_BLOCK) + 1))[: wanted - len(text) - 1] + b"\n"
        text += surrounding.replace("@@", value.decode()).encode() + b"\n"
    text += _BLOCK
    whole = redactor.redact(text).text.data
    masked = [
        redactor.redact(item.replace("@@", value.decode()).encode())
        for (item, _), value in zip(secrets, values, strict=True)
    ]
    for alone, value in zip(masked, values, strict=True):
        assert value not in whole or value in alone.text.data
    stream = redactor.stream()
    shown = []
    position = 0
    for size in cuts:
        shown.append(stream.feed(text[position : position + size]).data)
        position += size
    shown += [stream.feed(text[position:]).data, stream.finish().data]
    assert b"".join(shown) == whole
