"""The detector's scenes, loss and training loop, on pictures made here."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="training needs the extra 'train'", exc_type=ImportError)
pytestmark = pytest.mark.filterwarnings("default")  # TensorFlow's own deprecations

CONFIG = """
width = 64
height = 64
weights = "none"
epochs = {epochs}
steps_per_epoch = 3
batch = 4
learning_rate = 0.002
ema = 0.5
smallest_face = 12
largest_face = 40
evaluate_pictures = 4
"""


def faces(folder, count=8):
    """Pictures of bright discs on dark ground with a COCO file; the fourth picture is truncated."""
    (folder / "images").mkdir(parents=True)
    rng, images, annotations = np.random.default_rng(0), [], []
    for n in range(count):
        picture = rng.integers(0, 60, (96, 96, 3)).astype(np.uint8)
        x, y = (int(v) for v in rng.integers(20, 70, 2))
        cv2.circle(picture, (x, y), 15, (120, 180, 240), -1)
        path = folder / "images" / f"{n}.jpg"
        cv2.imwrite(str(path), picture)
        if n == 3:
            path.write_bytes(path.read_bytes()[:400])
        images.append({"id": n, "file_name": path.name, "width": 96, "height": 96})
        box = {"bbox": [x - 15, y - 15, 30, 30], "category_id": 2, "iscrowd": 0}
        annotations.append({"id": n, "image_id": n, **box})
    (folder / "coco.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    return folder / "coco.json"


@pytest.fixture
def small_network(monkeypatch):
    from tests.train import small

    small.use(monkeypatch)


@pytest.fixture
def setup(tmp_path):
    (tmp_path / "c.toml").write_text(CONFIG.format(epochs=2))
    return tmp_path, faces(tmp_path / "data")


def test_scenes_keep_boxes_on_the_faces(setup):
    from train.config import DetectorConfig, load
    from train.detector.batches import Scenes, read

    folder, data = setup
    scenes = Scenes(read(data), load(folder / "c.toml", DetectorConfig).model_copy(update={"drawn_masks": 0.0}))
    assert [p.name for p in scenes.skipped] == ["3.jpg"]
    inside, outside = [], []
    for step in range(12):
        images, boxes = scenes[step]
        assert -1 <= images.min() <= images.max() <= 1
        for image, rows in zip(images, boxes, strict=True):
            for x0, y0, x1, y1, kind in rows.astype(int):
                if kind == 1:
                    cx, cy = (x0 + x1) // 2, (y0 + y1) // 2
                    inside.append(image[cy, cx].mean())
                    outside.append(image[min(y1 + 2, 63), x0].mean())
    assert len(inside) > 40
    assert np.mean(np.array(inside) > np.array(outside)) > 0.75


def test_faces_may_be_larger_than_a_part_of_a_mosaic(setup):
    from train.config import DetectorConfig, load
    from train.detector.batches import Scenes, read

    folder, data = setup
    sizes = {"mosaic": 1.0, "smallest_face": 60.0, "largest_face": 60.0}
    pictures, boxes = Scenes(read(data), load(folder / "c.toml", DetectorConfig).model_copy(update=sizes))[0]
    assert np.isfinite(pictures).all()
    assert np.isfinite(boxes).all()


def test_scenes_depend_on_seed_epoch_and_number_alone(setup):
    from train.config import DetectorConfig, load
    from train.detector.batches import Scenes, read

    folder, data = setup
    config = load(folder / "c.toml", DetectorConfig)
    one, two = (Scenes(read(data), config) for _ in range(2))
    one[0]
    np.testing.assert_array_equal(one[1][0], two[1][0])
    two.epoch = 1
    assert (one[1][0] != two[1][0]).any()


def test_few_kept_pictures_and_many_threads_give_the_same_batches(setup):
    from concurrent.futures import ThreadPoolExecutor

    from train.config import DetectorConfig, load
    from train.data import kept
    from train.detector.batches import Scenes, read

    folder, data = setup
    config = load(folder / "c.toml", DetectorConfig)
    all_kept = Scenes(read(data), config)
    pictures = all_kept.sampler.pictures
    first = pictures.decoded
    expected = [all_kept[k] for k in range(6)]
    assert pictures.decoded == first, "nothing is read twice while there is room"
    few = Scenes(read(data), config, megabytes=0.06)
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(few.__getitem__, range(6)))
    for (a, b), (c, d) in zip(expected, found, strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)
    assert few.sampler.pictures.decoded > first
    assert sum(image.nbytes for image in few.sampler.pictures._kept.values()) <= 60_000
    assert kept.MEGABYTES == 4000


def test_processes_give_the_same_batches_and_end_with_the_training(setup):
    from train.config import DetectorConfig, load
    from train.detector.batches import Scenes, read

    folder, data = setup
    config = load(folder / "c.toml", DetectorConfig)
    alone, shared = Scenes(read(data), config), Scenes(read(data), config, workers=2)
    for epoch in (0, 1):
        alone.epoch = shared.epoch = epoch
        for k in range(3):
            for mine, theirs in zip(alone[k], shared[k], strict=True):
                np.testing.assert_array_equal(mine, theirs)
    children = list(shared.processes._pool._processes.values())
    assert children
    shared.close()
    assert not any(child.is_alive() for child in children)


def test_a_process_that_dies_ends_the_training_with_a_remedy(setup):
    from edge.core.errors import DataError
    from train.config import DetectorConfig, load
    from train.detector.batches import Scenes, read

    folder, data = setup
    shared = Scenes(read(data), load(folder / "c.toml", DetectorConfig), workers=2)
    shared[0]
    for child in list(shared.processes._pool._processes.values()):
        child.kill()
        child.join(60)
    with closing(shared), pytest.raises(DataError, match="fewer --workers or less --memory"):
        shared[1]


def test_a_picture_that_is_gone_in_the_middle_is_named(setup):
    from edge.core.errors import DataError
    from train.data.kept import KeptPictures
    from train.detector.batches import read

    _, data = setup
    scenes = read(data)
    pictures = KeptPictures(scenes, 0.03)
    gone = pictures.readable[1]
    scenes[gone].path.unlink()
    with pytest.raises(DataError, match="could be read when the training began, and no longer can"):
        pictures[gone]


def test_false_alarms_in_a_table_are_no_faces_to_the_detector(tmp_path):
    from train.detector.batches import read

    cv2.imwrite(str(tmp_path / "a.png"), np.full((60, 80, 3), 90, np.uint8))
    (tmp_path / "crops.csv").write_text(
        "file,label,x0,y0,x1,y1,box,source,cluster,split\n"
        "a.png,with_mask,5,5,30,35,drawn,s,1,train\n"
        "a.png,not_a_face,40,10,60,30,found,s,1,train\n"
    )
    scenes = read(tmp_path / "crops.csv")
    assert [scene.boxes.tolist() for scene in scenes] == [[[5, 5, 30, 35]]]


def loss_of(boxes_said, logits, truth):
    from train.detector.loss import DetectionLoss

    loss = DetectionLoss(64, 64)
    reach = np.c_[loss.centres - boxes_said[:, :2], boxes_said[:, 2:] - loss.centres] / (loss.strides[:, None] * 2)
    said = np.c_[logits, reach].astype("f4")[None]
    table = np.zeros((1, 4, 5), "f4")
    table[0, : len(truth)] = np.reshape(truth, (-1, 5))
    return float(loss(table, said))


def test_loss_is_low_for_the_right_answer_and_high_for_wrong_ones():
    from train.detector.loss import DetectionLoss

    centres = DetectionLoss(64, 64).centres
    face = np.array([16.0, 16, 48, 48])
    boxes = np.tile(face, (len(centres), 1))
    near = (np.abs(centres - 32) < 9).all(1)
    right = loss_of(boxes, np.where(near, 6.0, -6.0), [[*face, 1]])
    missed = loss_of(boxes, np.full(len(centres), -6.0), [[*face, 1]])
    shifted = loss_of(boxes + 12, np.where(near, 6.0, -6.0), [[*face, 1]])
    alarm = loss_of(boxes, np.where(near, 6.0, -6.0), [])
    assert right < 0.5 * min(missed, shifted, alarm)


def test_loss_ignores_what_is_said_in_an_ignored_region():
    from train.detector.loss import DetectionLoss

    centres = DetectionLoss(64, 64).centres
    face = np.array([16.0, 16, 48, 48])
    boxes = np.tile(face, (len(centres), 1))
    near = (np.abs(centres - 32) < 9).all(1)
    said = np.where(near, 6.0, -9.0)
    assert loss_of(boxes, said, [[*face, -1]]) < 0.05 * loss_of(boxes, said, [])


def test_a_face_smaller_than_a_cell_still_has_one():
    from train.detector.loss import DetectionLoss

    loss = DetectionLoss(64, 64)
    boxes = np.tile(np.array([29.0, 29, 34, 34], "f4"), (len(loss.centres), 1))[None]
    truth = np.zeros((1, 2, 5), "f4")
    truth[0, 0] = (29, 29, 34, 34, 1)
    target, chosen, _ = loss.assign(truth, np.zeros((1, len(loss.centres)), "f4"), boxes)
    won = np.flatnonzero(np.asarray(target)[0] > 0)
    assert len(won) >= 1
    assert np.allclose(np.asarray(chosen)[0, won], [29, 29, 34, 34])


KILLED = """
import os, signal, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from pathlib import Path
import keras, pytest
from tests.train import small
from train.detector import training
from train.fitting import loop

