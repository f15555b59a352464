"""Timers and counters against a clock that is told the time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.core.geometry import Box
from edge.core.labels import Mask
from edge.core.metrics import Counters, Timers, quantile
from edge.core.records import Decision, Event, Frame, Observation, Track


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_stage_is_a_with():
    clock = Clock()
    timers = Timers(clock=clock)
    for seconds in (0.25, 0.5):
        with timers("detect"):
            clock.now += seconds
        clock.now += 7
    assert timers.durations("detect") == [0.25, 0.5]
    assert timers.durations("never") == []


def test_a_stage_that_raises_is_not_counted():
    timers = Timers()
    with pytest.raises(KeyError), timers("detect"):
        raise KeyError
    assert timers.stages == []


def test_waiting_for_a_stream_is_timed_and_working_on_it_is_not():
    clock = Clock()
    timers = Timers(clock=clock)

    def camera():
        for seconds in (0.125, 0.25):
            clock.now += seconds
            yield seconds

    seen = []
    for item in timers.each("camera", camera()):
        seen.append(item)
        clock.now += 10
    assert seen == timers.durations("camera") == [0.125, 0.25]


def test_the_window_is_bounded():
    clock = Clock()
    timers = Timers(window=3, clock=clock)
    for seconds in range(5):
        with timers("track"):
            clock.now += seconds
    assert timers.durations("track") == [2, 3, 4]


def test_the_table_has_a_row_per_stage_in_order():
    clock = Clock()
    timers = Timers(clock=clock)
    for stage, seconds in (("detect", 0.020), ("classify", 0.005)):
        with timers(stage):
            clock.now += seconds
    head, detect, classify = timers.render().splitlines()
    assert head.split() == ["stage", "n", "p50", "ms", "p95", "ms"]
    assert detect.split() == ["detect", "1", "20.0", "20.0"]
    assert classify.split() == ["classify", "1", "5.0", "5.0"]
    timers.clear()
    assert timers.stages == []


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=50), st.floats(0, 1))
def test_quantiles_are_numpys(values, q):
    assert quantile(values, q) == pytest.approx(float(np.quantile(values, q)), abs=1e-9)


def test_no_values_have_quantile_zero():
    assert quantile([], 0.5) == 0.0


def seen(*tracks: Track) -> Observation:
    return Observation(Frame(0, 0.0, np.zeros((2, 2, 3), np.uint8)), tracks, [])


def track(id: int, hits: int) -> Track:
    return Track(id, Box(0, 0, 1, 1), 0.0, hits)


def test_counters_count_people_once_and_ghosts_never():
    clock = Clock()
    counters = Counters(person_hits=3, clock=clock)
    for hits in range(1, 6):
        counters.count(seen(track(1, hits), track(2, 1)) if hits == 1 else seen(track(1, hits)), [])
    clock.now += 2.5
    assert (counters.frames, counters.faces, counters.people, counters.fps) == (5, 6, 1, 2.0)


def test_counters_tell_alerts_from_decisions_and_name_mishaps_only_when_there_are_some():
    counters = Counters(clock=Clock())
    counters.count(seen(), [Event("decision", 0.0), Event("no_mask", 0.0), Event("all_clear", 0.0)])
    line = "1 frames, 0.0 FPS, 0 faces, 0 people seen, 1 decisions, 1 alerts"
    assert counters.render() == line
    counters.skipped, counters.dropped, counters.failed = 1, 2, 3
    assert counters.render() == f"{line}, 1 skipped, 2 dropped, 3 failed deliveries"


def test_what_is_no_face_is_nobody():
    counters = Counters(person_hits=3, clock=Clock())
    frame, box = Frame(0, 0.0, np.zeros((2, 2, 3), np.uint8)), Box(0, 0, 9, 9)
    tracks = [Track(1, box, 0.1, 3), Track(2, box, 0.1, 3)]
    decisions = [Decision(1, Mask.UNSURE, 1.0, 0.0, not_a_face=True), Decision(2, Mask.OFF, 1.0, 0.0)]
    counters.count(Observation(frame, tracks, decisions), [])
    assert (counters.faces, counters.people) == (1, 1)
