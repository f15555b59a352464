"""Decisions in, events out; frames at 10 a second."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config import settings as defaults
from edge.core.labels import Mask
from edge.core.records import Decision, Frame, Observation
from edge.testing.defaults import with_defaults
from edge.tracking.alerts import _REMEMBERED, AlertPolicy, StillsPolicy

AlertPolicy = with_defaults(AlertPolicy, defaults.Alerts())

ON, OFF, UNSURE = Mask.ON, Mask.OFF, Mask.UNSURE
BLACK = np.zeros((2, 2, 3), np.uint8)


def play(policy: AlertPolicy, script, start: float = 0.0, fps: float = 10.0):
    """`script`: per frame {track id: mask}; returns (kind, t, track id) of every event."""
    since: dict[int, tuple[Mask, float]] = {}
    told = []
    for i, people in enumerate(script):
        t = round(start + i / fps, 6)
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


def alerts(events) -> list[tuple[str, float]]:
    return [(kind, t) for kind, t, _ in events if kind != "decision"]


FLICKER = [{1: OFF}] * 4 + [{1: UNSURE}] + [{1: OFF}] * 40


def test_one_lapse_does_not_begin_the_hold_anew():
    """10 of the 11 frames of the last second are OFF at 1.0 s; all of them only at 1.5 s."""
    assert alerts(play(AlertPolicy(raise_share=0.8), FLICKER)) == [("no_mask", 1.0)]
    assert alerts(play(AlertPolicy(raise_share=1.0), FLICKER)) == [("no_mask", 1.5)]


@pytest.mark.parametrize("other", [ON, UNSURE])
def test_who_is_off_in_every_other_frame_raises_nothing_unless_half_is_enough(other):
    policy = AlertPolicy(raise_after=1.0, raise_share=0.8)
    assert alerts(play(policy, [{1: OFF}, {1: other}] * 50)) == []
    policy = AlertPolicy(raise_after=1.0, raise_share=0.5)
    assert alerts(play(policy, [{1: OFF}, {1: other}] * 50)) == [("no_mask", 1.0)]


def test_the_alert_is_raised_in_a_frame_with_that_person_off():
    policy = AlertPolicy(raise_after=1.0, raise_share=0.5)
    assert alerts(play(policy, [{1: OFF}] * 10 + [{1: UNSURE}, {1: UNSURE}, {1: OFF}])) == [("no_mask", 1.2)]
    assert alerts(play(AlertPolicy(raise_after=1.0), [{1: OFF}] * 10 + [{}] * 30)) == []


@pytest.mark.parametrize("fps", [1.0, 4.0, 30.0, 100.0])
def test_the_hold_is_seconds_whatever_the_frame_rate(fps):
    told = alerts(play(AlertPolicy(raise_after=2.0), [{1: OFF}] * int(5 * fps), fps=fps))
    assert told == [("no_mask", 2.0)]


def test_the_hold_counts_from_the_first_off():
    assert alerts(play(AlertPolicy(), [{1: UNSURE}] * 2 + [{1: OFF}] * 30)) == [("no_mask", 1.2)]
    assert alerts(play(AlertPolicy(), [{1: UNSURE}] + [{}] * 7 + [{1: OFF}] * 30)) == [("no_mask", 1.8)]


def test_a_source_that_jumps_back_in_time_still_clears():
    policy = AlertPolicy(raise_after=0.5, clear_after=1.0, cooldown=2.0)
    assert alerts(play(policy, [{1: OFF}] * 10, start=1000.0)) == [("no_mask", 1000.5)]
    assert alerts(play(policy, [{}] * 30, start=0.0)) == [("all_clear", 1.0)]
    assert alerts(play(policy, [{2: OFF}] * 30, start=0.0)) == [("no_mask", 2.0)]
    policy = AlertPolicy(raise_after=0.5)
    play(policy, [{1: OFF}] * 3, start=1000.0)
    assert alerts(play(policy, [{1: OFF}] * 10, start=0.0)) == [("no_mask", 0.5)]


def test_after_a_long_pause_of_the_camera_the_alert_clears_with_the_first_empty_frame():
    policy = AlertPolicy()
    play(policy, [{1: OFF}] * 20)
    assert alerts(play(policy, [{}], start=500.0)) == [("all_clear", 500.0)]


def test_memory_stays_bounded_in_an_endless_crowd():
    policy = AlertPolicy(raise_after=1.0)
    for i in range(3000):
        play(policy, [{i: OFF}], start=i / 10)
    assert len(policy._windows) == len(policy._told) == 256
    play(policy, [{1: OFF}] * 3000, start=1000.0)
    assert len(policy._windows[1]) <= 12


def test_while_snoozed_nothing_is_raised_and_who_is_still_without_raises_it_at_the_end():
    policy = AlertPolicy(raise_after=1.0, cooldown=3.0)
    asked = policy.snooze(5.0, 0.0)
    assert [(e.kind, e.state, e.seconds) for e in asked] == [("snooze", "on", 5.0)]
    assert policy.snoozed(2.0) == 3.0
    told = play(policy, [{1: OFF}] * 60)
    assert told == [("decision", 0.0, 1), ("snooze", 5.0, None), ("no_mask", 5.0, 1)]
    assert policy.snoozed(5.0) == 0.0


def test_a_snooze_clears_the_alert_that_stands_and_can_be_ended():
    policy = AlertPolicy(raise_after=1.0, cooldown=3.0)
    play(policy, [{1: OFF}] * 15)
    assert policy.active
    assert [(e.kind, e.t) for e in policy.snooze(60.0, 1.5)] == [("all_clear", 1.5), ("snooze", 1.5)]
    assert (policy.active, kinds(play(policy, [{1: OFF}] * 20, start=1.5))) == (False, [])
    assert [(e.kind, e.t, e.state) for e in policy.snooze(0, 3.5)] == [("snooze", 3.5, "off")]
    assert policy.snooze(0, 3.5) == []
    assert kinds(play(policy, [{1: OFF}] * 2, start=3.5)) == ["no_mask"]  # no cool-down: nobody was told to be calm


def test_a_snooze_outlasts_darkness_and_a_clock_that_begins_anew():
    policy = AlertPolicy()
    policy.snooze(10.0, 100.0)
    assert policy.snoozed(3.0) == 10.0  # another camera, another zero
    dark = Observation(Frame(0, 111.0, BLACK), [], [], "too dark")
    assert [(e.kind, e.state) for e in policy.events(dark)] == [("snooze", "off")]


def test_the_shortest_snooze_is_one():
    policy = AlertPolicy()
    assert [e.state for e in policy.snooze(0.5, 0.0)] == ["on"]
    assert policy.snoozed(0.25) == 0.25
    assert (policy.snoozed(0.5), policy.snoozed(9.0)) == (0.0, 0.0)


def test_of_pictures_every_face_is_told_with_the_name_and_no_alert():
    policy = StillsPolicy(["a.jpg", "b/c.jpg"])
    seen = [Decision(1, OFF, 0.9, 0.0), Decision(2, UNSURE, 0.5, 0.0)]
    events = policy.events(Observation(Frame(1, 0.5, BLACK), [], seen))
    assert [(e.kind, e.t, e.file, e.decision) for e in events] == [("decision", 0.5, "b/c.jpg", d) for d in seen]
    [dark] = policy.events(Observation(Frame(0, 0.0, BLACK), [], [], "too dark"))
    assert (dark.kind, dark.t, dark.state) == ("state", 0.0, "blind")
    assert (dark.file, dark.detail) == ("a.jpg", "too dark")
    assert (policy.snooze(9.0, 0.0), policy.snoozed(0.0)) == ([], 0.0)
    assert not policy.active


people = st.dictionaries(st.integers(1, 3), st.sampled_from([ON, OFF, UNSURE]), max_size=3)


@given(st.lists(people, max_size=80))
def test_alert_and_all_clear_take_turns(script):
    policy = AlertPolicy(raise_after=0.3, clear_after=0.4, cooldown=0.5)
    told = [(kind, t) for kind, t, _ in play(policy, script) if kind != "decision"]
    assert [kind for kind, _ in told] == ["no_mask", "all_clear"] * (len(told) // 2) + ["no_mask"] * (len(told) % 2)
    assert policy.active == bool(len(told) % 2)
    for (kind, before), (_, t) in pairwise(told):
        assert t - before >= (0.4 if kind == "no_mask" else 0.5) - 1e-9


ways = st.fixed_dictionaries(
    {
        "raise_after": st.floats(0, 2),
        "clear_after": st.floats(0, 2),
        "cooldown": st.floats(0, 2),
        "raise_share": st.floats(0.1, 1),
    }
)


@given(ways, st.lists(people, max_size=60), st.floats(1, 60))
def test_an_alert_always_clears(way, script, fps):
    """Whatever came before: with nobody OFF for `clear_after` seconds it is over, and UNSURE people keep nothing up."""
    policy = AlertPolicy(**way)
    play(policy, script, fps=fps)
    later = len(script) / fps
    after = play(policy, [{9: UNSURE}] * 2, start=later + way["clear_after"], fps=fps)
    assert not policy.active
    assert "no_mask" not in kinds(after)


@given(ways, st.lists(people, max_size=60), st.floats(1, 60))
def test_unsure_never_alerts(way, script, fps):
    """An alert names somebody who is OFF in that very frame; take OFF away and there is none."""
    for kind, t, id in play(AlertPolicy(**way), script, fps=fps):
        if kind == "no_mask":
            assert script[round(t * fps)][id] is OFF
    calm = [{id: UNSURE if mask is OFF else mask for id, mask in frame.items()} for frame in script]
    assert alerts(play(AlertPolicy(**way), calm, fps=fps)) == []


@given(ways, st.lists(people, max_size=60), st.floats(1, 60))
def test_the_same_frames_give_the_same_events(way, script, fps):
    assert play(AlertPolicy(**way), script, fps=fps) == play(AlertPolicy(**way), script, fps=fps)


def worn(policy: AlertPolicy, frames: int, **flags) -> list:
    """The events of one person who is held to be so for `frames` frames."""
    mask = UNSURE if flags.get("not_a_face") else OFF
    told = []
    for i in range(frames):
        told += policy.events(Observation(Frame(i, i / 10, BLACK), [], [Decision(1, mask, 0.9, 0.0, **flags)]))
    return told


def test_a_mask_worn_incorrectly_raises_the_alert_and_says_so():
    events = worn(AlertPolicy(raise_after=1.0), 20, incorrectly_worn=True)
    assert [e.kind for e in events] == ["decision", "no_mask"]
    assert all(e.decision.outcome == "incorrectly_worn" for e in events)


def test_a_mask_worn_incorrectly_is_told_and_raises_nothing_where_it_may_be():
    policy = AlertPolicy(raise_after=1.0, clear_after=2.0, incorrectly_worn=False)
    assert [e.kind for e in worn(policy, 20, incorrectly_worn=True)] == ["decision"]
    assert [e.kind for e in worn(policy, 20)] == ["decision", "no_mask"], "a bare face still does"


def test_what_keeps_an_alert_up_is_what_may_raise_it():
    policy = AlertPolicy(raise_after=1.0, clear_after=1.0, incorrectly_worn=False)
    worn(policy, 20)
    assert policy.active
    late = [Observation(Frame(i, i / 10, BLACK), [], [Decision(1, OFF, 0.9, 2.0, True)]) for i in range(20, 40)]
    assert [e.kind for o in late for e in policy.events(o)] == ["decision", "all_clear"]


def test_a_thing_is_nobody():
    assert worn(AlertPolicy(raise_after=0.0), 20, not_a_face=True) == []


def test_by_default_two_seconds_clear_it_and_three_more_pass_before_the_next():
    events = play(AlertPolicy(raise_after=0.5), [{7: OFF}] * 10 + [{7: ON}] * 25 + [{7: OFF}] * 40)
    told = [(kind, t) for kind, t, _ in events if kind != "decision"]
    assert told == [("no_mask", 0.5), ("all_clear", 2.9), ("no_mask", 5.9)]


def test_two_frames_of_the_same_moment_do_not_begin_a_hold_anew():
    policy = AlertPolicy(raise_after=1.0)
    told = [play(policy, [{1: OFF}], start=t) for t in (0.0, 0.5, 0.5, 1.0)]
    assert kinds(told[-1]) == ["no_mask"]


def test_the_share_is_of_the_hold_and_not_of_a_frame_before_it():
    """Three of four frames of the last 0.75 s are OFF, which is less than 0.8; with the one before it would be 0.8."""
    policy = AlertPolicy(raise_after=0.75, raise_share=0.8)
    assert "no_mask" not in kinds(play(policy, [{1: OFF}, {1: OFF}, {1: ON}, {1: OFF}, {1: OFF}], fps=4))


def test_who_stays_is_remembered_though_many_pass_by():
    many = _REMEMBERED + 20
    policy = AlertPolicy(raise_after=(many - 5) / 10)
    told = play(policy, [{1: OFF, 100 + i: ON} for i in range(many)])
    assert [track for kind, _, track in told if kind == "no_mask"] == [1]


def test_what_is_hardly_a_face_is_told_and_raises_no_alert():
    policy = AlertPolicy(raise_after=1.0, face_score=0.5)
    decisions = [[Decision(1, OFF, 0.9, 0.0, face=0.49)]] * 30 + [[Decision(1, OFF, 0.9, 0.0, face=0.51)]] * 12
    told = [
        event
        for i, said in enumerate(decisions)
        for event in policy.events(Observation(Frame(i, i / 10, BLACK), [], said))
    ]
    assert [(event.kind, event.t) for event in told] == [("decision", 0.0), ("no_mask", 4.0)]


def test_an_alert_ends_when_what_is_left_is_hardly_a_face():
    policy = AlertPolicy(raise_after=0.0, clear_after=1.0, face_score=0.5)
    policy.events(Observation(Frame(0, 0.0, BLACK), [], [Decision(1, OFF, 0.9, 0.0, face=0.9)]))
    assert policy.active
    for i in range(1, 12):
        policy.events(Observation(Frame(i, i / 10, BLACK), [], [Decision(1, OFF, 0.9, 0.0, face=0.4)]))
    assert not policy.active


def test_a_still_picture_supports_no_alert():
    assert not StillsPolicy([]).supports(Decision(1, OFF, 0.9, 0.0))
