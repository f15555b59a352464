"""Decisions in, events out; frames at 10 a second."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.alerts import AlertPolicy
from edge.labels import Mask
from edge.records import Decision, Frame, Observation

ON, OFF, UNSURE = Mask.ON, Mask.OFF, Mask.UNSURE
BLACK = np.zeros((2, 2, 3), np.uint8)


def play(policy: AlertPolicy, script, start: float = 0.0):
    """`script`: per frame {track id: mask}; returns (kind, t, track id) of every event."""
    since: dict[int, tuple[Mask, float]] = {}
    told = []
    for i, people in enumerate(script):
        t = round(start + i / 10, 6)
        for id, mask in people.items():
            if since.get(id, (None, 0.0))[0] is not mask:
                since[id] = mask, t
        decisions = [Decision(id, mask, 0.9, since[id][1]) for id, mask in people.items()]
        for event in policy.events(Observation(Frame(i, t, BLACK), [], decisions)):
            told.append((event.kind, event.t, event.decision and event.decision.track_id))
    return told


def kinds(events) -> list[str]:
    return [kind for kind, _, _ in events]


def test_a_change_is_told_once_and_a_first_unsure_never():
    policy = AlertPolicy(raise_after=99)
    script = [{1: UNSURE}] * 3 + [{1: ON}] * 3 + [{1: OFF}] * 3 + [{1: UNSURE}] * 3
    assert play(policy, script) == [("decision", 0.3, 1), ("decision", 0.6, 1), ("decision", 0.9, 1)]


def test_a_change_after_a_short_absence_is_told_against_what_was_told():
    script = [{1: ON}] + [{}] * 5 + [{1: ON}, {1: OFF}]
    assert play(AlertPolicy(raise_after=99), script) == [("decision", 0.0, 1), ("decision", 0.7, 1)]


def test_the_alert_is_raised_after_the_hold_and_cleared_after_the_release():
    policy = AlertPolicy(raise_after=1.0, clear_after=2.0, cooldown=0.0)
    events = play(policy, [{7: OFF}] * 15 + [{7: ON}] * 30)
    assert [e for e in events if e[0] != "decision"] == [("no_mask", 1.0, 7), ("all_clear", 3.4, None)]
    assert not policy.active


def test_a_passer_by_raises_nothing():
    assert kinds(play(AlertPolicy(raise_after=1.0), [{1: OFF}] * 9 + [{}] * 30)) == ["decision"]


def test_two_short_ones_do_not_add_up():
    assert "no_mask" not in kinds(play(AlertPolicy(raise_after=1.0), [{1: OFF}] * 8 + [{2: OFF}] * 8))


def test_someone_else_without_a_mask_keeps_the_alert():
    policy = AlertPolicy(raise_after=0.5, clear_after=1.0)
    play(policy, [{1: OFF}] * 10 + [{1: ON, 2: OFF}] * 30)
    assert policy.active


def test_a_short_absence_does_not_clear():
    policy = AlertPolicy(raise_after=0.0, clear_after=1.0, cooldown=0.0)
    events = play(policy, ([{1: OFF}] + [{}] * 8) * 5)
    assert kinds(events).count("no_mask") == 1
    assert "all_clear" not in kinds(events)


def test_unsure_neither_raises_nor_keeps_the_alert():
    policy = AlertPolicy(raise_after=0.5, clear_after=1.0)
    assert kinds(play(policy, [{1: UNSURE}] * 30)) == []
    assert kinds(play(policy, [{2: OFF}] * 10 + [{2: UNSURE}] * 20, start=3.0))[-1] == "all_clear"


def test_no_second_alert_before_the_cool_down_is_over_and_one_then():
    policy = AlertPolicy(raise_after=0.2, clear_after=0.5, cooldown=3.0)
    events = play(policy, [{1: OFF}] * 5 + [{1: ON}] * 10 + [{1: OFF}] * 40)
    told = [(kind, t) for kind, t, _ in events if kind != "decision"]
    assert told == [("no_mask", 0.2), ("all_clear", 0.9), ("no_mask", 3.9)]


def test_the_alert_names_the_one_who_waits_longest():
    events = play(AlertPolicy(raise_after=1.0), [{1: OFF}] + [{1: OFF, 2: OFF}] * 12)
    assert [e for e in events if e[0] == "no_mask"] == [("no_mask", 1.0, 1)]


def test_many_people_later_nothing_is_told_twice():
    policy = AlertPolicy(raise_after=99)
    crowd = [{id: ON} for id in range(1, 1001)]
    assert len(play(policy, crowd)) == 1000


people = st.dictionaries(st.integers(1, 3), st.sampled_from([ON, OFF, UNSURE]), max_size=3)


@given(st.lists(people, max_size=80))
def test_alert_and_all_clear_take_turns(script):
    policy = AlertPolicy(raise_after=0.3, clear_after=0.4, cooldown=0.5)
    told = [(kind, t) for kind, t, _ in play(policy, script) if kind != "decision"]
    assert [kind for kind, _ in told] == ["no_mask", "all_clear"] * (len(told) // 2) + ["no_mask"] * (len(told) % 2)
    assert policy.active == bool(len(told) % 2)
    for (kind, before), (_, t) in pairwise(told):
        assert t - before >= (0.4 if kind == "no_mask" else 0.5) - 1e-9
