"""Every engine gives the same arrays for the same picture: the contract of `edge.core.ports.Engine`."""

import hashlib
import io
import json
import shutil
import zipfile
from contextlib import ExitStack

import cv2
import numpy as np
import pytest

from edge import assemble
from edge.backends import opencv, self_test, tflite
from edge.backends.registry import FLOAT, INT8, backends
from edge.backends.selection.opener import Opener
from edge.backends.selection.probe import NETWORKS
from edge.backends.self_test import check_known_answer
from edge.config import settings as defaults
from edge.core.errors import BundleError, EngineError, MissingPackage
from edge.testing import engine
from edge.testing.defaults import with_defaults
from edge.testing.engine import ScriptedEngine
from edge.vision import bundle

Opener = with_defaults(Opener, defaults.Backend())


@pytest.fixture(scope="module")
def shipped():
    return bundle.load()


def pictures(spec):
    """Nothing, noise, and a shape on a gradient, in the network's size."""
    height, width = spec.input.height, spec.input.width
    yield np.zeros((height, width, 3), np.uint8)
    yield np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    shape = np.repeat(np.linspace(0, 255, width, dtype=np.uint8)[None, :, None], height, 0).repeat(3, 2)
    yield cv2.circle(shape.copy(), (width // 3, height // 2), height // 4, (200, 160, 140), -1)


@pytest.fixture(params=["tflite", "coral", "opencv", "scripted"])
def engines(request, compiled_bundle):
    """Name of an engine and its two networks, opened as the service opens them; coral in its process, with the stub."""
    if request.param == "coral":
        request.getfixturevalue("edgetpu")
    with ExitStack() as stack:
        loaded = bundle.load(compiled_bundle)
        opener = Opener(backends(), loaded, assemble.resolve, stack, 1, strict=True, patience=15.0)
        opened = {network: opener.open(network, request.param) for network in NETWORKS}
        for engine in opened.values():
            stack.callback(engine.close)
        yield request.param, opened


def test_every_engine_gives_the_same_arrays_for_the_same_pictures(engines, shipped):
    """Same number, order, shape and type; the values within what the known answer is allowed, in shares of a spread.

    The reference is the int8 network on the processor. The float network may differ by what int8 costs, and that is
    more (a mean of 0.55 was measured, and a root of the mean square of 0.82) on drawings like these, whose values the
    calibration never saw, than on the known picture.
    """
    name, opened = engines
    tolerance, mean, root = (FLOAT, 0.7, 0.9) if name == "opencv" else (INT8, INT8, INT8)
    for network in NETWORKS:
        spec, reference = shipped.networks[network], tflite.open(shipped, network, 1)
        with np.load(shipped.known_answer(network)) as known:
            spreads = {output: float(known[output].std()) for output in spec.outputs}
            check_known_answer(shipped, network, opened[network].infer, tolerance)
        expected = [reference.infer(picture) for picture in pictures(spec)]
        engine = ScriptedEngine(expected) if name == "scripted" else opened[network]
        for picture, right in zip(pictures(spec), expected, strict=True):
            answer = engine.infer(picture)
            assert [a.shape for a in answer] == [tuple(shape) for shape in spec.outputs.values()]
            assert {a.dtype for a in answer} == {np.dtype(np.float32)}
            for values, wanted, spread in zip(answer, right, spreads.values(), strict=True):
                assert np.abs(values - wanted).mean() <= mean * spread
                assert np.sqrt(np.square(values - wanted).mean()) <= root * spread
        reference.close()


def test_every_engine_takes_each_input_shape_of_the_detector(engines, shipped):
    """The first time, in which it is opened, and again."""
    name, opened = engines
    shapes = [network for network in shipped.networks if network.startswith("detector")]
    assert len(shapes) > 1
    assert len(opened["detector"].shapes) == len(shapes)
    if name != "scripted":  # each of its engines says the same of any picture
        for network in shapes * 2:
            check_known_answer(shipped, network, opened["detector"].infer, FLOAT if name == "opencv" else INT8)


def test_every_engine_refuses_a_picture_of_another_size(engines):
    name, opened = engines
    if name == "scripted":
        pytest.skip("a script takes any picture")
    with pytest.raises(EngineError, match="picture of shape"):
        opened["classifier"].infer(np.zeros((10, 10, 3), np.uint8))


def test_every_engine_keeps_an_answer_when_the_next_picture_comes(engines):
    _, opened = engines
    _, noise, shape = pictures(bundle.load().classifier)
    first = opened["classifier"].infer(noise)[0]
    kept = first.copy()
    opened["classifier"].infer(shape)
    np.testing.assert_array_equal(first, kept)


def test_a_file_compiled_for_the_edge_tpu_is_refused_by_the_processor(compiled_bundle):
    loaded = bundle.load(compiled_bundle)
    with pytest.raises(EngineError, match=r"edgetpu.tflite: compiled for the Edge TPU; only the 'coral' backend"):
        tflite.TFLiteEngine(loaded.path("classifier", "edgetpu"), loaded.classifier, 2)


@pytest.mark.parametrize("opener", [opencv.open_cuda, opencv.open_cuda_fp16])
def test_opencv_of_the_wheel_refuses_cuda(shipped, opener):
    """The real wheel: setPreferableTarget would take the request, and run on the processor."""
    if not opencv.built_without_cuda():
        pytest.skip("this OpenCV has CUDA")
    with pytest.raises(EngineError, match="was built without CUDA, as all wheels of PyPI are: use the board's own"):
        opener(shipped, "classifier", 2)


def test_opencv_with_cuda_but_no_gpu_is_refused(shipped, monkeypatch):
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "    NVIDIA CUDA:        YES (ver 12.6, CUFFT CUBLAS)")
    with pytest.raises(EngineError, match="has CUDA, but finds no GPU"):
        opencv.open_cuda(shipped, "classifier", 2)


def test_opencv_is_set_to_the_target_that_is_asked_for(shipped, monkeypatch):
    """Without a GPU nothing can run there; what can be seen is that the request reaches OpenCV's network."""
    asked = []

    class Net:
        def setPreferableBackend(self, value):  # noqa: N802
            asked.append(value)

        def setPreferableTarget(self, value):  # noqa: N802
            raise Asked(*asked, value)

    class Asked(Exception):
        pass

    monkeypatch.setattr(cv2.dnn, "getAvailableTargets", lambda backend: [cv2.dnn.DNN_TARGET_CUDA_FP16])
    monkeypatch.setattr(cv2.dnn, "readNetFromONNX", lambda path: Net())
    with pytest.raises(Asked) as caught:
        opencv.open_cuda_fp16(shipped, "classifier", 2)
    assert caught.value.args == (cv2.dnn.DNN_BACKEND_CUDA, cv2.dnn.DNN_TARGET_CUDA_FP16)


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
        tflite.TFLiteEngine(path, shipped.classifier, 2)
    assert "\n" not in str(caught.value)


def test_the_wrong_network_is_refused(shipped):
    with pytest.raises(EngineError, match="the bundle says"):
        tflite.TFLiteEngine(shipped.path("classifier", "tflite"), shipped.detector, 2)


def test_missing_runtime_names_the_extra(monkeypatch):
    monkeypatch.setattr(tflite, "RUNTIMES", ("no_such_runtime.interpreter",))
    with pytest.raises(MissingPackage, match=r"ai-edge-litert|tflite-runtime"):
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
    answer = engine.open(loaded, "classifier", 2).infer(np.zeros((32, 32, 3), np.uint8))
    assert [a.shape for a in answer] == [(2,)]


def test_bundle_without_onnx_refuses_opencv(shipped, tmp_path):
    folder = shutil.copytree(bundle.shipped(), tmp_path / "b")
    text = (folder / "bundle.json").read_text().replace('"onnx": "classifier.onnx"', '"edgetpu": "classifier.onnx"')
    (folder / "bundle.json").write_text(text)
    with pytest.raises(BundleError, match="no onnx file of the classifier"):
        opencv.open(bundle.load(folder), "classifier", 2)


@pytest.mark.fault("the bundle's folder is gone", "removed under a running engine", "nothing: it goes on", "-")
def test_what_becomes_of_a_bundles_folder_is_not_the_engines_fault(shipped, tmp_path):
    folder = shutil.copytree(bundle.shipped(), tmp_path / "b")
    loaded = bundle.load(folder)
    engine = tflite.open(loaded, "classifier", 1)
    check_known_answer(loaded, "classifier", engine.infer, INT8)
    path = loaded.known_answer("classifier")
    np.savez(path, **{name: values * 0 for name, values in np.load(shipped.known_answer("classifier")).items()})
    check_known_answer(loaded, "classifier", engine.infer, INT8)
    with pytest.raises(EngineError, match="has changed since the bundle was loaded"):  # of one never asked before
        self_test._read(path, "0" * 64)
    shutil.rmtree(folder)
    check_known_answer(loaded, "classifier", engine.infer, INT8)
    with pytest.raises(EngineError, match=r"cannot be read \(No such file"):
        self_test._read(path, "0" * 64)
    with ExitStack() as stack:
        assert Opener(backends(), loaded, assemble.resolve, stack)._standby([backends()["tflite"]], "detector") is None
    engine.close()


class Unpickled:
    def __reduce__(self):
        return print, ("code of a stranger",)


def _bomb():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("input.npy", bytes(self_test.LARGEST + 1))
    return data.getvalue()


def _npz(**arrays):
    data = io.BytesIO()
    np.savez(data, **arrays)
    return data.getvalue()


@pytest.mark.fault(
    "a bundle's known answer is none", "text, code, a bomb, other shapes, and its digest", "refused", "-"
)
@pytest.mark.parametrize(
    "made",
    [
        lambda known: b"",
        lambda known: b"PK\3\4 no archive",
        lambda known: _bomb(),
        lambda known: _npz(**{name: np.array([Unpickled()], object) for name in known}),
        lambda known: _npz(**{name: values[..., None] for name, values in known.items()}),
        lambda known: _npz(input=known["input"]),
        lambda known: _npz(**{name: values.astype(str) for name, values in known.items()}),
        lambda known: _npz(**{**known, "input": known["input"].astype(np.float64)}),
    ],
)
def test_what_is_no_known_answer_is_refused_though_its_digest_is_right(shipped, tmp_path, made, capsys):
    folder = shutil.copytree(bundle.shipped(), tmp_path / "b")
    path = folder / shipped.classifier.known_answer
    data = made(dict(np.load(path)))
    content = json.loads((folder / "bundle.json").read_text())
    content["files"][path.name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    path.write_bytes(data)
    (folder / "bundle.json").write_text(json.dumps(content))
    with pytest.raises(EngineError, match=r"classifier_known\.npz: (no|unpacks)"):
        self_test.known_answer(bundle.load(folder), "classifier")
    assert capsys.readouterr().out == ""
