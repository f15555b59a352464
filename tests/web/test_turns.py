"""Fairness under a flood, in a time of its own: each request costs what the test says."""

import pytest

from edge.web.turns import LONGEST, Turns

SHARE, COST = 0.03, 0.02
FLOOD, OTHER = "10.0.0.1", "10.0.0.2"


class Page:
    """A page whose every request costs COST seconds; in debt as long as it has spent more than its share."""

    def __init__(self):
        self.now, self.spent, self.turns = 0.0, 0.0, Turns(SHARE)

    def serve(self, who, debt=None):
        self.spent += COST
        debt = max(self.spent / SHARE - self.now, 0.0) if debt is None else debt
        return self.turns.served(who, COST, debt, self.now)


def test_nobody_waits_while_the_page_is_out_of_debt():
    page = Page()
    assert [page.serve(FLOOD, debt=0.0) for _ in range(100)] == [0.0] * 100


def test_a_flood_waits_and_another_address_does_not():
    page = Page()
    waits = [page.serve(FLOOD) for _ in range(30)]
    assert all(wait > 0 for wait in waits)
    for _ in range(10):
        assert page.serve(OTHER) == 0.0, "all that a browser loads"
        assert page.turns.arrived(OTHER, page.now) == 0.0
    assert page.serve(FLOOD) > 0


@pytest.mark.parametrize("connections", [1, 16])
def test_a_flood_gets_the_pages_share_and_no_more_whatever_the_number_of_its_connections(connections):
    """Each connection asks again as soon as it is heard; for a minute."""
    page, served = Page(), 0
    page.turns.served(OTHER, COST, 1.0, 0.0)
    due = [0.0] * connections
    while (now := min(due)) < 60:
        page.now = now
        due[due.index(now)] = now + page.serve(FLOOD)
        served += 1
    assert served <= 60 * SHARE / COST + connections + 2


def test_one_who_looks_alone_at_the_page_of_a_busy_machine_is_not_kept_from_it():
    """There a request takes 0.3 s, most of it waiting; at the page's share that would be ten seconds for each."""
    page = Page()
    assert max(page.turns.served(FLOOD, 0.3, 1.0, 10.0 * k) for k in range(20)) <= 1.0


def test_closing_and_connecting_again_gains_nothing():
    page = Page()
    for _ in range(20):
        page.serve(FLOOD)
    waits = [page.turns.arrived(FLOOD, page.now) for _ in range(5)]
    assert waits == sorted(set(waits)), "one after another"
    assert waits[0] > 20 * COST / SHARE
    assert page.turns.arrived(OTHER, page.now) == 0.0


def test_nobody_is_shut_out_for_long():
    page = Page()
    for _ in range(10_000):
        assert page.serve(FLOOD) <= LONGEST
    page.now = LONGEST + 0.1
    assert page.turns.arrived(FLOOD, page.now) == 0.0


def test_what_was_asked_long_ago_is_forgotten():
    page = Page()
    for _ in range(50):
        page.serve(FLOOD)
    page.now = 300.0
    assert [page.serve(OTHER, debt=1.0) > 0, page.serve(OTHER, debt=1.0) > 0] == [True, True]
    assert page.serve(FLOOD, debt=1.0) == 0.0


def test_many_addresses_take_no_memory():
    page = Page()
    for number in range(5000):
        page.serve(f"10.1.{number // 256}.{number % 256}")
    assert len(page.turns._callers) <= 512
