"""Who came, and how it went: frames at 10 a second, days that pass in no time."""

from datetime import date, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.core.geometry import Box
from edge.core.labels import Mask
from edge.core.records import Counts, Decision, Frame, Observation, Track
from edge.tracking.tally import Tally, sentence

ON, OFF, UNSURE = Mask.ON, Mask.OFF, Mask.UNSURE
BLACK = np.zeros((2, 2, 3), np.uint8)
NOON = datetime(2026, 11, 25, 12).timestamp()
MIDNIGHT = datetime(2026, 11, 26).timestamp()


class Scene:
    """Plays people to a tally; `wall` is the clock on the wall at t = 0."""

    def __init__(self, wall=NOON, past=None, clock_set=True) -> None:
        self.t, self.zero, self.is_set = 0.0, wall, clock_set
        self.tally = Tally(3, 1.0, lambda: self.zero + self.t, lambda: self.is_set, past)
        self.first: dict[int, float] = {}
        self.hits: dict[int, int] = {}

    def play(self, seconds, people):
        """`people`: {track id: mask, "incorrectly" or "no face"}; returns the events."""
        events = []
        for _ in range(round(seconds * 10)):
            self.t = round(self.t + 0.1, 6)
            tracks, decisions = [], []
            for id, mask in people.items():
                self.first.setdefault(id, self.t)
                self.hits[id] = self.hits.get(id, 0) + 1
                tracks.append(Track(id, Box(0, 0, 9, 9), self.t - self.first[id], self.hits[id]))
                wrong, none = mask == "incorrectly", mask == "no face"
                held = OFF if wrong else UNSURE if none else mask
                decisions.append(Decision(id, held, 0.9, self.t, wrong, none))
            events += self.tally.events(Observation(Frame(0, self.t, BLACK), tracks, decisions))
        return events


def visits(events):
    return [
        (e.visit.number, round(e.visit.first, 1), round(e.visit.last, 1), e.visit.outcome) for e in events if e.visit
    ]


def test_a_visit_is_told_when_it_is_over():
    scene = Scene()
    assert visits(scene.play(5, {7: ON})) == []
    assert visits(scene.play(3, {})) == [(1, 0.1, 5.0, "on")]
    assert visits(scene.play(3, {})) == []


def test_a_visit_is_over_after_the_longest_gap_and_not_at_it():
    scene = Scene()
    scene.play(5, {7: ON})
    assert visits(scene.play(1, {})) == []
    assert visits(scene.play(0.1, {})) == [(1, 0.1, 5.0, "on")]


def test_a_visit_is_told_as_a_person_with_its_time_and_decision():
    scene = Scene()
    scene.play(5, {7: ON})
    over = scene.play(1.1, {})[0]
    assert (over.kind, over.t, over.decision) == ("person", 6.1, Decision(7, ON, 0.9, 5.0))
    scene.play(5, {8: "incorrectly"})
    left = scene.tally.leave(scene.t)[0]
    assert (left.kind, left.t, left.decision.outcome) == ("person", scene.t, "incorrectly_worn")


def test_what_turns_out_to_be_no_face_is_taken_back_and_others_stay():
    """The false face is the first of the tracks: those after it are counted as ever."""
    scene = Scene()
    events = scene.play(2, {1: UNSURE, 2: ON}) + scene.play(2, {1: "no face", 2: ON}) + scene.play(2, {1: "no face"})
    assert visits(events) == [(2, 0.1, 4.0, "on")]
    assert scene.tally.counts == Counts("2026-11-25", on=1)
    scene.play(2, {3: "no face", 4: OFF})
    assert (scene.tally.counts.present, scene.tally.counts.off) == (1, 1)


def test_a_ghost_and_a_short_absence_are_no_visits():
    scene = Scene()
    assert visits(scene.play(0.2, {1: ON}) + scene.play(5, {})) == []
    scene.play(2, {2: OFF})
    scene.play(0.8, {})
    scene.play(2, {2: OFF})
    assert visits(scene.play(5, {})) == [(1, 5.3, 10.0, "off")]


