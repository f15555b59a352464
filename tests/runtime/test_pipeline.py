"""The loop over fakes that remember."""

import numpy as np
import pytest

from edge.config import settings as defaults
from edge.core.errors import CameraError
from edge.core.geometry import Box
from edge.core.labels import Mask
from edge.core.metrics import Timers
from edge.core.records import Face, Frame, Verdict
from edge.runtime.pipeline import Pipeline
from edge.testing.defaults import with_defaults
from edge.tracking.tracker import GreedyTracker
from edge.tracking.voting import VotingJudge

GreedyTracker = with_defaults(GreedyTracker, defaults.Tracker())
VotingJudge = with_defaults(VotingJudge, defaults.Judgement(), defaults.Detector(), forget_after=1.0)

HERE, THERE = Box(10, 10, 60, 60), Box(200, 10, 250, 60)


def frames(count: int, fps: float = 10.0) -> list[Frame]:
    return [Frame(i, i / fps, np.full((120, 300, 3), i, np.uint8)) for i in range(count)]


class Faces:
    """A detector that plays a script, one list of boxes per frame."""

    def __init__(self, script) -> None:
        self.script = list(script)
        self.seen: list[int] = []

    def detect(self, image):
        self.seen.append(int(image[0, 0, 0]))
        return [Face(box, 0.9) for box in self.script[len(self.seen) - 1]]


class Masks:
    """A classifier that says ON of whoever stands left, OFF of whoever stands right."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, Box]] = []
        self.scores: list[float] = []

    def classify(self, image, box, score=None):
        self.seen.append((int(image[0, 0, 0]), box))
        self.scores.append(score)
        return Verdict(Mask.ON if box.x0 < 150 else Mask.OFF, 1.0)


def pipeline(script, timers=None) -> Pipeline:
    return Pipeline(Faces(script), GreedyTracker(), Masks(), VotingJudge(min_votes=2), timers or Timers())


def test_every_frame_becomes_an_observation_in_order():
    loop, camera = pipeline([[HERE]] * 5), frames(5)
    seen = list(loop.run(camera))
    assert [o.frame for o in seen] == camera
    assert loop.detector.seen == [0, 1, 2, 3, 4]
    assert [[t.id for t in o.tracks] for o in seen] == [[1]] * 5
    assert [[d.mask for d in o.decisions] for o in seen] == [[Mask.UNSURE]] + [[Mask.ON]] * 4


def test_each_person_gets_an_own_decision():
    *_, last = pipeline([[THERE, HERE]] * 5).run(frames(5))
    assert {d.track_id: d.mask for d in last.decisions} == {1: Mask.OFF, 2: Mask.ON}


def test_the_classifier_is_told_the_score_of_the_box_that_it_looks_at():
    loop = pipeline([[HERE], [HERE]])
    loop.detector.detect = lambda image: [Face(HERE, 0.5 if int(image[0, 0, 0]) else 0.9)]
    list(loop.run(frames(2)))
    assert loop.classifier.scores == [0.9, 0.5]


def test_settled_people_cost_no_classification():
    loop = pipeline([[HERE]] * 10)
    list(loop.run(frames(10)))
    assert loop.classifier.seen == [(i, HERE) for i in (0, 1, 2, 3, 8)]


def test_an_empty_room_is_an_observation_too():
    loop = pipeline([[], []])
    assert [(o.tracks, o.decisions) for o in loop.run(frames(2))] == [([], [])] * 2
    assert loop.classifier.seen == []


def test_stages_are_timed_classification_per_face():
    timers = Timers()
    list(pipeline([[HERE, THERE]] * 3, timers).run(frames(3)))
    counts = {stage: len(timers.durations(stage)) for stage in timers.stages}
    assert counts == {"camera": 3, "detect": 3, "track": 3, "classify": 6, "decide": 3}


def test_an_error_of_the_camera_comes_through_after_the_good_frames():
    def camera():
        yield from frames(2)
        raise CameraError("unplugged")

    observations = pipeline([[HERE]] * 2).run(camera())
    assert [next(observations).frame.index for _ in range(2)] == [0, 1]
    with pytest.raises(CameraError, match="unplugged"):
        next(observations)
