"""The detector over one window and over two, with a scripted engine: no network, the whole path."""

import numpy as np
import pytest

from edge.testing.engine import ScriptedEngine
from edge.vision import bundle
from edge.vision.decode import cells
from edge.vision.detector import FaceDetector


@pytest.fixture
def answers():
    """One face of 16 x 16 around (28, 12) of a 64 x 32 input."""
    centres, _ = cells(64, 32)
    logits, distances = np.full((len(centres), 1), -9.0, "f4"), np.zeros((len(centres), 4), "f4")
    k = int(np.flatnonzero((centres == (28, 12)).all(1))[0])
    logits[k], distances[k] = 3.0, 0.5
    return [logits, distances]


def finder(tmp_path, write_bundle, answers, count, **settings):
    engine = ScriptedEngine([answers])
    spec = bundle.load(write_bundle(tmp_path / "b")).detector
    return FaceDetector(engine, spec, count=count, **settings), engine


@pytest.mark.parametrize(("logit", "min_face", "found"), [(-1, 0, 1), (-1, 15, 1), (-1, 17, 0), (3, 17, 1)])
def test_a_box_that_is_too_small_to_classify_needs_the_score_of_the_detector_alone(
    tmp_path, write_bundle, answers, logit, min_face, found
):
    answers[0][answers[0] == 3.0] = logit
    detector, _ = finder(tmp_path, write_bundle, answers, 1, threshold=0.1, min_face=min_face)
    assert len(detector.detect(np.zeros((32, 64, 3), np.uint8))) == found


def test_each_window_is_one_run_and_boxes_are_in_pixels_of_the_frame(tmp_path, write_bundle, answers):
    detector, engine = finder(tmp_path, write_bundle, answers, 2)
    rows = detector.rows(np.zeros((400, 200, 3), np.uint8))
    assert len(engine.seen) == 2
    scale = 32 / 290  # a window is 200 x 290
    upper = np.array([20, 4, 36, 20]) / scale
    expected = sorted([upper.tolist(), (upper + np.array([0, 110, 0, 110])).tolist()], key=lambda box: box[1])
    assert np.allclose(sorted(rows[:, :4].tolist(), key=lambda box: box[1]), np.clip(expected, 0, [200, 400, 200, 400]))


class ManyShapes:
    """Finds one face in every picture: in the middle of its upper left 16 x 16 pixels, 8 x 8."""

    def __init__(self, *shapes):
        self.shapes, self.seen = shapes, []

    def infer(self, image):
        self.seen.append((image.shape[1], image.shape[0]))
        centres, strides = cells(*self.seen[-1])
        face = (np.abs(centres - 4).max(1) < 1) & (strides == 8)
        return [np.where(face, 3.0, -9.0).astype("f4")[:, None], np.full((len(centres), 4), 0.25, "f4")]


@pytest.mark.parametrize(
    ("frame", "shape", "scale"),
    [
        ((640, 360), (64, 32), 32 / 360),
        ((360, 640), (32, 64), 32 / 360),
        ((480, 480), (48, 48), 0.1),
        ((300, 600), (32, 64), 64 / 600),
    ],
)
def test_a_frame_gets_the_shape_in_which_it_is_largest(tmp_path, write_bundle, frame, shape, scale):
    spec = bundle.load(write_bundle(tmp_path / "b")).detector
    engine = ManyShapes((64, 32), (32, 64), (48, 48))
    (row,) = FaceDetector(engine, spec).rows(np.zeros((frame[1], frame[0], 3), np.uint8))
    assert engine.seen == [shape]
    assert row[:4] == pytest.approx(np.array([0, 0, 8, 8]) / scale)


def test_a_face_that_fills_the_frame_is_looked_for_in_the_same_shape(tmp_path, write_bundle):
    spec = bundle.load(write_bundle(tmp_path / "b")).detector
    engine = ManyShapes((64, 32), (32, 64))
    FaceDetector(engine, spec).rows(np.zeros((10, 8, 3), np.uint8))  # the face has all of it
    assert engine.seen == [(32, 64), (32, 64)]


def test_a_frame_of_the_networks_shape_is_one_run(tmp_path, write_bundle, answers):
    detector, engine = finder(tmp_path, write_bundle, answers, None)
    assert len(detector.rows(np.zeros((320, 640, 3), np.uint8))) == 1
    assert len(engine.seen) == 1


def test_a_tall_frame_is_two_unless_one_is_asked_for(tmp_path, write_bundle, answers):
    detector, engine = finder(tmp_path, write_bundle, answers, None)
    detector.rows(np.zeros((400, 200, 3), np.uint8))
    assert len(engine.seen) == 2
    (tmp_path / "one").mkdir()
    detector, engine = finder(tmp_path / "one", write_bundle, answers, 1)
    detector.rows(np.zeros((400, 200, 3), np.uint8))
    assert len(engine.seen) == 1
