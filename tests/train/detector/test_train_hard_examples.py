"""A second training goes on from the first and looks for what that one got wrong."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="training needs the extra 'train'", exc_type=ImportError)
pytestmark = pytest.mark.filterwarnings("default")  # TensorFlow's own deprecations

CONFIG = """
width = 64
height = 64
weights = "none"
epochs = 1
steps_per_epoch = 2
batch = 2
learning_rate = 1e-9
evaluate_pictures = 4
"""


def test_false_alarms_and_missed_faces_of_one_picture():
    from train.detector import hard_examples

    boxes = np.array([[0, 0, 20, 20], [50, 50, 80, 80], [90, 0, 99, 9], [0, 50, 30, 80]], np.float32)
    ignored = np.array([False, False, False, True])
    rows = np.array([[1, 1, 21, 21, 0.9], [60, 60, 90, 90, 0.8], [100, 50, 130, 80, 0.7], [2, 52, 30, 80, 0.9]])
    alarms, missed = hard_examples.of_one(rows, boxes, ignored)
    assert alarms == [(100, 50, 130, 80)], "an ill-placed box is no false alarm, nor is one on an ignored region"
    assert missed == [(50, 50, 80, 80)], "a tiny face or an ignored one is not missed"
    assert hard_examples.of_one(np.zeros((0, 5)), boxes, ignored)[1] == [(0, 0, 20, 20), (50, 50, 80, 80)]
    assert hard_examples.of_one(rows, np.zeros((0, 4), np.float32), np.zeros(0, bool))[0] == [
        tuple(r[:4]) for r in rows
    ]


def test_attributes_stay_with_their_boxes_when_regions_to_ignore_are_added():
    from edge.evaluation.coco import WITHOUT_MASK, Annotated
    from train.detector import hard_examples

    box, number, seen = np.array([[0, 0, 20, 20]], np.float32), np.array([WITHOUT_MASK]), np.array([False])
    scene = Annotated(Path("a.png"), box, number, seen, attributes=(frozenset({"beard"}),))
    more = hard_examples.with_ignored(scene, np.array([[30, 30, 50, 50], [60, 60, 80, 80]], np.float32))
    assert more.attributes == (frozenset({"beard"}), frozenset(), frozenset())


def test_a_head_is_drawn_tight_where_one_face_is_said_inside_it():
    from train.detector import hard_examples

    head, tight, apart = [0, 0, 100, 100], [200, 0, 240, 40], [300, 0, 400, 100]
    boxes, ignored = np.array([head, tight, apart], np.float32), np.zeros(3, bool)
    rows = np.array([[25, 30, 75, 90, 0.9], [201, 1, 241, 41, 0.8], [310, 10, 350, 60, 0.7], [355, 10, 395, 60, 0.7]])
    assert hard_examples.redrawn(rows, boxes, ignored).tolist() == [[25, 30, 75, 90], tight, apart]
    assert (hard_examples.redrawn(rows, boxes, ~ignored) == boxes).all(), "a region to ignore stays what it was"
    assert (hard_examples.redrawn(np.zeros((0, 5)), boxes, ignored) == boxes).all()


def test_a_face_that_only_the_detector_knows_is_ignored(tmp_path):
    from edge.evaluation.coco import Annotated
    from train.detector import hard_examples

    cv2 = pytest.importorskip("cv2")
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((100, 100, 3), np.uint8))
    scene = Annotated(
        tmp_path / "a.png", np.array([[0, 0, 20, 20]], np.float32), np.array([1]), np.array([False]), "", ""
    )
    rows = np.array([[0, 0, 20, 20, 0.95], [50, 50, 70, 70, 0.9], [80, 0, 99, 20, 0.7]])
    for _ in range(2):  # the second time from the file
        alarms, missed, (better,) = hard_examples.find([scene], lambda image: rows, tmp_path / "hard_examples.json")
        assert alarms == [(0, (80, 0, 99, 20))], "not sure of it: a false alarm"
        assert missed == []
        assert better.boxes.tolist() == [[0, 0, 20, 20], [50, 50, 70, 70]]
        assert better.ignored.tolist() == [False, True]
        assert len(better.categories) == 2


def test_every_picture_is_judged_by_the_same_score(tmp_path):
    from edge.evaluation.coco import Annotated
    from train.detector import hard_examples

    cv2 = pytest.importorskip("cv2")
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((100, 100, 3), np.uint8))
    scene = Annotated(
        tmp_path / "a.png", np.array([[0, 0, 20, 20]], np.float32), np.array([1]), np.array([False]), "", ""
    )
    rows = np.array([[0, 0, 20, 20, 0.95], [50, 50, 70, 70, 0.9], [80, 0, 99, 20, 0.7]])
    alarms, _, better = hard_examples.find([scene] * 3, lambda image: rows, tmp_path / "hard_examples.json")
    assert alarms == [(k, (80, 0, 99, 20)) for k in range(3)]
    assert [scene.ignored.tolist() for scene in better] == [[False, True]] * 3


def test_scenes_show_the_hard_examples(tmp_path):
    from edge.evaluation.coco import Annotated
    from train.config import DetectorConfig
    from train.detector.batches import Scenes

    cv2 = pytest.importorskip("cv2")
    grey, red = np.full((300, 300, 3), 90, np.uint8), np.full((300, 300, 3), 90, np.uint8)
    red[200:230, 200:230] = (0, 0, 255)  # BGR
    scenes = []
    for name, picture in (("grey.png", grey), ("red.png", red)):
        cv2.imwrite(str(tmp_path / name), picture)
        nothing = np.zeros((0, 4), np.float32)
        scenes.append(Annotated(tmp_path / name, nothing, np.zeros(0, int), np.zeros(0, bool), "", ""))
    config = DetectorConfig(width=64, height=64, batch=16, mosaic=0, smallest_face=30, largest_face=40)

    def share(hard_examples, wanted):
        batches = Scenes(scenes, config.model_copy(update={"hard_examples": wanted}), hard_examples=hard_examples)
        pictures = (batches[0][0] + 1) * 127.5
        colourful = (pictures.max(-1) - pictures.min(-1) > 100).sum((1, 2))
        return np.mean(colourful > 300)  # a third of a square of 30 pixels

    wrong = [[(1, (200, 200, 230, 230))], []]
    assert share(wrong, 0.0) < 0.2
    assert share(wrong, 1.0) > 0.4, "grey tones take the colour from a third of the pictures"


@pytest.fixture
def data(tmp_path):
    """Four grey pictures with a white square each, one of them called a face."""
    cv2 = pytest.importorskip("cv2")
    (tmp_path / "images").mkdir()
    coco = {"images": [], "annotations": [], "categories": [{"id": 4, "name": "face"}]}
    for n in range(4):
        picture = np.full((80, 80, 3), 60, np.uint8)
        picture[20:50, 20:50] = 250
        cv2.imwrite(str(tmp_path / "images" / f"{n}.png"), picture)
        coco["images"].append({"id": n, "file_name": f"{n}.png", "width": 80, "height": 80})
        if n == 0:
            box = {"bbox": [20, 20, 30, 30], "category_id": 4, "iscrowd": 0, "area": 900}
            coco["annotations"].append({"id": 1, "image_id": n, **box})
    (tmp_path / "coco.json").write_text(json.dumps(coco))
    (tmp_path / "c.toml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def small_network(monkeypatch):
    from tests.train import small

    small.use(monkeypatch)


def test_a_training_goes_on_from_a_detector(data, small_network):
    import keras

    from train import cli
    from train.detector import network

    keras.utils.set_random_seed(3)
    start = network.build(96, 64)
    start.save(data / "start.keras")
    args = ["--data", str(data / "coco.json"), "--val", str(data / "coco.json"), "--start", str(data / "start.keras")]
    assert cli.main(["detector", str(data / "c.toml"), *args, "--workdir", str(data / "run")]) == 0
    kept = keras.saving.load_model(data / "run" / "detector.keras", compile=False)
    kernels = zip(start.trainable_weights, kept.trainable_weights, strict=True)
    assert all(np.allclose(a, b, atol=1e-5) for a, b in kernels), "at a rate of 1e-9 nothing moves"
    alarms, missed, heads, forgotten = json.loads((data / "run" / "hard_examples.json").read_text())
    assert heads == forgotten == {}
    assert alarms == []
    assert missed == [[0, [20.0, 20.0, 50.0, 50.0]]], "an untrained detector finds nothing"
    assert len(json.loads((data / "run" / "report.json").read_text())["start"]) == 64


def test_a_start_that_does_not_fit_is_one_line(data, small_network, capsys):
    from tests.train import small
    from train import cli

    small.build(64, 64, channels=16).save(data / "wide.keras")
    (data / "text.keras").write_text("no model")
    for name, words in (("wide", "does not fit"), ("text", "does not fit"), ("gone", "no such file")):
        args = ["--data", str(data / "coco.json"), "--val", str(data / "coco.json"), "--workdir", str(data / name)]
        assert cli.main(["detector", str(data / "c.toml"), *args, "--start", str(data / f"{name}.keras")]) == 2
        said = capsys.readouterr().err.strip().splitlines()[-1]
        assert f"{name}.keras" in said
        assert words in said


def test_a_bundle_is_a_start(tmp_path):
    """Its ONNX file gives back the network, whatever the size of its input."""
    pytest.importorskip("tf2onnx", reason="needs the extra 'convert'", exc_type=ImportError)
    from types import SimpleNamespace

    from convert.export.onnx import to_onnx
    from convert.networks import box_margin, output_range, score_calibration
    from convert.networks.keras_models import fixed
    from edge.core.errors import DataError
    from tests.train import small
    from train.detector import network
    from train.networks import from_bundle

    rng = np.random.default_rng(0)
    trained, other = network.build(64, 64), network.build(64, 64)
    # the blocks add nothing and no bias moves anything before they are trained: what is lost would not be seen
    trained.set_weights([w + rng.normal(0, 0.05, w.shape) for w in trained.get_weights()])
    shipped, margin = fixed(trained, 96, 64), (0.05, 0.15, 0.1, 0.0)
    box_margin.fold(shipped, margin)
    score_calibration.fold(shipped, 2.0, -0.5)
    to_onnx(output_range.bound(shipped), tmp_path / "detector.onnx")
    folded = {"score_calibration": {"factor": 2.0, "offset": -0.5}, "lowest_logit": output_range.LOWEST}
    training = {"boxes": {"matrix": box_margin.matrix(margin).tolist(), **folded}}

    def bundle(name):
        return SimpleNamespace(path=lambda network, form: tmp_path / f"{name}.{form}", training=training)

    pictures = rng.uniform(-1, 1, (4, 64, 64, 3)).astype("f4")
    from_bundle.restore(other, bundle("detector"))
    for found, wanted in zip(other.predict_on_batch(pictures), trained.predict_on_batch(pictures), strict=True):
        assert wanted.std() > 0.02, "pictures make a difference"
        np.testing.assert_allclose(found, wanted, atol=1e-3)
    with pytest.raises(DataError, match="does not fit this detector"):
        from_bundle.restore(small.build(64, 64), bundle("detector"))
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(DataError, match="not an ONNX file"):
        from_bundle.restore(other, bundle("text"))


def test_narrow_faces_are_turned_aside():
    from edge.evaluation.coco import Annotated
    from train.detector import hard_examples

    corners = [[10, 10, 30, 50], [50, 10, 80, 50], [10, 60, 20, 80], [0, 10, 20, 50], [40, 50, 60, 90]]
    boxes = np.array(corners, np.float32)
    ignored = np.array([False, False, False, False, True])
    scene = Annotated(Path("a.png"), boxes, np.full(5, 2), ignored, "test")
    assert hard_examples.turned([scene, scene]) == [(0, (10, 10, 30, 50)), (1, (10, 10, 30, 50))]