small.use(pytest.MonkeyPatch())

class Killed(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == 1 and batch == 1:
            os.kill(os.getpid(), signal.SIGKILL)
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

fit = loop.fit
loop.fit = lambda *a, callbacks=(), **k: fit(*a, callbacks=[*callbacks, Killed()], **k)
folder = Path(sys.argv[1])
training.run(folder / "c.toml", [folder / "data" / "coco.json"], folder / "data" / "coco.json", folder / "run")
"""


def child(script, folder):
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-c", textwrap.dedent(script), str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


def test_a_killed_training_resumes_at_the_epoch_it_had_finished(setup, small_network, monkeypatch):
    import keras

    from train.detector import training
    from train.fitting import loop

    folder, data = setup
    (folder / "c.toml").write_text(CONFIG.format(epochs=3))
    killed = child(KILLED, folder)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    assert not (folder / "run" / "detector.keras").exists()
    begun, fit = [], loop.fit

    def noted(*args, callbacks=(), **more):
        note = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: begun.append(epoch))
        return fit(*args, callbacks=[*callbacks, note], **more)

    monkeypatch.setattr(loop, "fit", noted)
    training.run(folder / "c.toml", [data], data, folder / "run")
    assert begun == [1, 2], "the first one was finished"
    report = json.loads((folder / "run" / "report.json").read_text())
    assert [h["epoch"] for h in report["history"]] == [0, 1, 2]
    assert report["skipped"] == ["3.jpg"]
    assert not (folder / "run" / "hard_examples.json").exists(), "random weights know nothing to look with"
    for name in ("detector.keras", "history.png"):
        assert (folder / "run" / name).stat().st_size > 1000
    training.run(folder / "c.toml", [data], data, folder / "run")
    assert begun == [1, 2], "a finished training does not start again"


DISTRIBUTED = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from pathlib import Path
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from train.fitting import loop

class Line(keras.utils.PyDataset):
    def __len__(self):
        return 20
    def __getitem__(self, index):
        x = np.linspace(-1, 1, 8, dtype="f4")[:, None]
        return x, 3 * x

with loop.strategy_scope("CPU"):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
with loop.strategy_scope("CPU"):  # a second time, as the detector's training does
    model.compile(keras.optimizers.AdamW(0.2, use_ema=True, ema_momentum=0.8), "mse")
print("variable is", type(model.trainable_variables[0].value).__name__)
history = loop.fit(model, Line(), Path(sys.argv[1]) / "run", 3)
print("slope", float(model.get_weights()[0][0, 0]), "epochs", len(history))
"""


def test_several_devices_share_a_training(setup):
    """Two logical CPUs stand for two GPUs: the same MirroredStrategy, the same loop."""
    run = child(DISTRIBUTED, setup[0])
    assert run.returncode == 0, run.stderr[-2000:]
    assert "variable is MirroredVariable" in run.stdout
    words = run.stdout.split("slope")[1].split()
    assert abs(float(words[0]) - 3) < 0.3
    assert words[2] == "3"


def test_a_workdir_of_another_training_is_refused(setup, capsys):
    from train import cli
    from train.fitting import loop

    folder, data = setup
    loop.lock_workdir(folder / "run", {"config": {"epochs": 99}})
    before = (folder / "run" / "settings.json").read_text()
    args = ["--data", str(data), "--val", str(data), "--workdir", str(folder / "run")]
    assert cli.main(["detector", str(folder / "c.toml"), *args]) == 2
    assert "other settings" in capsys.readouterr().err
    assert (folder / "run" / "settings.json").read_text() == before


def test_averaged_weights_are_what_is_kept(setup):
    """With a high EMA momentum the kept weights lie near the start, not near the last step."""
    import keras

    from train.fitting import loop

    kept = {}
    for ema in (False, True):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
        model.compile(keras.optimizers.SGD(0.05, use_ema=ema, ema_momentum=0.95), "mse")
        loop.fit(model, line(), setup[0] / f"run{ema}", 2)
        kept[ema] = float(model.get_weights()[0][0, 0])
    assert 0 < kept[True] < 0.8 * kept[False]


def line():
    """Batches of y = x."""
    import keras

    class Line(keras.utils.PyDataset):
        epoch = 0

        def __len__(self):
            return 10

        def __getitem__(self, index):
            x = np.linspace(-1, 1, 8, dtype="f4")[:, None]
            return x, x

    return Line()


def test_evaluate_measures_bundles_and_keras_files(setup, small_network, capsys):
    from edge.vision import bundle
    from train import cli
    from train.detector import network

    folder, data = setup
    network.build(64, 64).save(folder / "d.keras")
    assert cli.main(["evaluate", "--data", str(data), "--bundle", str(bundle.shipped())]) == 0
    assert "false/pic" in capsys.readouterr().out
    assert cli.main(["evaluate", "--data", str(data), "--detector", str(folder / "d.keras")]) == 0
    assert "AP50" in capsys.readouterr().out
    assert cli.main(["evaluate", "--data", str(data), "--classifier", str(folder / "d.keras")]) == 2
    assert "has 2 outputs, expected 1" in capsys.readouterr().err


def test_boxes_follow_the_turned_and_stretched_picture():
    from train.detector.sampling import carried

    boxes = np.array([[10.0, 20, 30, 60]], np.float32)
    shifted = np.array([[2.0, 0, 5], [0, 2, -10]])
    np.testing.assert_allclose(carried(boxes, shifted), [[25, 30, 65, 110]])
    quarter = np.array([[0.0, -1, 100], [1, 0, 0]])  # x' = 100 - y, y' = x
    np.testing.assert_allclose(carried(boxes, quarter), [[40, 10, 80, 30]])
    half = np.sqrt(0.5)
    eighth = carried(boxes, np.array([[half, -half, 0], [half, half, 0]]))[0]
    radius = np.sqrt(0.5 * 10**2 + 0.5 * 20**2)  # of the ellipse in the box, not of the box
    np.testing.assert_allclose(eighth[2:] - eighth[:2], [2 * radius] * 2)


def test_a_turned_scene_keeps_its_box_on_the_face():
    from train.config import DetectorConfig
    from train.detector.sampling import sample

    config = DetectorConfig(rotated=1.0, stretched=1.0, covered=0.0, drawn_masks=0.0, things=0.0, largest_face=40)
    picture = np.zeros((96, 96, 3), np.uint8)
    cv2.circle(picture, (30, 60), 12, (255, 255, 255), -1)
    rng, hits = np.random.default_rng(0), []
    for _ in range(40):
        image, boxes = sample(picture, np.array([[18, 48, 42, 72, 2]], np.float32), 128, 96, config, rng)
        for x0, y0, x1, y1, kind in boxes:
            if kind == 1:
                inside = image[int(y0) : int(y1) + 1, int(x0) : int(x1) + 1].astype(float)
                hits.append(inside.mean() > image.mean() + 5)  # some scenes are made dark
    assert len(hits) > 20
    assert np.mean(hits) > 0.9


def test_scenes_without_a_face_hold_things_but_no_boxes(setup):
    from train.config import DetectorConfig, load
    from train.detector.batches import Scenes, read

    folder, data = setup
    config = load(folder / "c.toml", DetectorConfig).model_copy(update={"empty": 1.0})
    images, boxes = Scenes(read(data), config)[0]
    assert not boxes.any()
    assert images.std() > 0.05


def test_things_are_never_put_on_a_face():
    from train.augmentation import drawn_objects

    face = np.array([[40, 30, 80, 80, 1]], np.float32)
    image = np.full((96, 128, 3), 90, np.uint8)
    changed = 0
    for seed in range(30):
        result = drawn_objects.put(image, face, np.random.default_rng(seed))
        assert (result[32:78, 42:78] == 90).all() or seed_kind_blurs(result)
        changed += bool((result != image).any())
    assert changed > 10
    assert (image == 90).all()


def seed_kind_blurs(result):
    """A lamp's glow and a ball's light reach a little further than the thing."""
    return np.abs(result[36:74, 46:74].astype(int) - 90).mean() < 12


STAGES = """
width = 64
height = 64
weights = "none"
epochs = 1
steps_per_epoch = 2
batch = 2
hard_examples = 0.0
smallest_face = 12
evaluate_pictures = 2

[[stage]]

[[stage]]
width = 96
epochs = 2
"""


def test_stages_go_on_from_one_another_and_resume_with_the_same_command(setup, small_network):
    from train.config import load_stages
    from train.detector import training

    folder, data = setup
    (folder / "stages.toml").write_text(STAGES)
    first, second = load_stages(folder / "stages.toml")
    assert (first.width, first.epochs, second.width, second.epochs) == (64, 1, 96, 2)
    path = training.run(folder / "stages.toml", [data], data, folder / "run")
    assert path == folder / "run" / "detector.keras"
    report = json.loads((folder / "run" / "report.json").read_text())
    assert report["config"]["width"] == 96
    assert report["start"] is not None, "the second stage starts from the first"
    before = path.read_bytes(), (folder / "run" / "stage-1" / "detector.keras").stat().st_mtime_ns
    training.run(folder / "stages.toml", [data], data, folder / "run")
    assert (path.read_bytes(), (folder / "run" / "stage-1" / "detector.keras").stat().st_mtime_ns) == before


def test_a_mistyped_stage_is_named(tmp_path):
    from edge.core.errors import ConfigError
    from train.config import load_stages

    (tmp_path / "a.toml").write_text("[[stage]]\nwidht = 64\n")
    with pytest.raises(ConfigError, match="widht: no such key"):
        load_stages(tmp_path / "a.toml")
    (tmp_path / "b.toml").write_text("stage = 3\n")
    with pytest.raises(ConfigError, match=r"stage: expected tables, each headed \[\[stage\]\]"):
        load_stages(tmp_path / "b.toml")


def test_settled_false_alarms_are_found_again(setup):
    from train.detector import hard_examples
    from train.detector.batches import read

    _folder, data = setup
    coco = json.loads(data.read_text())
    coco["false_alarms"] = [{"image_id": 2, "bbox": [1, 2, 10, 20], "score": 0.7}]
    data.write_text(json.dumps(coco))
    scenes = read(data)
    ((index, box),) = hard_examples.listed([data], scenes)
    assert scenes[index].path.name == "2.jpg"
    assert box == (1, 2, 11, 22)


def test_a_stage_may_see_the_pictures_of_some_sources_alone():
    from edge.core.errors import DataError
    from edge.evaluation.coco import Annotated
    from train.data.dataset import NOTHING
    from train.detector import training

    scenes = [Annotated(Path(f"{k}.png"), *NOTHING, source="door" if k else "street") for k in range(3)]
    assert training.of_sources(scenes, ["door"]) == scenes[1:]
    assert training.of_sources(scenes, []) == scenes
    with pytest.raises(DataError, match="no picture of 'roof'; expected some of door, street"):
        training.of_sources(scenes, ["door", "roof"])


def test_weights_are_averaged_with_those_of_the_start():
    import keras

    from train.detector import training

    tuned, first = (keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]) for _ in range(2))
    wanted = [0.25 * a + 0.75 * b for a, b in zip(tuned.get_weights(), first.get_weights(), strict=True)]
    training.average(tuned, first, 0.75)
    for weight, mean in zip(tuned.get_weights(), wanted, strict=True):
        np.testing.assert_allclose(weight, mean, rtol=1e-6)