def test_what_was_last_held_true_is_the_outcome():
    scene = Scene()
    for masks in ((UNSURE, OFF, ON), (UNSURE,), ("incorrectly", UNSURE), (ON, "incorrectly", OFF)):
        for mask in masks:
            scene.play(1, {scene.tally.counts.people + 1 if mask is masks[0] else scene.tally.counts.people: mask})
        scene.play(2, {})
    counts = scene.tally.counts
    assert (counts.on, counts.unsure, counts.incorrectly_worn, counts.off) == (1, 1, 1, 1)


def test_a_long_visit_is_told_again_so_that_no_more_than_a_minute_can_be_lost():
    scene = Scene()
    told = visits(scene.play(150, {1: ON}) + scene.play(3, {}))
    assert [(number, first) for number, first, _, _ in told] == [(1, 0.1)] * 3
    assert [last for _, _, last, _ in told] == [60.3, 120.3, 150.0]


def test_a_visit_that_goes_on_is_told_with_its_time_and_what_was_decided_last():
    scene = Scene()
    [told] = [e for e in scene.play(61, {1: ON}) if e.visit]
    assert (told.kind, told.t, told.decision) == ("person", 60.3, Decision(1, ON, 0.9, 60.3))


def test_counts_are_told_when_they_change_and_seldom():
    scene = Scene()
    events = scene.play(1, {}) + scene.play(10, {1: ON, 2: OFF}) + scene.play(10, {2: OFF}) + scene.play(10, {})
    counts = [(e.t, e.counts.present, e.counts.people, e.counts.mask_share) for e in events if e.kind == "counts"]
    assert counts[0] == (0.1, 0, 0, None)
    assert counts[-1][1:] == (0, 2, 50.0)
    assert max(present for _, present, _, _ in counts) == 2
    assert all(later[0] - earlier[0] >= 2.0 for earlier, later in pairwise(counts))
    assert len(counts) <= 5


def test_counts_wait_for_their_pause_and_not_longer():
    scene = Scene()
    told = [e.t for e in scene.play(1.0, {1: ON}) + scene.play(2.0, {1: ON, 2: ON}) if e.kind == "counts"]
    assert told == [0.1, 2.1]  # somebody is counted at 0.3, another at 1.3
    scene.play(2.0, {1: ON, 2: ON, 3: ON})
    assert [e.t for e in scene.play(0.3, {}) if e.kind == "counts"] == []


def test_two_frames_of_one_instant_tell_the_counts_once():
    scene = Scene()
    assert [e.kind for e in scene.play(0.1, {})] == ["counts"]
    scene.hits[1] = 5
    scene.t = 0.0
    assert scene.play(0.1, {1: ON}) == []
    assert scene.tally.counts.present == 1


def test_at_the_end_whoever_is_there_is_told_and_counts_are_told_anew():
    scene = Scene()
    scene.play(5, {1: ON})
    left = scene.tally.leave(scene.t)
    assert visits(left) == [(1, 0.1, 5.0, "on")]
    assert left[-1].counts.present == 0
    assert [e.kind for e in scene.play(0.1, {})] == ["counts"]
    assert visits(scene.play(1, {1: ON}) + scene.play(3, {})) == [(2, 0.1, 6.1, "on")]  # the tracker began anew


def test_at_midnight_the_day_is_summed_up_and_nobody_counts_twice():
    scene = Scene(wall=MIDNIGHT - 10)
    before = scene.play(5, {1: ON}) + scene.play(4, {2: OFF})
    after = scene.play(5, {2: OFF}) + scene.play(3, {3: ON}) + scene.play(3, {})
    assert [e for e in before if e.kind == "summary"] == []
    [summed] = [e for e in after if e.kind == "summary"]
    assert summed.t == 10.0
    assert summed.counts == Counts("2026-11-25", on=1, off=1)
    assert summed.detail == (
        "2026-11-25: 2 people, 1 with a mask, 1 without, 0 worn incorrectly, 0 unsure (50 % with a mask)"
    )
    assert scene.tally.counts == Counts("2026-11-26", on=1)


def test_days_end_while_no_frame_comes():
    scene = Scene(wall=MIDNIGHT - 10)
    scene.play(5, {1: ON})
    told = []
    for scene.t in (6.5, 20.0, 86_420.0):
        told.append([(e.kind, e.counts and e.counts.day) for e in scene.tally.idle(scene.t)])
    assert told == [
        [("person", None), ("counts", "2026-11-25")],
        [("summary", "2026-11-25"), ("counts", "2026-11-26")],
        [("summary", "2026-11-26"), ("counts", "2026-11-27")],
    ]


