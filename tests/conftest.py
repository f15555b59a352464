"""Small valid bundles for tests: real digests, known answers of zeros, no real network needed."""

import hashlib
import json
import logging
import os
import random
import shutil
import subprocess
import sys
from copy import copy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings

from edge.vision.decode import cells

# Machines differ in speed, and the same commit must give the same result wherever CI runs.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("here"), derandomize=True)
# For .ci/mutation, where any failure will do, and the smallest one would take longer than all else.
settings.register_profile("mutation", settings.get_profile("ci"), phases=[Phase.explicit, Phase.generate])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "here"))

SLOWEST = "test_door_loop.py"
"""Minutes in one test: it begins first, so that no other process ends long before it (make test)."""


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name != SLOWEST)


WIDTH, HEIGHT = 64, 32


def values():
    count = len(cells(WIDTH, HEIGHT)[0])
    return {
        "schema_version": 1,
        "name": "test",
        "created": "2026-01-01",
        "licence": "Apache-2.0",
        "detector": {
            "input": {"width": WIDTH, "height": HEIGHT},
            "outputs": {"scores": [count, 1], "distances": [count, 4]},
            "files": {"tflite": "d.tflite"},
            "known_answer": "d.npz",
            "strides": [8, 16, 32],
            "score_threshold": 0.5,
            "overlap": 0.4,
        },
        "classifier": {
            "input": {"width": 32, "height": 32},
            "outputs": {"probabilities": [2]},
            "files": {"tflite": "c.tflite"},
            "known_answer": "c.npz",
            "labels": ["with_mask", "without_mask"],
            "margin": 0.1,
        },
    }


def shape(width, height):
    """The detector's values with an input of another shape, for `write(detector={"shapes": [...]})`."""
    count, name = len(cells(width, height)[0]), f"d{width}x{height}"
    return {
        "input": {"width": width, "height": height},
        "outputs": {"scores": [count, 1], "distances": [count, 4]},
        "files": {"tflite": f"{name}.tflite"},
        "known_answer": f"{name}.npz",
    }


def write(folder, **changes):
    """A bundle in `folder`; `changes` replace top-level values, or are merged into the networks."""
    content = values()
    for key, change in changes.items():
        content[key] = {**content[key], **change} if isinstance(change, dict) and key in content else change
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("d.tflite", "c.tflite"):
        (folder / name).write_bytes(b"network " + name.encode())
    known = values()
    for network in (known["detector"], known["classifier"], *content["detector"].get("shapes", ())):
        size, outputs = network["input"], network["outputs"].items()
        picture = np.zeros((size["height"], size["width"], 3), np.uint8)
        np.savez(folder / network["known_answer"], input=picture, **{k: np.zeros(s, np.float32) for k, s in outputs})
    for shape in content["detector"].get("shapes", ()):
        for name in shape["files"].values():
            (folder / name).write_bytes(b"network " + name.encode())
    if "files" not in changes:
        content["files"] = digests(folder)
    (folder / "bundle.json").write_text(json.dumps(content))
    return folder


def digests(folder):
    paths = [p for p in sorted(folder.iterdir()) if p.name != "bundle.json"]
    return {p.name: {"sha256": hashlib.sha256(p.read_bytes()).hexdigest(), "bytes": p.stat().st_size} for p in paths}


@pytest.fixture
def write_bundle():
    """The function `write` above."""
    return write


@pytest.fixture
def bundle_shape():
    """The function `shape` above."""
    return shape


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """Every test draws the same random numbers in every run, whichever tests ran before it."""
    random.seed(0)
    np.random.seed(0)
    if keras := sys.modules.get("keras"):  # imported where a test needs it
        keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True)
