"""Waits double up to a limit, and start over after what worked for long enough."""

from edge.core.backoff import Backoff


def test_waits_double_to_the_longest():
    backoff = Backoff(0.5, 3.0)
    assert [backoff.next() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    backoff.reset()
    assert backoff.next() == 0.5


def test_what_worked_for_the_longest_wait_starts_over():
    backoff = Backoff(1.0, 8.0)
    waits = [backoff.next() for _ in range(3)] + [backoff.next(worked=7.9), backoff.next(worked=8.0)]
    assert waits == [1.0, 2.0, 4.0, 8.0, 1.0]
