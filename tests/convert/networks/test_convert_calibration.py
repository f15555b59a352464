"""What is folded into the detector's last layers: probabilities for scores, larger boxes, and nothing else."""

import cv2
import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="converting needs the extra 'convert'", exc_type=ImportError)
pytestmark = pytest.mark.filterwarnings("default")  # TensorFlow's own deprecations


@pytest.fixture
def scenes(tmp_path):
    """A hundred empty pictures, each with one face at the same place."""
    from edge.evaluation.coco import Annotated

    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((64, 64, 3), np.uint8))
    box, category, seen = np.array([[0, 0, 20, 20]], np.float32), np.array([4]), np.array([False])
    return [Annotated(tmp_path / "a.png", box, category, seen, "", "") for _ in range(100)]


def said(scores, right):
    """A detector that says one box per picture, on the face or beside it."""
    boxes = iter([[0, 0, 20, 20, s] if r else [30, 30, 50, 50, s] for s, r in zip(scores, right, strict=True)])
    return lambda image: np.array([next(boxes)], float)


def test_boxes_that_are_surer_than_right_are_brought_down(scenes):
    from convert.networks.score_calibration import fit

    scores, right = [0.9] * 50 + [0.6] * 50, [True] * 35 + [False] * 15 + [True] * 15 + [False] * 35
    factor, offset = fit(said(scores, right), scenes)

    def after(score):
        return 1 / (1 + np.exp(-(factor * np.log(score / (1 - score)) + offset)))

    assert after(0.9) == pytest.approx(0.7, abs=0.01)
    assert after(0.6) == pytest.approx(0.3, abs=0.01)


def test_too_few_mistakes_leave_the_scores_alone(scenes):
    from convert.networks.score_calibration import fit

    assert fit(said([0.7] * 100, [True] * 95 + [False] * 5), scenes) == (1.0, 0.0)


def test_the_factor_and_offset_go_into_the_last_layers():
    from convert.networks.score_calibration import fold
    from train.detector import network

    model = network.build(64, 64)
    image = np.random.default_rng(0).uniform(-1, 1, (1, 64, 64, 3)).astype("f4")
    scores, distances = (np.asarray(o) for o in model.predict_on_batch(image))
    fold(model, 2.0, -0.5)
    after = [np.asarray(o) for o in model.predict_on_batch(image)]
    np.testing.assert_allclose(after[0], 2 * scores - 0.5, atol=1e-4)
    np.testing.assert_array_equal(after[1], distances)


def test_the_margin_of_the_boxes_goes_into_the_last_layers():
    from convert.networks.box_margin import fold
    from train.detector import network

    model = network.build(64, 64)
    image = np.random.default_rng(0).uniform(-1, 1, (1, 64, 64, 3)).astype("f4")
    scores, distances = (np.asarray(o) for o in model.predict_on_batch(image))
    fold(model, (0.05, 0.15, 0.1, 0.0))
    after = [np.asarray(o) for o in model.predict_on_batch(image)]
    left, top, right, bottom = np.moveaxis(distances, -1, 0)
    grown = [left + 0.05 * (left + right), top + 0.15 * (top + bottom), right + 0.1 * (left + right), bottom]
    np.testing.assert_array_equal(after[0], scores)
    np.testing.assert_allclose(after[1], np.stack(grown, -1), atol=1e-4)


def test_outputs_that_the_decoding_does_not_read_are_cut_off():
    from convert.networks.keras_models import heads
    from convert.networks.output_range import LOWEST, bound
    from train.detector import network

    model = network.build(64, 64)
    biases = {1: iter([[-9.0], [-4.0], [2.0]]), 4: iter([[-1.0, 3.0, 8.0, 0.5]] * 3)}
    for layer in heads(model, 1) + heads(model, 4):
        layer.set_weights([layer.get_weights()[0], np.array(next(biases[layer.filters]), "f4")])
    image = np.random.default_rng(0).uniform(-1, 1, (1, 64, 64, 3)).astype("f4")
    scores, distances = (np.asarray(o) for o in model.predict_on_batch(image))
    after = [np.asarray(o) for o in bound(model).predict_on_batch(image)]
    np.testing.assert_allclose(after[0], scores.clip(LOWEST), atol=1e-4)
    np.testing.assert_allclose(after[1], distances.clip(0, 6), atol=1e-4)
