"""Trees and pages of any shape, honest or not, are shown once and within bounds."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_agent import process
from leadglass_client.connection.pages import collect
from leadglass_client.errors import Failure
from leadglass_client.views.tree import tree_order


@dataclass
class Page:
    """A page of numbers."""

    rows: list[int]
    next_page_token: str
    bytes: int = 10

    def ByteSize(self) -> int:
        """Gives the size of the page."""
        return self.bytes


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 40)), unique_by=lambda pair: pair[0]))
def test_every_process_is_shown_once_whatever_the_parents_are(pairs: list[tuple[int, int]]) -> None:
    ordered = list(tree_order([process(pid, parent, "p") for pid, parent in pairs]))
    assert sorted(one.ref.pid for _, one in ordered) == sorted(pid for pid, _ in pairs)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30))
def test_in_an_honest_tree_a_parent_comes_before_its_children_and_its_branches_show_the_depth(
    choices: list[int],
) -> None:
    parents = {pid: choice % pid for pid, choice in enumerate(choices, start=1)}
    depth = {0: -1}
    for pid, parent in parents.items():
        depth[pid] = depth[parent] + 1
    ordered = list(tree_order([process(pid, parent, "p") for pid, parent in parents.items()]))
    seen = {0}
    for branch, one in ordered:
        assert one.parent_pid in seen
        seen.add(one.ref.pid)
        assert len(branch) == 3 * min(depth[one.ref.pid], 25)


def test_a_chain_as_deep_as_the_list_is_long_is_drawn_in_bounded_width() -> None:
    chain = [process(pid, pid - 1, "p") for pid in range(1, 3000)]
    assert max(len(branch) for branch, _ in tree_order(chain)) <= 75


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.integers(1, 20))
def test_pages_are_collected_in_order_up_to_the_limit(sizes: list[int], limit: int) -> None:
    numbers = iter(range(1000))
    pages = [Page([next(numbers) for _ in range(size)], str(index + 1)) for index, size in enumerate(sizes)]
    pages[-1].next_page_token = ""
    result = collect(lambda _size, token: pages[int(token or 0)], lambda page: len(page.rows), limit)
    rows = [row for page in result.pages for row in page.rows]
    assert rows == list(range(len(rows)))
    assert result.more == (len(rows) < sum(sizes) or len(rows) > limit or result.pages[-1].next_page_token != "")


def test_no_more_rows_are_asked_for_than_are_wanted() -> None:
    asked: list[int] = []

    def fetch(size: int, token: str) -> Page:
        asked.append(size)
        return Page([0] * size, token + "x")

    collect(fetch, lambda page: len(page.rows), 2500)
    assert asked == [1000, 1000, 500]


@pytest.mark.parametrize("size", [10, 50_000_000])
def test_an_agent_that_never_ends_is_left(size: int) -> None:
    count = 0

    def fetch(_size: int, _token: str) -> Page:
        nonlocal count
        count += 1
        return Page([], f"token {count}", size)

    with pytest.raises(Failure, match="pages without end"):
        collect(fetch, lambda page: len(page.rows), 10)
    assert count <= 1000
