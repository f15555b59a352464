"""Settings that load and end the process, or that a first start cannot use."""

import hashlib
import json
import os
import subprocess
import sys

import pytest

from edge import config
from edge.config import attempts


@pytest.fixture
def read(tmp_path):
    """read(text): what a start of the service reads, with a state directory of its own."""
    file = tmp_path / "a.toml"

    def read(text="", state=tmp_path):
        if text:
            file.write_text(text)
        return config.load_or_last_good([file], [], {}, state)

    return read


NEW = "[camera]\nwidth = 320\n"


def test_three_starts_without_a_word_are_enough(read):
    for _ in range(attempts.MOST):
        assert read(NEW).trying() == ""
    said = read().trying()
    assert said.startswith("the process died 3 times before the camera saw with these settings")
    assert read().trying() == said, "it stays said"
    assert read("[camera]\nwidth = 640\n").trying() == "", "others are others"


@pytest.mark.parametrize("starts", ["Infinity", "NaN", "1e400", "[]", '"9"', "-1", "9" * 5000])
def test_whatever_stands_in_the_count_a_start_goes_on(tmp_path, starts):
    digest = hashlib.sha256(b"x").hexdigest()
    (tmp_path / attempts.FILE).write_text(f'{{"settings": "{digest}", "starts": {starts}}}')
    assert attempts.begin(tmp_path, "x") == "" or "died" in attempts.begin(tmp_path, "x")


def test_what_has_worked_is_never_counted(read, tmp_path):
    first = read(NEW)
    assert first.trying() == ""
    first.worked()
    assert not (tmp_path / attempts.FILE).exists()
    for _ in range(9):
        assert read().trying() == ""
    assert not (tmp_path / attempts.FILE).exists(), "the card is not written to at every start"


def test_a_start_that_ended_by_itself_is_not_counted(read):
    for _ in range(9):
        loaded = read(NEW)
        assert loaded.trying() == ""
        loaded.tried()


@pytest.mark.parametrize("torn", ["", "{", "[]", '{"settings": 3}', '{"settings": "x", "starts": "many"}', "\x00" * 50])
def test_a_torn_record_counts_from_the_beginning(read, tmp_path, torn):
    (tmp_path / attempts.FILE).write_text(torn)
    assert read(NEW).trying() == ""
    assert json.loads((tmp_path / attempts.FILE).read_text())["starts"] == 1


def test_the_record_holds_no_setting(read, tmp_path):
    read("[camera]\nsource = 'rtsp://me:S3CRET@10.0.0.5/1'\n").trying()
    assert set(json.loads((tmp_path / attempts.FILE).read_text())) == {"settings", "starts"}
    assert "S3CRET" not in (tmp_path / attempts.FILE).read_text()


def test_a_state_directory_that_cannot_be_written_stops_no_start(read, tmp_path, caplog):
    folder = tmp_path / "file"
    folder.write_text("")
    loaded = read(NEW, folder)
    assert loaded.trying() == ""
    loaded.tried()
    assert "was not written down" in caplog.text


def test_by_hand_nothing_is_kept_and_nothing_left_out(read):
    loaded = read(NEW, None)
    assert loaded.trying() == ""
    assert list(loaded.left_out("why", False)) == []
    assert list(loaded.left_out("why", True)) == []


def test_only_what_is_not_the_default_is_left_out_and_the_least_first(read):
    loaded = read("[backend]\nstrict = true\n[model]\nbundle = 'nope'\n[camera]\nwidth = 320\n")
    less = list(loaded.left_out("bundle 'nope': no such folder", crashed=False))
    assert [one.fallback.rpartition("left out: ")[2] for one in less] == [
        *("[backend]", "[model]", "[backend], [model]", "[camera]")
    ]
    assert (less[1].settings.model.bundle, less[1].settings.backend.strict) == ("", True)
    assert (less[1].settings.camera.width, less[3].settings.camera.width) == (320, 640)
    assert all(one.last_good is None for one in less), "less than what was asked for is never the last good"


def test_after_a_crash_the_camera_is_all_that_stays(read):
    (less,) = read("[camera]\nsource = 'rtsp://10.0.0.5/1'\nwidth = 320\n[backend]\nthreads = 2\n").left_out(
        "died", True
    )
    assert (less.settings.camera.source, less.settings.camera.width) == ("rtsp://10.0.0.5/1", 640)
    assert less.settings.backend.threads == config.Settings().backend.threads


@pytest.mark.fault("a setting that kills the process", "SIGKILL at the start", "configuration error", "4th start")
def test_a_real_start_that_is_killed_falls_back_the_fourth_time(tmp_path):
    """The processes die while the settings are in force for the first time, as one would of a driver's crash."""
    pytest.importorskip("skimage", reason="the synthetic camera needs the extra 'demo'")
    file, run = tmp_path / "a.toml", tmp_path / "run"
    run.mkdir()
    base = "[camera]\nsource = 'synthetic'\nfps = 10.0\n[backend]\ndetector = 'scripted'\nclassifier = 'scripted'\n"
    deadly = (
        "import os, signal\nimport edge.vision.detector as d\n"
        "d.FaceDetector.__init__ = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    starting = (
        "import sys\nfrom edge.cli import main\nsys.exit(main(['run', '--config', sys.argv[1], '--duration', '1']))"
    )
    environ = os.environ | {"STATE_DIRECTORY": str(tmp_path), "RUNTIME_DIRECTORY": str(run)}
    environ.pop("NOTIFY_SOCKET", None)

    def start(crash):
        command = [sys.executable, "-c", (deadly if crash else "") + starting, str(file)]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300)

    file.write_text(base)
    first = start(crash=False)
    assert first.returncode == 0, first.stdout + first.stderr
    assert (tmp_path / "last-good.toml").exists()
    file.write_text(base + "threads = 3\n")
    for _ in range(3):
        assert start(crash=True).returncode == -9
    last = start(crash=False)
    assert last.returncode == 0, last.stdout + last.stderr
    assert "the process died 3 times before the camera saw with these settings" in last.stdout
    assert "threads = 3" not in (tmp_path / "last-good.toml").read_text()
