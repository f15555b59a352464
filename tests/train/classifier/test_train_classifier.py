import json
import os
import zipfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the extra 'train'")
pytest.importorskip("tensorflow", reason="needs the extra 'train'")

import cv2
import keras

from edge.core.errors import ConfigError, DataError
from train.classifier import network, training
from train.config import ClassifierConfig, Phase
from train.fitting import loop
from train.networks import backbones

# TensorFlow 2.21 under NumPy 2: nothing that this project could mend.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

SETTINGS = """
size = 32
weights = "none"
batch = 16
per_epoch = 320
distance = 2
validation = 0.25
splits = ["cluster", "random"]
unfreeze_after = "low_relu"
dropout = 0.0
[head]
epochs = 3
learning_rate = 2e-2
[tune]
epochs = 1
learning_rate = 1e-4
weight_decay = 1e-3
ema = 0.5
[augmentation]
far = 0.0
drawn = 0.0
covered = 0.0
photometric = 0.0
"""


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """An easy set: masked pictures are blue with blobs, bare ones red, 40 of each, and one damaged file."""
    root, rng = tmp_path_factory.mktemp("faces"), np.random.default_rng(0)
    for label, colour in (("with_mask", (30, 60, 220)), ("without_mask", (220, 60, 30))):
        (root / label).mkdir()
        for i in range(40):
            coarse = rng.uniform(0.3, 1, (4, 4, 1)).astype(np.float32)
            image = cv2.resize(coarse, (48, 48), interpolation=cv2.INTER_CUBIC)[..., None] * colour
            cv2.imwrite(str(root / label / f"{i}.png"), np.clip(image, 0, 255).astype(np.uint8)[..., ::-1])
    (root / "with_mask" / "damaged.jpg").write_bytes(b"\xff\xd8\xff")
    return root


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "c.toml"
    path.write_text(SETTINGS)
    return path


def small_backbone(name, width, height, alpha, weights):
    """Two convolutions in place of MobileNetV2's 52, which take a minute to compile."""
    inputs = keras.Input((height, width, 3))
    x = keras.layers.Conv2D(8, 3, 2, name="low")(inputs)
    x = keras.layers.ReLU(6.0, name="low_relu")(keras.layers.BatchNormalization(name="low_BN")(x))
    x = keras.layers.ReLU(6.0)(keras.layers.Conv2D(8, 3, 2, name="high")(x))
    return keras.Model(inputs, x)


@pytest.fixture(scope="module", autouse=True)
def _quick():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "backbone", small_backbone)
        yield