def test_random_weights_are_nothing_to_average_with(setup, small_network):
    from edge.core.errors import DataError
    from train.detector import training

    folder, data = setup
    (folder / "c.toml").write_text(CONFIG.format(epochs=1) + "averaged = 0.75\n")
    with pytest.raises(DataError, match=r"averaged = 0.75: random weights are nothing to keep; give --weights or"):
        training.run(folder / "c.toml", [data], data, folder / "run")
    assert not (folder / "run").exists()


def test_a_training_begins_as_yunet_looks_for_what_that_misses_and_keeps_a_share_of_it(
    setup, small_network, monkeypatch
):
    """Also where processes make the batches."""
    import keras

    from train.detector import training, yunet

    folder, data = setup
    begun, met, average = [], [], training.average

    def begin(model, path):
        begun.append(path)
        rng = np.random.default_rng(5)
        model.set_weights([rng.normal(0, 0.1, w.shape) for w in model.get_weights()])

    def noted(model, other, share):
        met.append((model.get_weights(), other.get_weights(), share))
        average(model, other, share)

    monkeypatch.setattr(yunet, "begin", begin)
    monkeypatch.setattr(training, "average", noted)
    (folder / "c.toml").write_text(CONFIG.format(epochs=1) + "averaged = 0.75\n")
    weights = folder / "yunet.onnx"
    path = training.run(folder / "c.toml", [data], data, folder / "run", weights=str(weights), processes=2)
    assert begun == [weights] * 2, "once to begin with, once to average with"
    ((tuned, first, share),) = met
    assert share == 0.75
    rng = np.random.default_rng(5)
    assert all(np.allclose(w, rng.normal(0, 0.1, w.shape)) for w in first)
    assert any(not np.allclose(a, b, atol=1e-5) for a, b in zip(tuned, first, strict=True))
    kept = keras.saving.load_model(path, compile=False).get_weights()
    for weight, mine, theirs in zip(kept, tuned, first, strict=True):
        np.testing.assert_allclose(weight, 0.25 * mine + 0.75 * theirs, rtol=1e-5, atol=1e-7)
    assert (folder / "run" / "hard_examples.json").exists()
    report = json.loads((folder / "run" / "report.json").read_text())
    assert (report["config"]["weights"], report["start"]) == ("yunet.onnx", None)


def test_a_training_begins_with_one_thing(setup, capsys):
    from train import cli

    folder, data = setup
    both = ["--weights", "yunet.onnx", "--start", str(data)]
    args = ["--data", str(data), "--val", str(data), "--workdir", str(folder / "run")]
    assert cli.main(["detector", str(folder / "c.toml"), *args, *both]) == 2
    assert "--start and --weights: expected one of them" in capsys.readouterr().err
    assert not (folder / "run").exists()


def test_another_file_of_weights_is_another_training(setup, small_network, monkeypatch):
    from edge.core.errors import ConfigError
    from train.detector import training, yunet

    folder, data = setup
    monkeypatch.setattr(yunet, "begin", lambda model, path: None)
    (folder / "c.toml").write_text(CONFIG.format(epochs=1))
    weights = folder / "yunet.onnx"
    weights.write_text("a network")
    training.run(folder / "c.toml", [data], data, folder / "run", weights=str(weights))
    weights.write_text("another of the same name")
    with pytest.raises(ConfigError, match="other settings"):
        training.run(folder / "c.toml", [data], data, folder / "run", weights=str(weights))
