"""The probe: crash, hang and wrong answer become a row of a table; what was found is kept until something changes."""

import json
import os

import pytest

from edge import assemble, cli, config
from edge.backends import opencv
from edge.backends.registry import backends
from edge.backends.selection import opener, probe, probe_cache
from edge.backends.selection.probe import ProbeResult
from edge.vision import bundle


@pytest.fixture
def coral(compiled_bundle, edgetpu):
    """coral(fault): the rows of the Coral alone, by stage."""
    candidate = backends()["coral"]

    def rows(fault="", after=0, timeout=30.0):
        edgetpu(fault, after)
        found = probe.probe([candidate], bundle.load(compiled_bundle), 1, "usb:0", timeout)
        return {row.stage: row for row in found}

    return rows


def test_a_good_device_is_fit_for_both_stages(coral):
    rows = coral()
    assert [row.why for row in rows.values()] == ["", ""]
    assert 0 < rows["classifier"].ms < rows["detector"].ms


@pytest.mark.parametrize(
    ("fault", "timeout", "said"),
    [
        ("no-device", 30.0, "libedgetpu.so.1 found no free Edge TPU"),
        ("bad-option", 30.0, "libedgetpu.so.1 refuses backend.device = 'usb:0': unknown option device"),
        ("lost", 30.0, "edgetpu stub: the device is gone"),
        ("hang", 6.0, "coral did not answer within 6 s, with the detector"),
        ("crash", 30.0, "coral crashed (SIGSEGV), with the detector"),
        ("wrong", 30.0, "wrong answer: "),
    ],
)
def test_a_faulty_device_is_unfit_and_the_row_says_why(coral, fault, timeout, said):
    rows = coral(fault, timeout=timeout)
    for row in rows.values():
        assert row.ms is None
        assert said in row.why
        assert "with the" not in said or row.why == said  # the second network is not tried
    table = probe.render(list(rows.values()))
    assert [line.split()[2] for line in table.splitlines()[1:]] == ["no" if fault == "wrong" else "-"] * 2


def test_a_device_that_fails_while_it_is_timed_is_unfit(coral):
    assert "the device is gone" in coral("lost", after=1)["detector"].why


def test_the_table_of_this_machine(capsys):
    """The real candidates with the shipped bundle: the processor's engines are right, the rest say what is missing."""
    assert cli.main(["backends", "--config", os.devnull]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["stage", "candidate", "correct", "ms"]
    cells = {tuple(line.split()[:2]): line.split()[2:] for line in lines}
    assert len(cells) == 2 * sum(backend.auto for backend in backends().values())
    for stage in ("detector", "classifier"):
        assert cells[stage, "tflite"][0] == "yes"
        assert cells[stage, "opencv"][0] == "yes"
        assert float(cells[stage, "tflite"][1]) > 0
        assert [cells[stage, name][2] for name in ("tflite", "opencv")].count("fastest") == 1
        assert "maskcam-convert edgetpu" in " ".join(cells[stage, "coral"])
        if opencv.built_without_cuda():
            assert "built without CUDA" in " ".join(cells[stage, "opencv-cuda"])


def times(**ms):
    return [ProbeResult("detector", name, took, "" if took else "no device") for name, took in ms.items()]


@pytest.mark.parametrize(
    ("ms", "order"),
    [
        ({"tflite": 9.0, "coral": 3.0, "opencv": 30.0}, ["coral", "tflite", "opencv"]),
        ({"tflite": 3.6, "coral": 3.0}, ["tflite", "coral"]),  # a draw: in the order of the table
        ({"tflite": 3.9, "coral": 3.0}, ["coral", "tflite"]),
        ({"tflite": None, "coral": 3.0}, ["coral"]),
        ({"tflite": None}, []),
    ],
)
def test_the_fastest_that_is_fit_comes_first(ms, order):
    rows = times(**ms)
    assert [row.candidate for row in probe.fastest(rows, "detector")] == order
    assert probe.fastest(rows, "classifier") == []


ROWS = [
    ProbeResult("detector", "tflite", 9.5, ""),
    ProbeResult("detector", "coral", None, "no device"),
    ProbeResult("classifier", "tflite", 0.4, ""),
]


@pytest.fixture
def counted(monkeypatch):
    """Probes that only count."""
    calls = []
    monkeypatch.setattr(opener, "probe", lambda *arguments: calls.append(arguments) or ROWS)
    return calls


@pytest.fixture
def measured(counted, tmp_path):
    """measured(...): what the service would get, with a state directory."""
    loaded, candidates = bundle.load(), list(backends().values())

    def call(threads=2, device="", loaded=loaded, folder=tmp_path, **options):
        return opener.probe_results(candidates, loaded, threads, device, folder, **options)

    return call


def test_what_was_found_is_kept(measured, counted, tmp_path):
    assert measured() == measured() == ROWS
    assert len(counted) == 1
    assert os.listdir(tmp_path) == [probe_cache.NAME]


def test_anew_and_without_a_state_directory_it_is_found_again(measured, counted):
    measured()
    measured(anew=True)
    measured(folder=None)
    assert len(counted) == 3


def test_settings_versions_and_the_bundle_make_it_stale(measured, counted, monkeypatch, compiled_bundle):
    measured()
    measured(threads=1)
    measured(device="usb")
    measured(loaded=bundle.load(compiled_bundle))
    monkeypatch.setattr(probe_cache, "__version__", "9.9.9")
    measured()
    assert len(counted) == 5


def test_a_device_that_is_plugged_in_makes_it_stale(tmp_path):
    loaded, candidates = bundle.load(), list(backends().values())
    before = probe_cache.key(loaded, candidates, 2, "", tmp_path)
    assert probe_cache.key(loaded, candidates, 2, "", tmp_path) == before
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/apex_0").touch()
    with_card = probe_cache.key(loaded, candidates, 2, "", tmp_path)
    (tmp_path / "usr/lib/aarch64-linux-gnu").mkdir(parents=True)
    (tmp_path / "usr/lib/aarch64-linux-gnu/libedgetpu.so.1").touch()
    assert len({before, with_card, probe_cache.key(loaded, candidates, 2, "", tmp_path)}) == 3


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": "x"}', json.dumps({"key": "k", "rows": [{"stage": 1}]})])
def test_a_damaged_memory_is_no_memory(tmp_path, text):
    (tmp_path / probe_cache.NAME).write_text(text)
    assert probe_cache.recall(tmp_path, "k") is None


def test_a_state_directory_that_cannot_be_written_is_a_warning(measured, counted, tmp_path, caplog):
    assert measured(folder=tmp_path / "none") == ROWS
    assert "cannot be kept" in caplog.text


@pytest.mark.parametrize(("live", "probes"), [(True, 1), (False, 0)])
def test_only_a_live_camera_is_worth_a_probe_and_only_the_first_time(counted, tmp_path, monkeypatch, live, probes):
    pytest.importorskip("skimage")
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    settings = config.load(None, ["camera.source=synthetic"])
    for _ in range(2):
        with assemble.runtime(settings, live) as runtime:
            said = {network: stage.describe() for network, stage in runtime.backends.items()}
    assert len(counted) == probes
    measured = {"detector": "auto: tflite, 9.5 ms, fastest of 1", "classifier": "auto: tflite, 0.4 ms, fastest of 1"}
    assert said == (measured if live else {"detector": "auto: tflite", "classifier": "auto: tflite"})