@pytest.fixture(scope="module")
def trained(faces, settings, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("work")
    return workdir, training.run(settings, [faces], workdir, also=[faces])


def config(**changes):
    phase = Phase(epochs=1, learning_rate=1e-3)
    values = {"size": 32, "weights": "none", "head": phase, "tune": phase} | changes
    return ClassifierConfig(**values)


def test_training_writes_everything_it_promises(trained):
    workdir, _ = trained
    names = ["classifier.keras", "history.png", "confusion.png", "reliability.png", "report.txt", "report.json"]
    assert [n for n in [*names, "card.md"] if not (workdir / n).stat().st_size] == []
    assert (workdir / "split-random" / "classifier.keras").exists()


def test_an_easy_set_is_learnt(trained):
    _, result = trained
    assert result["val"]["accuracy"] > 0.8
    assert result["val"]["faces"] == 20


def test_the_report_says_what_was_done(trained):
    workdir, result = trained
    stored = json.loads((workdir / "report.json").read_text())
    assert stored == json.loads(json.dumps(result))
    assert stored["config"]["size"] == 32
    assert [p.endswith("damaged.jpg") for p in stored["skipped"]] == [True]
    assert [h["epoch"] for h in stored["history"]] == [0, 1, 2, 3]
    assert stored["leaked"] == 0
    assert stored["compared"][0]["split"] == "random"
    (also,) = stored["also"].values()
    assert also["faces"] == 80
    assert also["near_training"] >= 60
    text = (workdir / "report.txt").read_text()
    assert "f1-score" in text
    assert "a random split would leak" in text
    assert "## Limits" in (workdir / "card.md").read_text()


def test_the_stored_model_answers_as_reported(trained, faces):
    workdir, result = trained
    model = keras.models.load_model(workdir / "classifier.keras")
    assert model.input_shape == (None, 32, 32, 3)
    pictures = [cv2.imread(str(faces / label / "0.png"))[8:40, 8:40, ::-1] for label in result["labels"]]
    said = model.predict(np.stack(pictures).astype(np.float32) / 127.5 - 1, verbose=0)
    assert said.sum(1) == pytest.approx([1, 1], abs=1e-5)
    assert result["labels"][said[0].argmax()] == "with_mask"
    assert result["labels"][said[1].argmax()] == "without_mask"


def test_a_finished_training_is_not_repeated(trained, faces, settings, capsys):
    workdir, before = trained
    again = training.run(settings, [faces], workdir, also=[faces])
    assert again["history"] == before["history"]
    assert again["val"]["accuracy"] == before["val"]["accuracy"]
    assert again["temperature"] == pytest.approx(before["temperature"], rel=0.02)


class KilledError(Exception):
    pass


def test_a_killed_training_goes_on_in_the_phase_and_epoch_where_it_stood(faces, settings, tmp_path, monkeypatch):
    phases, plain = [], loop.fit
    settings = settings.with_name("one.toml")
    settings.write_text(SETTINGS.replace(', "random"]', "]").replace("per_epoch = 320", "per_epoch = 32"))

    def dies_in_tune(model, batches, workdir, epochs, *rest, **more):
        phases.append(workdir.name)
        if workdir.name == "tune":
            raise KilledError
        return plain(model, batches, workdir, epochs, *rest, **more)

    monkeypatch.setattr(loop, "fit", dies_in_tune)
    with pytest.raises(KilledError):
        training.run(settings, [faces], tmp_path)
    assert phases == ["head", "tune"]
    assert not (tmp_path / "classifier.keras").exists()
    head = (tmp_path / "head" / "history.csv").read_text()
    monkeypatch.setattr(loop, "fit", plain)
    result = training.run(settings, [faces], tmp_path)
    assert (tmp_path / "head" / "history.csv").read_text() == head
    assert len(result["history"]) == 4


def test_a_workdir_of_other_settings_is_refused(trained, faces, tmp_path):
    workdir, _ = trained
    other = tmp_path / "c.toml"
    other.write_text(SETTINGS.replace("batch = 16", "batch = 8"))
    with pytest.raises(ConfigError, match="other settings"):
        training.run(other, [faces], workdir)


def test_one_class_is_refused_before_anything_is_written(faces, settings, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "with_mask").symlink_to(faces / "with_mask")
    with pytest.raises(DataError, match="0 without_mask"):
        training.run(settings, [tmp_path / "set"], tmp_path / "work")
    assert not (tmp_path / "work").exists()


@pytest.fixture
def real_backbone(monkeypatch):
    monkeypatch.setattr(network, "backbone", backbones.backbone)


def test_the_first_phase_trains_the_head_and_the_second_the_upper_blocks_without_batchnorm(real_backbone):
    c = config(hidden=8, unfreeze_after="block_15_add")
    model = network.build(c)
    network.unfreeze(model, c, upper_blocks=False)
    assert {v.path.split("/")[0] for v in model.trainable_variables} == {"hidden", "labels"}
    network.unfreeze(model, c, upper_blocks=True)
    names = {v.path.split("/")[0] for v in model.trainable_variables}
    assert {"block_16_expand", "Conv_1", "labels"} <= names
    assert not any(n.endswith("BN") or n.startswith("block_15") for n in names)


def test_an_unknown_layer_is_named(real_backbone):
    c = config(unfreeze_after="block_99")
    with pytest.raises(ConfigError, match=r"block_99.*block_15_add"):
        network.unfreeze(network.build(c), c, upper_blocks=True)


def test_missing_weights_are_named(real_backbone, tmp_path):
    with pytest.raises(DataError, match="none here"):
        network.build(config(weights=str(tmp_path / "none here")))


def test_vgg16_gets_the_colours_its_weights_expect(real_backbone):
    c = config(backbone="vgg16", unfreeze_after="block4_pool")
    model = network.build(c)
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype(np.float32)
    ours = np.asarray(model.get_layer("to_caffe_colours")(image / 127.5 - 1))
    assert ours == pytest.approx(keras.applications.vgg16.preprocess_input(image.copy()), abs=1e-3)
    network.unfreeze(model, c, upper_blocks=True)
    names = {v.path.split("/")[-2] for v in model.trainable_variables}
    assert names == {"block5_conv1", "block5_conv2", "block5_conv3", "labels"}


def test_the_temperature_of_four_labels_is_found_too():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (6000, 4))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (p.cumsum(1) > rng.random((6000, 1))).argmax(1)
    too_sure = np.exp(2 * logits) / np.exp(2 * logits).sum(1, keepdims=True)
    assert network.best_temperature(too_sure, labels) == pytest.approx(2, rel=0.1)