def test_a_day_on_which_nobody_was_judged_has_no_share():
    assert sentence(Counts("2026-11-25", unsure=2)) == (
        "2026-11-25: 2 people, 0 with a mask, 0 without, 0 worn incorrectly, 2 unsure (nobody was judged)"
    )


@pytest.mark.fault("the clock is set back over midnight", "by two seconds", "one sum of the day", "-")
def test_a_clock_that_is_set_back_over_midnight_sums_up_once():
    scene = Scene(wall=MIDNIGHT - 3)
    told = scene.play(6, {1: ON})
    scene.zero -= 5
    told += scene.play(9, {})
    assert [e.counts for e in told if e.kind == "summary"] == [Counts("2026-11-25", on=1)]


class Past:
    def __init__(self, summed=(), **days) -> None:
        self.days, self.summed = days, summed

    def day(self, day: date) -> Counts:
        return Counts(day.isoformat(), on=self.days.get(f"d{day.day}", 0))

    def told(self, day: date) -> bool:
        return day.day in self.summed


def test_a_restart_goes_on_counting_and_sums_up_a_yesterday_that_nobody_did():
    scene = Scene(past=Past(d25=4, d24=9))
    events = scene.play(2, {1: ON})
    assert [(e.t, e.counts) for e in events if e.kind == "summary"] == [(0.1, Counts("2026-11-24", on=9))]
    assert scene.tally.counts == Counts("2026-11-25", present=1, on=5)
    assert [e.kind for e in Scene(past=Past([24], d24=9)).play(1, {})] == ["counts"]
    assert [e.kind for e in Scene(past=Past()).play(1, {})] == ["counts"]  # nobody came on the day before


def test_a_clock_that_is_set_ends_no_day():
    """A board without a clock chip begins in the past; what it counts until then counts for the day that is set."""
    scene = Scene(wall=datetime(2026, 3, 1, 12).timestamp(), past=Past([24], d1=7, d25=2), clock_set=False)
    scene.play(3, {1: ON})
    assert scene.tally.counts == Counts("2026-03-01", present=1, on=8)
    scene.zero, scene.is_set = NOON, True
    events = scene.play(5, {})
    assert [e.kind for e in events if e.kind == "summary"] == []
    assert scene.tally.counts == Counts("2026-11-25", on=3)


def test_a_time_that_jumps_back_ends_the_visits():
    scene = Scene()
    scene.play(5, {1: ON})
    scene.t = 0.0
    scene.hits.clear()
    assert visits(scene.play(0.1, {})) == [(1, 0.1, 5.0, "on")]


def test_a_clock_that_is_set_by_days_later_sums_up_the_new_yesterday():
    scene = Scene(wall=datetime(2026, 11, 20, 12).timestamp(), past=Past(d19=3, d24=9))
    first = scene.play(2, {1: ON})
    scene.zero = NOON
    later = scene.play(2, {1: ON})
    days = [e.counts.day for e in first + later if e.kind == "summary"]
    assert days == ["2026-11-19", "2026-11-24"]


def test_a_midnight_is_summed_up_once_though_the_history_has_not_stored_it_yet():
    scene = Scene(wall=MIDNIGHT - 3, past=Past([24], d25=4))
    events = scene.play(9, {1: ON})
    assert [e.counts for e in events if e.kind == "summary"] == [Counts("2026-11-25", on=5)]


people = st.dictionaries(st.integers(1, 4), st.sampled_from([ON, OFF, UNSURE]), max_size=3)


@given(st.lists(st.tuples(st.integers(1, 30), people), max_size=30))
def test_all_who_were_seen_are_counted_once(script):
    scene, events = Scene(), []
    for tenths, people in script:
        events += scene.play(tenths / 10, people)
    events += scene.tally.leave(scene.t)
    numbers = {e.visit.number for e in events if e.visit}
    assert numbers == set(range(1, len(numbers) + 1))
    assert scene.tally.counts.people == len(numbers)
    assert scene.tally.counts.present == 0
