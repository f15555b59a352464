"""Every engine gives the same arrays for the same picture: the contract of `edge.ports.Engine`."""

import importlib
import shutil

import numpy as np
import pytest

from edge import bundle
from edge.engines import scripted, tflite
from edge.engines.scripted import ScriptedEngine
from edge.errors import BundleError, EngineError, MissingPackage

ENGINES = ("tflite", "opencv", "scripted")
NETWORKS = ("detector", "classifier")


@pytest.fixture(scope="module")
def shipped():
    return bundle.load()


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", ENGINES)
def test_known_answer(shipped, name, network):
    """int8 files agree to a few quantisation steps on any processor; the float file may differ by what int8 costs."""
    module = importlib.import_module(f"edge.engines.{name}")
    spec = getattr(shipped, network)
    engine = module.open(shipped, network, 1)
    with np.load(shipped.known_answer(network)) as known:
        answer = engine.infer(known["input"])
        assert len(answer) == len(spec.outputs)
        for (output, shape), values in zip(spec.outputs.items(), answer, strict=True):
            assert list(values.shape) == shape
            assert values.dtype == np.float32
            step = spec.quantisation[output].scale
            steps = {"tflite": 10, "opencv": 40, "scripted": 0}[name]
            assert np.abs(values - known[output]).mean() <= steps * step
    engine.close()


@pytest.mark.parametrize("name", ["tflite", "opencv"])
def test_a_picture_of_another_size_is_refused(shipped, name):
    engine = importlib.import_module(f"edge.engines.{name}").open(shipped, "classifier", 1)
    with pytest.raises(EngineError, match="picture of shape"):
        engine.infer(np.zeros((10, 10, 3), np.uint8))


def test_answers_do_not_change_when_the_next_picture_comes(shipped):
    engine = tflite.open(shipped, "classifier", 1)
    height, width = shipped.classifier.input.height, shipped.classifier.input.width
    first = engine.infer(np.zeros((height, width, 3), np.uint8))[0]
    kept = first.copy()
    engine.infer(np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8))
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"garbage", "not a TFLite model"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git-LFS pointer"),
    ],
)
def test_a_bad_model_is_one_line(shipped, tmp_path, data, expected):
    path = tmp_path / "m.tflite"
    path.write_bytes(data)
    with pytest.raises(EngineError, match=expected) as caught:
        tflite.TFLiteEngine(path, shipped.classifier)
    assert "\n" not in str(caught.value)


def test_the_wrong_network_is_refused(shipped):
    with pytest.raises(EngineError, match="the bundle says"):
        tflite.TFLiteEngine(shipped.path("classifier", "tflite"), shipped.detector)


def test_missing_runtime_names_the_extra(monkeypatch):
    monkeypatch.setattr(tflite, "RUNTIMES", ("no_such_runtime.interpreter",))
    with pytest.raises(MissingPackage, match=r"maskcam\[cpu\]"):
        tflite.interpreter_class()


def test_first_installed_runtime_is_taken(monkeypatch):
    monkeypatch.setattr(tflite, "RUNTIMES", ("no_such_runtime.interpreter", *tflite.RUNTIMES))
    assert tflite.interpreter_class()[1] in ("ai_edge_litert", "tflite_runtime", "tensorflow")


def test_scripted_engine_plays_and_remembers():
    engine = ScriptedEngine([[np.ones(1)], EngineError("unplugged")])
    picture = np.zeros((2, 2, 3), np.uint8)
    assert engine.infer(picture)[0] == 1
    with pytest.raises(EngineError, match="unplugged"):
        engine.infer(picture)
    engine.close()
    assert len(engine.seen) == 2
    assert engine.closed


def test_scripted_engine_of_a_bundle_gives_its_known_answer(tmp_path, write_bundle):
    loaded = bundle.load(write_bundle(tmp_path / "b"))
    answer = scripted.open(loaded, "classifier").infer(np.zeros((32, 32, 3), np.uint8))
    assert [a.shape for a in answer] == [(2,)]


def test_bundle_without_onnx_refuses_opencv(shipped, tmp_path):
    from edge.engines import opencv

    folder = shutil.copytree(bundle.shipped(), tmp_path / "b")
    text = (folder / "bundle.json").read_text().replace('"onnx": "classifier.onnx"', '"edgetpu": "classifier.onnx"')
    (folder / "bundle.json").write_text(text)
    with pytest.raises(BundleError, match="no onnx file of the classifier"):
        opencv.open(bundle.load(folder), "classifier")
