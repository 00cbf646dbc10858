"""Shows the reviews that are owed after reveals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass.v1.access_pb2 import Review
from leadglass_client.output.records import field_names, record
from leadglass_client.output.sheet import Cell, Column, Sheet
from leadglass_client.output.units import moment
from leadglass_client.output.visible import printable

if TYPE_CHECKING:
    from collections.abc import Sequence


def reviews_sheet(reviews: Sequence[Review]) -> Sheet:
    """Makes the sheet of all owed reviews."""
    records = tuple(record(review) for review in reviews)
    titles = ("REVIEW", "REVEALED", "BY", "VARIABLE", "TICKET", "GRANT", "REASON")
    return Sheet(
        document={"reviews": list(records)},
        records=records,
        fields=field_names(Review.DESCRIPTOR),
        identifiers=tuple(printable(review.review_id) for review in reviews),
        columns=tuple(Column(title, wide=title == "GRANT") for title in titles),
        rows=tuple(tuple(Cell(text) for text in _texts(review)) for review in reviews),
    )


def review_sheet(review: Review) -> Sheet:
    """Makes the sheet of one review."""
    whole = record(review)
    labels = ("review", "revealed", "by", "variable", "ticket", "grant", "reason")
    heading = tuple((label, Cell(text)) for label, text in zip(labels, _texts(review), strict=True))
    fields = field_names(Review.DESCRIPTOR)
    return Sheet(whole, (whole,), fields, (printable(review.review_id),), heading)


def _texts(review: Review) -> tuple[str, ...]:
    return (
        printable(review.review_id),
        moment(review.reveal_time),
        printable(review.caller),
        printable(review.name),
        printable(review.ticket) or "-",
        printable(review.grant_id),
        printable(review.reason),
    )
