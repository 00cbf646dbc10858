"""Counts what each reply discloses against session and grants, durably, before it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.access.accounts import Account, Dimension, Shown, grant_account, session_account
from leadglass_agent.errors import BudgetSpent

if TYPE_CHECKING:
    from leadglass_agent.access.disclosure import Disclosure
    from leadglass_agent.access.session import Session
    from leadglass_agent.api.journal_writer import JournalWriter
    from leadglass_agent.api.question import Call, Reply

_IN_EVERY_ANSWER: Final = frozenset({Dimension.CALLS, Dimension.ROWS, Dimension.REPLY_BYTES})


@dataclass(frozen=True, slots=True)
class Disclosing:
    """The accounts of all sessions and grants, and the journal in which those of grants outlive a restart."""

    disclosure: Disclosure
    journal: JournalWriter

    def refuse_spent(self, call: Call) -> None:
        """Raises BudgetSpent if nothing more can be shown, before anything is read.

        Else what is asked for in vain and what is there would be told apart for ever: the one is answered, with no row.
        """
        if call.session is None:
            return
        for account in accounts_of(call.session, call.grants):
            spent = [line.what for line in self.disclosure.lines(account) if line.spent >= line.allowed]
            if not _IN_EVERY_ANSWER.isdisjoint(spent):
                detail = f"{account.key}: nothing is left of {', '.join(sorted(spent))}"
                raise BudgetSpent(detail)

    async def spend(self, call: Call, reply: Reply, size: int, *, is_first: bool) -> None:
        """Counts a message of `size` bytes; raises BudgetSpent, and then nothing of it is shown or counted.

        A call counts once, with its first message. Raises AuditUnavailable if the journal cannot be written.
        """
        if call.session is None:
            return
        shown = Shown(
            calls=int(is_first),
            rows=reply.rows,
            names=reply.names,
            paths=reply.paths,
            reply_bytes=size,
            answers=reply.answers,
        )
        entries = self.disclosure.spend(accounts_of(call.session, call.grants), shown)
        if entries:
            await self.journal.append(entries)


def accounts_of(session: Session, grant_ids: tuple[str, ...]) -> tuple[Account, ...]:
    """Gives the session's own account, and those of its grants that a call depends on."""
    grants = (verified.grant for verified in session.grants)
    return (
        session_account(session.session_id, session.budget),
        *(
            grant_account(grant.grant_id, grant.budget, grant.not_after_unix, grant.requester_key)
            for grant in grants
            if grant.grant_id in grant_ids
        ),
    )
