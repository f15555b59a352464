"""Backends that other packages bring, through the entry point "maskcam.backends"."""

import sys

import pytest

from edge.backends.registry import BUILT_IN, Backend, backends
from edge.core.plugins import installed

PACKAGE = """
from edge.backends.registry import Backend
from edge.testing.engine import open

BACKEND = Backend("npu", "maskcam_npu:open")
TAKEN = Backend("tflite", "maskcam_npu:open")
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """package(entry points, module): what `pip install maskcam-npu` leaves on the path."""

    def install(entries, module=PACKAGE):
        (tmp_path / "maskcam_npu.py").write_text(module)
        info = tmp_path / "maskcam_npu-1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: maskcam-npu\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[maskcam.backends]\n" + "\n".join(entries) + "\n")

    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "maskcam_npu", raising=False)
    installed.cache_clear()
    yield install
    installed.cache_clear()


def test_a_package_adds_a_backend_that_runs(package, write_bundle, tmp_path):
    from contextlib import ExitStack

    from edge.backends.selection.opener import Opener
    from edge.core.plugins import resolve
    from edge.vision import bundle

    package(["npu = maskcam_npu:BACKEND"])
    assert list(backends()) == [*(one.name for one in BUILT_IN), "npu"]
    with ExitStack() as stack:
        opener = Opener(backends(), bundle.load(write_bundle(tmp_path / "b")), resolve, stack, threads=2)
        assert opener.open("detector", "npu").describe() == "npu"


@pytest.mark.parametrize(
    ("entry", "module", "said"),
    [
        ("npu = maskcam_npu:BACKEND", "1 / 0", "does not load: division by zero"),
        ("npu = maskcam_npu:BACKEND", "import no_such_package", "does not load: No module named 'no_such_package'"),
        ("npu = maskcam_npu:BACKEND", "BACKEND = 3", "is no Backend: left out"),
        ("npu = maskcam_npu:MISSING", PACKAGE, "does not load: "),
    ],
)
def test_a_package_that_is_broken_is_reported_and_left_out(package, caplog, entry, module, said):
    package([entry], module)
    assert list(backends()) == [one.name for one in BUILT_IN]
    assert said in caplog.text


def test_no_package_takes_the_name_of_one_of_ours(package):
    package(["npu = maskcam_npu:TAKEN"])
    assert backends()["tflite"].target == "edge.backends.tflite:open"


def test_the_settings_know_it_in_a_process_that_starts_with_it(package, tmp_path):
    import os
    import subprocess

    package(["npu = maskcam_npu:BACKEND"])
    code = "from edge import config; print(config.load(None, ['backend.detector=npu']).backend.detector)"
    path = os.pathsep.join([str(tmp_path), *(p for p in sys.path if p)])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    assert (done.stdout, done.stderr) == ("npu\n", "")


def test_every_backend_has_an_open():
    from edge.core.plugins import resolve

    for backend in BUILT_IN:
        assert callable(resolve(backend.target))
        assert isinstance(backend, Backend)
