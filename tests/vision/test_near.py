"""A face that fills the frame: a trace of it takes a second look, at half the scale."""

import numpy as np
import pytest

from edge.testing.engine import ScriptedEngine
from edge.vision import bundle, near
from edge.vision.decode import cells
from edge.vision.detector import FaceDetector

FRAME = np.zeros((320, 640, 3), np.uint8)
"""Ten times the network's input."""


def said(*boxes):
    """Outputs of a 64 x 32 input: at each cell (x, y) a box (half width, half height), in pixels, and its logit."""
    centres, strides = cells(64, 32)
    logits, distances = np.full((len(centres), 1), -9.0, "f4"), np.zeros((len(centres), 4), "f4")
    for x, y, width, height, logit in boxes:
        k = int(np.flatnonzero((centres == (x, y)).all(1))[0])
        logits[k], distances[k] = logit, np.array([width, height, width, height]) / (2 * strides[k])
    return [logits, distances]


def looks(tmp_path, write_bundle, *answers, frames=1, video=False):
    """Rows of the last frame, and how often the network was asked in each."""
    engine = ScriptedEngine(answers)
    detector = FaceDetector(engine, bundle.load(write_bundle(tmp_path / "b")).detector, threshold=0.5, video=video)
    counts = []
    for _ in range(frames):
        before = len(engine.seen)
        rows = detector.rows(FRAME).round().tolist()
        counts.append(len(engine.seen) - before)
    return rows, counts


def test_nobody_near_is_one_look(tmp_path, write_bundle):
    rows, counts = looks(tmp_path, write_bundle, said((28, 12, 6, 9, 3.0)))
    assert (len(rows), counts) == (1, [1])


TRACE, CLEAR = said((36, 12, 9, 12, -4.0)), said((8, 8, 6, 8, 3.0))
"""Of a face as high as the frame: at full scale, and at half of it, where a pixel is 20 of the frame."""


def test_a_trace_of_a_near_face_is_looked_at_again_at_half_the_scale(tmp_path, write_bundle):
    rows, counts = looks(tmp_path, write_bundle, TRACE, CLEAR)
    assert [row[:4] for row in rows] == [[40, 0, 280, 320]]
    assert counts == [2]


@pytest.mark.parametrize(("video", "counts"), [(True, [2, 2, 2, 1]), (False, [2, 1, 1, 1])])
def test_in_a_video_a_near_face_is_looked_for_until_it_is_gone(tmp_path, write_bundle, video, counts):
    nothing = said()
    script = [TRACE, CLEAR, nothing, CLEAR, nothing, nothing, nothing] if video else [TRACE, CLEAR, nothing]
    assert looks(tmp_path, write_bundle, *script, frames=4, video=video)[1] == counts


def test_the_second_look_is_for_near_faces(tmp_path, write_bundle):
    far = said((12, 12, 5, 4, 3.0))
    assert looks(tmp_path, write_bundle, TRACE, far)[0] == []


def test_the_half_is_the_whole_frame(tmp_path, write_bundle):
    image = np.full((320, 640, 3), 200, np.uint8)
    canvas, fit = near.half(image, 64, 32)
    assert canvas.shape == (32, 64, 3)
    assert fit.scale == pytest.approx(0.05)
    assert (canvas[:16, :32] == 200).all()
    assert (canvas[16:] == 114).all()
    assert (canvas[:, 32:] == 114).all()


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ([[10, 10, 50, 40, 0.6]], [[0, 0, 100, 90, 0.9]], [[0, 0, 100, 90, 0.9]]),  # a part of the near face
        ([[10, 10, 50, 40, 0.95]], [[0, 0, 100, 90, 0.9]], [[10, 10, 50, 40, 0.95], [0, 0, 100, 90, 0.9]]),
        ([[90, 10, 150, 40, 0.6]], [[0, 0, 100, 90, 0.9]], [[0, 0, 100, 90, 0.9], [90, 10, 150, 40, 0.6]]),  # beside it
        ([], [[0, 0, 100, 90, 0.9]], [[0, 0, 100, 90, 0.9]]),
        ([[10, 10, 50, 40, 0.6]], [], [[10, 10, 50, 40, 0.6]]),
    ],
)
def test_both_looks_become_one_list(first, second, kept):
    rows, seen = (np.array(x, float).reshape(-1, 5) for x in (first, second))
    assert near.join(rows, seen).tolist() == kept


def traced(*rows):
    return near.SecondLook(video=False).due(np.array(rows, float).reshape(-1, 5), 100)


def test_a_trace_is_a_high_box_of_any_score_that_is_more_than_none():
    assert traced([0, 0, 50, 70, 0.01])
    assert not traced([0, 0, 50, 60, 0.9], [0, 0, 50, 70, 0.001])
    assert not traced()


def test_a_background_that_leaves_a_trace_for_ever_is_looked_at_less_often_until_somebody_is_near():
    second, trace, nobody = near.SecondLook(video=True), np.array([[0, 0, 50, 70, 0.01]]), np.zeros((0, 5))
    looks = []
    for _ in range(30):
        looks.append(second.due(trace, 100))
        if looks[-1]:
            second.found(nobody)
    assert looks[:5] == [True] * 5
    assert sum(looks[5:]) == 5
    second.found(np.array([[0, 0, 50, 90, 0.9]]))
    assert [second.due(trace, 100) for _ in range(3)] == [True] * 3
