"""What is too dark or covered, told with hysteresis in the time of the frames; and that blindness gives no votes."""

import numpy as np
import pytest

from edge.config import settings as defaults
from edge.core.geometry import Box
from edge.core.labels import Mask
from edge.core.metrics import Timers
from edge.core.records import Face, Frame, Verdict
from edge.runtime.pipeline import Pipeline
from edge.testing.defaults import with_defaults
from edge.tracking.alerts import AlertPolicy
from edge.tracking.tracker import GreedyTracker
from edge.tracking.voting import VotingJudge
from edge.vision.visibility import COVERED, DARK, NOISE, Visibility, brightness_and_steps

AlertPolicy = with_defaults(AlertPolicy, defaults.Alerts())
GreedyTracker = with_defaults(GreedyTracker, defaults.Tracker())
Visibility = with_defaults(Visibility, defaults.Visibility())
VotingJudge = with_defaults(VotingJudge, defaults.Judgement(), defaults.Detector(), forget_after=1.0)

RNG = np.random.default_rng(0)
SHAPE = (480, 640, 3)


def noisy(level, deviation) -> np.ndarray:
    return np.clip(RNG.normal(level, deviation, SHAPE), 0, 255).astype(np.uint8)


def room(brightness=1.0) -> np.ndarray:
    """A plain wall with a person of a twentieth of the picture before it."""
    picture = noisy(150, 4).astype(np.float32)
    picture[200:300, 300:400] = (190, 150, 130)
    picture[300:, 270:430] = 60
    return (picture * brightness).astype(np.uint8)


SEEN, NIGHT, CAP = room(), noisy(4, 3), noisy(70, 6)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (SEEN, None),
        (room(0.25), None),
        (NIGHT, DARK),
        (RNG.integers(0, 256, SHAPE, np.uint8), NOISE),  # memory that never was a picture, an analogue camera's snow
        (np.clip(room(0.4) + RNG.normal(0, 12, SHAPE), 0, 255).astype(np.uint8), None),
        (np.zeros(SHAPE, np.uint8), DARK),
        (room(0.06), DARK),
        (CAP, COVERED),
        (np.full(SHAPE, 255, np.uint8), COVERED),
        (SEEN[:60, :80], COVERED),  # a corner of bare wall
        (SEEN[200:310, 290:410], None),
    ],
)
def test_what_can_be_judged(picture, expected):
    assert Visibility(hold=0).update(picture, 0.0) == expected


@pytest.mark.parametrize("shape", [(16, 16, 3), (17, 400, 3), (1, 1, 3), (1080, 1920, 3)])
def test_every_size_has_a_measure(shape):
    brightness, step = brightness_and_steps(np.full(shape, 90, np.uint8))
    assert (brightness, step) == (90, 0)


def test_a_step_is_found_in_any_part_of_a_region_that_is_a_view():
    big = np.tile(SEEN, (2, 2, 1))
    assert brightness_and_steps(big[480:, 640:]) == brightness_and_steps(SEEN)


def told(visibility, *spans, fps=10):
    """The history of (time, what is told) over spans of (seconds, picture)."""
    history, before, frame = [], "nothing yet", 0
    for seconds, picture in spans:
        for _ in range(round(seconds * fps)):
            now = visibility.update(picture, frame / fps)
            if now != before:
                history.append((frame / fps, now))
            before, frame = now, frame + 1
    return history


def test_blindness_is_told_after_the_hold_and_so_is_sight():
    spans = [(2, SEEN), (3, NIGHT), (3, SEEN), (3, CAP), (3, SEEN)]
    expected = [(0.0, None), (3.0, DARK), (6.0, None), (9.0, COVERED), (12.0, None)]
    assert told(Visibility(hold=1.0), *spans) == expected


def test_a_flash_of_darkness_is_not_told():
    assert told(Visibility(hold=1.0), *[(0.9, NIGHT), (0.1, SEEN)] * 10) == [(0.0, None)]


def test_the_reason_follows_what_is_seen():
    assert told(Visibility(hold=1.0), (2, NIGHT), (1, CAP)) == [(0.0, None), (1.0, DARK), (2.0, COVERED)]


def test_sight_returns_only_well_above_the_limit():
    twilight = room(0.16)
    brightness = brightness_and_steps(twilight)[0]
    assert 20 < brightness < 30
    assert told(Visibility(hold=0), (1, twilight)) == [(0.0, None)]
    assert told(Visibility(hold=0), (1, NIGHT), (1, twilight)) == [(0.0, DARK)]
    assert told(Visibility(hold=0, margin=1.0), (1, NIGHT), (1, twilight)) == [(0.0, DARK), (1.0, None)]


def test_both_limits_can_be_switched_off():
    visibility = Visibility(dark=0, flat=0)
    assert {visibility.update(p, i) for i, p in enumerate([np.zeros(SHAPE, np.uint8), CAP, SEEN] * 3)} == {None}


def test_time_that_jumps_back_starts_the_hold_anew():
    visibility = Visibility(hold=1.0)
    assert [visibility.update(NIGHT, t) for t in (100.0, 0.0, 0.9, 1.0)] == [None, None, None, DARK]


class OneFace:
    def detect(self, image):
        return [Face(Box(300, 200, 400, 320), 0.9)]


class Bare:
    def __init__(self):
        self.asked = 0

    def classify(self, image, box, score=None):
        self.asked += 1
        return Verdict(Mask.OFF, 1.0)


def watch(*spans, fps=10):
    """Observations, events and classifier of a pipeline over spans of (seconds, picture)."""
    pictures = [picture for seconds, picture in spans for _ in range(round(seconds * fps))]
    bare, policy = Bare(), AlertPolicy()
    loop = Pipeline(OneFace(), GreedyTracker(), bare, VotingJudge(), Timers(), Visibility(hold=1.0))
    seen = list(loop.run([Frame(i, i / fps, picture) for i, picture in enumerate(pictures)]))
    return seen, [event for o in seen for event in policy.events(o)], bare


def test_nobody_is_judged_in_the_dark_not_even_before_it_is_told():
    seen, events, bare = watch((5, NIGHT))
    assert [o.blind for o in seen] == [None] * 10 + [DARK] * 40
    assert all(d.mask is Mask.UNSURE for o in seen for d in o.decisions)
    assert all(o.tracks for o in seen), "people are still followed"
    assert (events, bare.asked) == ([], 0)


def test_judging_goes_on_when_sight_returns():
    seen, events, _ = watch((3, NIGHT), (5, SEEN))
    assert [event.kind for event in events] == ["decision", "no_mask"]
    assert events[0].t == pytest.approx(4.2)
    assert seen[-1].blind is None


def test_covering_the_lens_clears_no_alert():
    _, events, _ = watch((4, SEEN), (6, CAP))
    assert [event.kind for event in events] == ["decision", "no_mask"]


def test_the_alert_is_over_when_sight_returns_and_nobody_is_there(monkeypatch):
    there = [True]
    monkeypatch.setattr(OneFace, "detect", lambda self, image: [Face(Box(300, 200, 400, 320), 0.9)] if there[0] else [])

    def pictures():
        for i in range(140):
            there[0] = i < 40
            yield Frame(i, i / 10, SEEN if i < 40 or i >= 100 else CAP)

    policy = AlertPolicy()
    loop = Pipeline(OneFace(), GreedyTracker(), Bare(), VotingJudge(), Timers(), Visibility(hold=1.0))
    events = [event for o in loop.run(pictures()) for event in policy.events(o)]
    assert [event.kind for event in events] == ["decision", "no_mask", "all_clear"]
    assert events[-1].t == pytest.approx(11.0)