def test_a_label_that_was_shown_too_often_is_said_less():
    model = network.build(config(balance=[0.25] * 4))
    images = np.random.default_rng(0).uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32)
    before = model.predict(images, verbose=0)
    network.apply_offsets(model, np.array([0, 0, -0.5, 0]))
    after = model.predict(images, verbose=0)
    assert np.log(after[:, 2] / after[:, 0]) == pytest.approx(np.log(before[:, 2] / before[:, 0]) - 0.5, abs=1e-3)
    assert after[:, 1] / after[:, 0] == pytest.approx(before[:, 1] / before[:, 0], rel=1e-3)


def test_a_trained_classifier_is_calibrated_and_measured_without_an_epoch(trained, faces, tmp_path):
    path, work = tmp_path / "c.toml", tmp_path / "work"
    text = SETTINGS.replace(', "random"]', "]").replace("epochs = 3\nlearning_rate = 2e-2", "epochs = 0")
    path.write_text(text.replace("epochs = 1\n", "epochs = 0\n") + "[logit_offsets]\nwith_mask = -500\n")
    result = training.run(path, [faces], work, start=trained[0] / "classifier.keras")
    assert result["history"] == []
    assert result["val"]["labels"]["with_mask"]["recall"] < 0.5 < result["val"]["labels"]["without_mask"]["recall"]
    assert (work / "classifier.keras").exists()


def test_a_detectors_boxes_go_on_from_a_trained_classifier_and_part_of_it_stays(faces, tmp_path, capsys):
    """As configs/train/classifier-boxes.toml does: a table with scores, and the mean of the weights at the end."""
    rows = [f"{faces / 'with_mask' / f'{i}.png'},not_a_face,4,4,44,44,0.{i + 10}" for i in range(20)]
    (tmp_path / "crops.csv").write_text("\n".join(["file,label,x0,y0,x1,y1,score", *rows]))
    text = SETTINGS.replace(', "random"]', "]").replace(
        "per_epoch = 320", "balance = [0.4, 0.4, 0, 0.2]\nper_epoch = 32"
    )
    first = tmp_path / "first.toml"
    first.write_text(text)
    training.run(first, [faces], tmp_path / "first")
    start, folder = tmp_path / "first" / "classifier.keras", tmp_path / "boxes"
    boxes = tmp_path / "boxes.toml"
    boxes.write_text("averaged = 0.75\ncalibrate = false\n" + text.replace("epochs = 3", "epochs = 0"))
    training.run(boxes, [faces, tmp_path / "crops.csv"], folder, start=start)
    assert "taught what that detector does not know" in capsys.readouterr().out
    before, mean = (keras.models.load_model(path).get_weights() for path in (start, folder / "classifier.keras"))
    with zipfile.ZipFile(folder / "classifier.keras") as file:
        assert b"beside_detector" not in file.read("config.json"), "it opens where maskcam is not installed"
    shapes = {keras.models.load_model(path).input_shape for path in (start, folder / "classifier.keras")}
    assert shapes == {(None, 32, 32, 3)}, "a list of one input could not be converted"
    moved = [b - a for a, b in zip(before, mean, strict=True)]
    assert max(np.abs(change).max() for change in moved) > 0
    boxes.write_text(boxes.read_text().replace("averaged = 0.75", "averaged = 0.0"))
    training.run(boxes, [faces, tmp_path / "crops.csv"], tmp_path / "whole", start=start)
    after = keras.models.load_model(tmp_path / "whole" / "classifier.keras").get_weights()
    for change, a, b in zip(moved, before, after, strict=True):
        np.testing.assert_allclose(change, (b - a) / 4, atol=1e-5)


