"""Going on from what is shipped, with nothing but a folder per class."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the extra 'train'")
pytest.importorskip("tensorflow", reason="needs the extra 'train'")
pytest.importorskip("onnx", reason="needs the extra 'train'")

from edge.core.errors import ConfigError, DataError
from edge.core.geometry import Box
from edge.evaluation import formats
from edge.vision import bundle
from train import cli
from train.classifier import training
from train.config import ClassifierConfig, load
from train.data import manifest
from train.data.dataset import Patch, Sample

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def test_the_shipped_classifier_taken_back_answers_as_the_shipped_one():
    from edge.backends import opencv

    shipped = bundle.shipped()
    config = training.settings(Path("own"), None, shipped)
    said = bundle.load(shipped)
    assert (config.size, config.weights) == (said.classifier.input.width, "none")
    model = training.network.build(config)
    training.begin(model, shipped)
    engine = opencv.open(said, "classifier", 1)
    faces = np.random.default_rng(0).integers(0, 256, (3, config.size, config.size, 3), np.uint8)
    ours = model.predict_on_batch(faces.astype(np.float32) / 127.5 - 1)
    for face, answer in zip(faces, ours, strict=True):
        theirs = engine.infer(face)[0].reshape(-1)[: len(answer)]
        assert answer == pytest.approx(theirs / theirs.sum(), abs=1e-3)


def test_a_bundle_that_names_no_classifier_to_go_on_from_is_refused(tmp_path, write_bundle):
    with pytest.raises(DataError, match="names no MobileNetV2 classifier"):
        training.settings(Path("own"), None, write_bundle(tmp_path / "b"))


def test_recipes_go_by_their_names_and_a_file_goes_first(tmp_path, monkeypatch):
    assert load(Path("own"), ClassifierConfig).head.epochs == 0
    assert load(Path("vgg16"), ClassifierConfig).backbone == "vgg16"
    with pytest.raises(ConfigError, match="nope: no such file; expected a TOML file, or door, own, vgg16"):
        load(Path("nope"), ClassifierConfig)
    with pytest.raises(ConfigError, match="or a trained one to --start from"):
        training.settings(Path("own"), None)


def test_without_a_configuration_the_shipped_classifier_is_where_it_starts(monkeypatch, tmp_path):
    asked = {}
    monkeypatch.setattr(cli, "_import_quietly", lambda: None)
    monkeypatch.setattr(training, "run", lambda *args: asked.update(args=args))
    assert cli.main(["classifier", "--data", str(tmp_path), "--label", "Schal=without_mask"]) == 0
    config, data, workdir, weights, also, start, renamed, _ = asked["args"]
    assert (config, workdir, weights, also) == (Path("own"), Path("runs/classifier"), None, [])
    assert (data, start, renamed) == ([tmp_path], bundle.shipped(), {"Schal": "without_mask"})
    assert cli.main(["classifier", "own", "--data", str(tmp_path)]) == 0
    assert asked["args"][5] == bundle.shipped()
    assert cli.main(["classifier", "c.toml", "--data", str(tmp_path)]) == 0
    assert asked["args"][5] is None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").write_text("")
    assert cli.main(["classifier", "own", "--data", str(tmp_path)]) == 0
    assert asked["args"][5] is None, "a file of that name goes first"


def test_weights_in_the_home_folder(monkeypatch, tmp_path):
    asked = {}
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setattr(cli, "_import_quietly", lambda: None)
    monkeypatch.setattr(training, "run", lambda *args: asked.update(args=args))
    assert cli.main(["classifier", "c.toml", "--data", str(tmp_path), "--weights=~/mobilenet.weights.h5"]) == 0
    assert asked["args"][3] == "/home/ada/mobilenet.weights.h5"
    assert cli.main(["classifier", "--data", "x", "--start", "a", "--weights", "b"]) == 2


def test_the_faces_of_a_training_can_be_read_again_with_their_parts(tmp_path):
    from PIL import Image

    Image.new("RGB", (20, 10)).save(tmp_path / "a.png")
    samples = [
        Sample(tmp_path / "a.png", None, "with_mask", "door", "c1", "val"),
        Sample(tmp_path / "a.png", Box(1, 2, 8, 9), "without_mask", "door", "c2", "train"),
    ]
    manifest.write(tmp_path, [Patch(s, np.zeros((4, 4, 3), np.uint8), Box(0, 0, 4, 4), 4) for s in samples])
    assert training.dataset.read(tmp_path / "faces.csv") == samples
    assert [p.whole for p in formats.read(tmp_path / "faces.csv")] == [True, False]
