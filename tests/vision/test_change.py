"""A settled face that changes is noticed; light, distance and a detector that trembles are not."""

import numpy as np
import pytest

from edge.config import settings as defaults
from edge.core.geometry import Box
from edge.core.labels import Mask
from edge.core.metrics import Timers
from edge.core.records import Face, Frame, Track, Verdict
from edge.runtime.pipeline import Pipeline
from edge.testing.defaults import with_defaults
from edge.tracking.tracker import GreedyTracker
from edge.tracking.voting import VotingJudge
from edge.vision.change import ChangeDetector

GreedyTracker = with_defaults(GreedyTracker, defaults.Tracker())
VotingJudge = with_defaults(VotingJudge, defaults.Judgement(), defaults.Detector(), forget_after=1.0)

BOX = Box(40, 30, 120, 130)


def face(lower=(200, 150, 130), upper=(205, 155, 135), light=1.0, box=BOX):
    image = np.full((200, 200, 3), 90.0)
    y0, y1, x0, x1 = int(box.y0), int(box.y1), int(box.x0), int(box.x1)
    image[y0:y1, x0:x1] = upper
    image[(y0 + y1) // 2 : y1, x0:x1] = lower
    return np.clip(image * light + np.random.default_rng(0).normal(0, 4, image.shape), 0, 255).astype(np.uint8)


MASKED = {"lower": (90, 140, 190)}


def noticed(before, after, box=BOX, **options):
    detector = ChangeDetector(**options)
    assert detector.changed(before, [Track(1, BOX, 0.0, 3)]) == set(), "nothing is known yet"
    detector.classified(1)
    return detector.changed(after, [Track(1, box, 0.1, 4)]) == {1}


def test_a_mask_that_goes_or_comes_is_noticed():
    assert noticed(face(**MASKED), face())
    assert noticed(face(), face(**MASKED))
    assert not noticed(face(), face(**MASKED), limit=0)


@pytest.mark.parametrize("light", [0.5, 0.8, 1.2])
def test_light_and_a_trembling_box_are_not(light):
    assert not noticed(face(**MASKED), face(light=light, **MASKED), BOX.moved(3, -4))


def test_each_track_is_compared_with_its_own_last_look():
    detector, tracks = ChangeDetector(), [Track(1, BOX, 0.0, 3), Track(2, BOX, 0.0, 3)]
    detector.changed(face(), tracks)
    detector.classified(1)
    assert detector.changed(face(**MASKED), tracks) == {1}
    detector.classified(1)
    assert detector.changed(face(**MASKED), tracks) == set()
    assert detector.changed(face(), []) == set()
    assert detector.changed(face(), tracks) == set(), "who was gone is another"


@pytest.mark.parametrize("box", [Box(-500, -500, -400, -400), Box(190, 190, 400, 400), Box(-50, -60, 900, 900)])
def test_a_face_at_or_beyond_the_edge(box):
    detector, track = ChangeDetector(), Track(1, box, 0.0, 3)
    detector.changed(face(), [track])
    detector.classified(1)
    assert detector.changed(face(), [track]) == set()


def test_a_small_face_is_left_alone():
    assert not noticed(face(), face(**MASKED), smallest=90)


@pytest.mark.parametrize("changes", [None, ChangeDetector()])
def test_a_bare_face_is_seen_at_once_and_not_when_the_next_look_is_due(changes):
    """A settled mask is taken off a tenth of a second after the last look; half a second is between two looks."""

    class Detector:
        def detect(self, image):
            return [Face(BOX, 0.9)]

    class Classifier:
        looks = 0

        def classify(self, image, box, score=None):
            self.looks += 1
            masked = int(image[110, 80, 2]) > int(image[110, 80, 0])
            return Verdict(Mask.ON if masked else Mask.OFF, 1.0)

    classifier, judge = Classifier(), VotingJudge(recheck_every=0.5)
    pipeline = Pipeline(Detector(), GreedyTracker(), classifier, judge, Timers(), changes=changes)
    for i in range(10):
        observation = pipeline.process(Frame(i, i / 10, face(**MASKED)))
    assert observation.decisions[0].mask is Mask.ON
    while judge.needs_classification(observation.tracks, (i + 1) / 10) == []:
        i += 1
        observation = pipeline.process(Frame(i, i / 10, face(**MASKED)))
    i += 1
    pipeline.process(Frame(i, i / 10, face(**MASKED)))
    before = classifier.looks
    for k in range(1, 7):
        observation = pipeline.process(Frame(i + k, (i + k) / 10, face()))
        if k == 4:
            early = classifier.looks - before
    assert (early > 0) is (changes is not None)
    assert (observation.decisions[0].mask is Mask.OFF) is (changes is not None)