def _own_log_handlers():
    """A command that logs to standard output must not leave its handler, on a stream that is closed, to later tests."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


STUB = Path(__file__).parent / "edgetpu_stub" / "edgetpu_stub.c"


@pytest.fixture(scope="session")
def edgetpu_library(tmp_path_factory):
    """Folder of a libedgetpu.so.1 that is no Edge TPU: it runs what `compiled_bundle` holds, or fails on demand."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs Linux and a C compiler")
    folder = tmp_path_factory.mktemp("edgetpu")
    command = [
        compiler,
        "-shared",
        "-fPIC",
        "-O1",
        "-Wall",
        "-Werror",
        str(STUB),
        "-o",
        str(folder / "libedgetpu.so.1"),
    ]
    subprocess.run(command, check=True)
    return folder


@pytest.fixture
def edgetpu(edgetpu_library, monkeypatch):
    """edgetpu(fault, after): from now on processes find the stub, and it fails so after so many inferences."""
    monkeypatch.setenv("LD_LIBRARY_PATH", str(edgetpu_library))

    def plug(fault="", after=0):
        monkeypatch.setenv("MASKCAM_STUB_FAULT", fault)
        monkeypatch.setenv("MASKCAM_STUB_AFTER", str(after))

    plug()
    return plug


@pytest.fixture(scope="session")
def compiled_bundle(tmp_path_factory):
    """The shipped bundle with an "edgetpu" file per network: its first operation bears the Edge TPU's name."""
    from edge.vision import bundle

    folder = shutil.copytree(bundle.shipped(), tmp_path_factory.mktemp("compiled") / "bundle")
    content = json.loads((folder / "bundle.json").read_text())
    for network in (content["detector"], content["classifier"], *content["detector"].get("shapes", ())):
        files = network["files"]
        files["edgetpu"] = files["tflite"].replace(".tflite", "_edgetpu.tflite")
        (folder / files["edgetpu"]).write_bytes(as_compiled((folder / files["tflite"]).read_bytes()))
    content["files"] = digests(folder)
    (folder / "bundle.json").write_text(json.dumps(content))
    return folder


def as_compiled(model):
    """The same network behind an operation that bears the Edge TPU's name: it hands the picture on as it is."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="needs LiteRT", exc_type=ImportError)
    import flatbuffers

    network = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model))
    (graph,) = network.subgraphs
    (first,) = graph.inputs
    code, operation = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = "edgetpu-custom-op"
    operation.opcodeIndex = len(network.operatorCodes)
    operation.inputs, operation.outputs = [len(graph.tensors)], [first]
    network.operatorCodes.append(code)
    graph.operators.insert(0, operation)
    graph.inputs = operation.inputs
    picture = copy(graph.tensors[first])
    picture.name = "picture"
    graph.tensors.append(picture)
    for signature in network.signatureDefs or ():
        signature.inputs[0].tensorIndex = operation.inputs[0]
    builder = flatbuffers.Builder()
    builder.Finish(network.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.fixture(scope="session")
def portrait():
    """A picture (480, 640, 3) uint8 RGB with one bare face, the synthetic camera's: no photo of a person is here."""
    import maskcam

    for seen in maskcam.watch("synthetic", settings={"camera.fps": 4.0}, live=False):
        if seen.tracks and seen.frame.t > 1:
            return seen.frame.image
    raise AssertionError("the synthetic camera showed no face")


def pytest_terminal_summary(terminalreporter, config):
    """With -m fault: a table, a row per test; several tests of one fault are one row."""
    if config.getoption("-m") != "fault":
        return
    rows = {}
    for outcome in ("passed", "failed", "skipped", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            for mark in [value for name, value in getattr(report, "user_properties", ()) if name == "fault"]:
                worst = max(rows.get(mark, outcome), outcome, key=("passed", "skipped", "error", "failed").index)
                rows[mark] = worst
    names = ("fault", "injected how", "seen", "recovered in", "")
    for row in (names, *((*mark, outcome) for mark, outcome in sorted(rows.items()))):
        terminalreporter.write_line("| " + " | ".join(row) + " |")


@pytest.fixture(autouse=True)
def _told_as_fault(request, record_property):
    mark = request.node.get_closest_marker("fault")
    if mark:
        record_property("fault", mark.args)
