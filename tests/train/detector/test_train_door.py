"""The detector of one door: tuned from scenes enough, compared with what it was, kept only where it is not worse."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="training needs the extra 'train'", exc_type=ImportError)

from edge.core.errors import ConfigError
from edge.evaluation import formats
from edge.evaluation.annotated import FACE, NAMES, WITH_MASK, Annotated
from edge.evaluation.outcomes import Interval
from edge.vision import bundle
from train.augmentation import drawn_scenes
from train.config import DetectorConfig
from train.detector import door, network

pytestmark = pytest.mark.filterwarnings("default")  # TensorFlow's own deprecations


def scene(*boxes, size=(100, 80), path="a.jpg", kind=WITH_MASK, **more):
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    kinds, ignored = np.full(len(boxes), kind), np.zeros(len(boxes), bool)
    return Annotated(Path(path), corners, kinds, ignored, size=size, **more)


@pytest.mark.parametrize(
    ("truth", "shows_one"),
    [
        (scene((10, 10, 30, 35)), True),
        (scene((10, 10, 60, 70)), False),
        (scene((10, 10, 60, 70), (70, 10, 80, 20)), True),
        (scene((10, 10, 30, 35), whole=True), False),
        (scene((10, 10, 30, 35), lone=True), False),
        (scene((10, 10, 30, 35), size=None, path="not there.jpg"), False),
        (scene((10, 10, 30, 35), kind=FACE), False),
        (scene(), False),
    ],
)
def test_a_picture_that_one_face_fills_or_nobody_labelled_is_no_scene(truth, shows_one):
    assert door.is_scene(truth) is shows_one


def table(path, rows):
    path.write_text("file,label,x0,y0,x1,y1,split\n" + "".join(f"{f},with_mask,1,1,9,9,{split}\n" for f, split in rows))
    return path


def test_scenes_whose_faces_the_classifier_held_back_are_held_back(tmp_path):
    paths = [tmp_path / f"{name}.jpg" for name in "abcd"]
    for path in paths:
        cv2.imwrite(str(path), np.zeros((20, 20, 3), np.uint8))
    a, b, c, d = (scene((1, 1, 9, 9), path=p) for p in paths)
    known = table(tmp_path / "faces.csv", [(a.path, "train"), (b.path, "val"), (c.path, "val"), (c.path, "train")])
    fit, held_out = door.divided([a, b, c, d], known)
    assert (fit, held_out) == ([a, c, d], [b]), "c shows a face that was trained on, d none that the classifier knows"


def test_the_parts_are_written_as_they_were_read(tmp_path):
    folder = tmp_path / "a door"
    folder.mkdir()
    path = folder / "50%25.png"
    cv2.imwrite(str(path), np.zeros((80, 100, 3), np.uint8))
    said = scene((10, 10, 30, 35), (50, 10, 60, 20), path=path, source="door", cluster="v-1")
    said.ignored[1], said.categories[1] = True, FACE
    said = Annotated(**{**vars(said), "attributes": (frozenset({"nose_left"}), frozenset())})
    (tmp_path / "train.json").write_text(json.dumps(door.as_coco([said])))
    (read,) = formats.read(tmp_path / "train.json")
    assert read.path == path
    assert (read.size, read.source, read.cluster, read.split) == ((100, 80), "door", "v-1", "train")
    assert read.boxes.tolist() == said.boxes.tolist()
    assert (read.categories.tolist(), read.ignored.tolist()) == ([WITH_MASK, FACE], [False, True])
    assert read.attributes == said.attributes


@pytest.mark.parametrize(
    ("bounds", "verdict"), [((-0.1, -0.01), True), ((-0.1, 0.01), False), ((-0.004, -0.001), False)]
)
def test_only_what_is_surely_lost_and_more_than_half_a_point_counts_as_worse(bounds, verdict):
    assert door.worse(Interval("face_ap", 0.9 + sum(bounds) / 2, 0.9, *bounds)) is verdict


def test_a_detector_that_is_worse_anywhere_is_taken_away(tmp_path, capsys):
    for worse in (False, True):
        (tmp_path / "detector.keras").write_text("a network")
        (tmp_path / "report.json").write_text('{"start": "x"}')
        rows = {"door": {"surely_worse": False}, "drawn scenes": {"surely_worse": worse}}
        assert door.kept(tmp_path, rows) == (None if worse else tmp_path)
        assert (tmp_path / "detector.keras").exists() is not worse
        assert json.loads((tmp_path / "report.json").read_text()) == {"start": "x", "compared_with_start": rows}
    assert "the detector stays as it is: tuned, it is surely worse on drawn scenes" in capsys.readouterr().out


def test_near_duplicates_of_the_door_are_no_general_check(tmp_path):
    rng, pictures = np.random.default_rng(0), []
    for k in range(2):
        image = cv2.resize(rng.integers(0, 255, (6, 8, 3)).astype(np.uint8), (100, 80))
        pictures.append(image)
        cv2.imwrite(str(tmp_path / f"{k}.png"), image)
    cv2.imwrite(str(tmp_path / "again.png"), np.clip(pictures[0].astype(int) + 3, 0, 255).astype(np.uint8))
    first, second, again = (scene((10, 10, 30, 35), path=tmp_path / f"{n}.png") for n in ("0", "1", "again"))
    assert door.without_copies([again, second], [first]) == [second]
    assert door.without_copies([], [first]) == []


def test_drawn_scenes_are_always_the_same_and_their_faces_lie_in_them():
    (one, image), (other, _) = door.drawn(2, 3)
    assert np.array_equal(image, drawn_scenes.draw(np.random.default_rng([3, 0]))[1])
    assert (one.cluster, other.cluster) == ("0", "1")
    for truth, _ in door.drawn(6, 3):
        assert len(truth.boxes)
        assert (truth.boxes[:, :2] >= 0).all()
        assert (truth.boxes[:, 2:] <= (drawn_scenes.WIDTH, drawn_scenes.HEIGHT)).all()


def test_the_recipe_takes_the_size_of_the_bundles_detector_and_freezes_a_layer_that_is_there():
    shipped = bundle.load(bundle.shipped())
    config, size = door.settings(shipped.folder), shipped.detector.input
    assert (config.width, config.height) == (size.width, size.height)
    model = network.build(64, 64, config.frozen_until)
    frozen = [layer.name for layer in model.layers if layer.weights and not layer.trainable]
    assert (frozen[0], frozen[-1]) == ("stem", "unit_4d_look")
    with pytest.raises(ConfigError, match="frozen_until = 'block_12_add': no such layer; try 'unit_4d_relu'"):
        network.build(64, 64, "block_12_add")


@pytest.fixture
def a_door(tmp_path, monkeypatch):
    """Six scenes of a door, of which the classifier held back two, and a small detector to go on from."""
    from tests.train import small

    small.use(monkeypatch)
    config = DetectorConfig(
        width=64, height=64, epochs=1, steps_per_epoch=1, batch=2, averaged=0.5,
        hard_examples=0.0, smallest_face=12, largest_face=40, evaluate_pictures=2,
    )  # fmt: skip
    monkeypatch.setattr(door, "settings", lambda start: config)
    monkeypatch.setattr(door, "CHECKED", 2)
    start = tmp_path / "first.keras"
    network.build(64, 64).save(start)
    data, work = tmp_path / "door", tmp_path / "runs"
    data.mkdir()
    work.mkdir()
    images, annotations = [], []
    for k in range(6):
        cv2.imwrite(str(data / f"{k}.png"), np.full((80, 100, 3), 30 * k, np.uint8))
        images.append({"id": k, "file_name": f"{k}.png", "width": 100, "height": 80})
        annotations.append({"id": k, "image_id": k, "category_id": 1, "bbox": [30, 20, 20, 25]})
    names = [{"id": number, "name": name} for name, number in NAMES.items()]
    (data / "coco.json").write_text(json.dumps({"images": images, "annotations": annotations, "categories": names}))
    table(work / "faces.csv", [(data / f"{k}.png", "val" if k > 3 else "train") for k in range(6)])
    return data, start, work


def test_too_few_scenes_leave_the_detector_as_it_is(a_door, capsys):
    data, start, work = a_door
    assert door.run([data], start, work) is None
    assert capsys.readouterr().out == (
        "the detector stays as it is: 6 scenes with labelled faces, 2 of them held back; expected 500 and 50\n"
    )
    assert not (work / "detector").exists()


def test_scenes_enough_tune_it_and_both_parts_are_there_for_the_conversion(a_door, capsys, monkeypatch):
    data, start, work = a_door
    monkeypatch.setattr(door, "FEWEST", 6)
    monkeypatch.setattr(door, "FEWEST_HELD_OUT", 2)
    folder = door.run([data], start, work)
    assert folder == work / "detector"
    assert [len(formats.read(folder / name)) for name in (door.TRAIN, door.VAL)] == [4, 2]
    compared = json.loads((folder / "report.json").read_text())["compared_with_start"]
    assert {name: row["scenes"] for name, row in compared.items()} == {"held back at this door": 2, "drawn scenes": 2}
    assert (folder / "detector.keras").exists()
    said = capsys.readouterr().out
    assert "detector: 4 scenes of the door to tune on, 2 held back" in said
    assert "held back at this door, face AP" in said
    assert door.run([data], start, work) == folder, "the same command goes on, here to the comparison"
