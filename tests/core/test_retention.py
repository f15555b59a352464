"""Which pictures of a bounded folder have to go."""

from edge.core.retention import Kept, Limits

THERE = [Kept("c", 30, 100), Kept("a", 10, 100), Kept("b", 20, 100)]


def test_the_oldest_go_until_there_is_room():
    assert Limits(3, 1000, 0).surplus(THERE, 50, 40) == (["a"], True)
    assert Limits(9, 240, 0).surplus(THERE, 50, 40) == (["a", "b"], True)
    assert Limits(9, 1000, 0).surplus(THERE, 50, 40) == ([], True)
    assert Limits(9, 40, 0).surplus(THERE, 50, 40) == (["a", "b", "c"], False)


def test_what_is_too_old_goes_unless_the_clock_is_not_set():
    assert Limits(9, 1000, 25).surplus(THERE, 0, 50)[0] == ["a", "b"]
    assert Limits(9, 1000, 25).surplus(THERE, 0, None)[0] == []
    assert Limits(9, 1000, 0).surplus(THERE, 0, 1e9)[0] == []


def test_without_anything_to_add_nothing_makes_room():
    assert Limits(1, 10, 0).surplus(THERE, 0, 40)[0] == []


def test_what_is_spared_goes_only_when_it_is_old():
    assert Limits(3, 1000, 0).surplus(THERE, 50, 40, spared={"a"}) == (["b"], True)
    assert Limits(3, 1000, 25).surplus(THERE, 0, 50, spared={"a"})[0] == ["a", "b"]
    assert Limits(3, 1000, 0).surplus(THERE, 50, 40, spared={"a", "b", "c"}) == ([], False)