def test_a_mean_with_nothing_is_one_line(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("averaged = 0.5\n" + SETTINGS)
    with pytest.raises(ConfigError, match=r"averaged = 0.5: .*Give a trained classifier to --start from"):
        training.settings(path, None)


def test_an_offset_of_a_label_that_the_network_does_not_tell_is_one_line(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(SETTINGS.replace("[head]", "[logit_offsets]\nwith_mask = nan\n[head]", 1))
    with pytest.raises(ConfigError, match=r"logit_offsets.with_mask = nan: .*finite"):
        training.settings(path, None)
    path.write_text(SETTINGS.replace("[head]", "[logit_offsets]\nmask_worn_incorrectly = -0.5\n[head]", 1))
    with pytest.raises(ConfigError, match=r"logit_offsets.mask_worn_incorrectly.*expected with_mask, without_mask"):
        training.settings(path, None)


def test_a_network_of_four_labels_is_trained_on_drawn_things_alone(faces, settings, tmp_path):
    path = tmp_path / "four.toml"
    path.write_text(
        SETTINGS.replace(', "random"]', "]").replace("per_epoch = 320", "balance = [0.4, 0.4, 0, 0.2]\nper_epoch = 32")
    )
    result = training.run(path, [faces], tmp_path / "work")
    assert result["labels"] == ["with_mask", "without_mask", "mask_worn_incorrectly", "not_a_face"]
    assert "drawn wheels, lamps, signs, windows" in result["val"]["hard_cases"]
    assert network.build(config(balance=[0.25] * 4)).output_shape == (None, 4)


def test_the_temperature_makes_confidence_honest_and_changes_no_answer():
    rng = np.random.default_rng(0)
    margin = rng.normal(0, 2, 4000)
    labels = (rng.random(4000) < 1 / (1 + np.exp(margin))).astype(int)  # P(label 0) = sigmoid(margin)
    too_sure = 1 / (1 + np.exp(-3 * margin))
    temperature = network.best_temperature(np.c_[too_sure, 1 - too_sure], labels)
    assert temperature == pytest.approx(3, rel=0.1)
    model = network.build(config())
    images = rng.uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32)
    before = model.predict(images, verbose=0)
    network.apply_temperature(model, 3.0)
    after = model.predict(images, verbose=0)
    assert np.log(before[:, 0] / before[:, 1]) == pytest.approx(3 * np.log(after[:, 0] / after[:, 1]), abs=1e-3)


def test_no_network_and_no_weights_is_one_line(real_backbone, monkeypatch):
    def unreachable(*args, **named):
        raise Exception("URL fetch failure on https://storage.example/weights.h5: None -- name not known")

    monkeypatch.setattr("keras.src.applications.mobilenet_v2.file_utils.get_file", unreachable)
    with pytest.raises(DataError, match=r"ImageNet weights of mobilenetv2 could not be downloaded .*--weights FILE"):
        network.build(config(weights="imagenet"))
