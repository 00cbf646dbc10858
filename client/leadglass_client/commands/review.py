"""Declares `leadglass review`."""

from __future__ import annotations

import click

from leadglass_client.forms import OutputForm
from leadglass_client.options import global_options, plain_text, with_global_options, with_output


@click.group("review", short_help="The reviews that are owed after a reveal or a halt.")
def review() -> None:
    """Whoever revealed a value or was halted owes a review, which somebody else closes."""


@review.command("list", short_help="The owed reviews; needs the permission reviews.list.")
@with_output
@with_global_options(hidden=True)
def list_(*, form: str) -> None:
    """Lists who revealed which variable or was halted for what, when and why; never a value."""
    from leadglass_client.online.administration import list_reviews

    list_reviews(global_options(), OutputForm(form))


@review.command("close", short_help="Close a review; needs the permission reviews.close.")
@click.argument("review_id", type=plain_text, metavar="ID")
@click.option(
    "--finding", type=plain_text, required=True, metavar="TEXT", help="What was found; written to the audit log."
)
@with_output
@with_global_options(hidden=True)
def close(*, review_id: str, finding: str, form: str) -> None:
    """Closes a review that somebody else owes, with at least 20 characters about what was found."""
    from leadglass_client.online.administration import close_review

    close_review(global_options(), review_id, finding, OutputForm(form))
