"""Shows the reviews that are owed after reveals and halts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass.v1.access_pb2 import REVIEW_KIND_HALT, Review
from leadglass_client.output.records import field_names, record
from leadglass_client.output.sheet import Cell, Column, Look, Sheet
from leadglass_client.output.units import moment
from leadglass_client.output.visible import printable

if TYPE_CHECKING:
    from collections.abc import Sequence


_COLUMNS = (
    Column("REVIEW"),
    Column("AFTER"),
    Column("TIME"),
    Column("CALLER"),
    Column("WHAT"),
    Column("TICKET"),
    Column("SESSION", wide=True),
    Column("GRANT", wide=True),
    Column("REASON"),
)


def reviews_sheet(reviews: Sequence[Review]) -> Sheet:
    """Makes the sheet of all owed reviews."""
    records = tuple(record(review) for review in reviews)
    return Sheet(
        document={"reviews": list(records)},
        records=records,
        fields=field_names(Review.DESCRIPTOR),
        identifiers=tuple(printable(review.review_id) for review in reviews),
        columns=_COLUMNS,
        rows=tuple(_row(review) for review in reviews),
    )


def review_sheet(review: Review) -> Sheet:
    """Makes the sheet of one review."""
    whole = record(review)
    if review.kind == REVIEW_KIND_HALT:
        about = (("halted", moment(review.reveal_time)), ("caller", review.caller), ("cause", review.cause))
        ends = (("ticket", review.ticket), ("session", review.session_id), ("reason", review.reason))
    else:
        about = (("revealed", moment(review.reveal_time)), ("by", review.caller), ("variable", review.name))
        ends = (("ticket", review.ticket), ("grant", review.grant_id), ("reason", review.reason))
    lines = (("review", review.review_id), *about, *ends)
    heading = tuple((label, Cell(printable(text) or "-")) for label, text in lines)
    fields = field_names(Review.DESCRIPTOR)
    return Sheet(whole, (whole,), fields, (printable(review.review_id),), heading)


def _row(review: Review) -> tuple[Cell, ...]:
    # An agent of an earlier version sends no kind, and knows reveals alone.
    is_halt = review.kind == REVIEW_KIND_HALT
    return (
        Cell(printable(review.review_id)),
        Cell("halt" if is_halt else "reveal", Look.ODD if is_halt else Look.PLAIN),
        Cell(moment(review.reveal_time)),
        Cell(printable(review.caller)),
        Cell(printable(review.cause if is_halt else review.name)),
        Cell(printable(review.ticket) or "-"),
        Cell(printable(review.session_id) or "-"),
        Cell(printable(review.grant_id) or "-"),
        Cell(printable(review.reason) or "-"),
    )
