"""A broken file never stops a working camera."""

import argparse
import logging
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import config
from edge.cli import arguments
from edge.core.errors import ConfigError


@pytest.fixture
def etc(tmp_path):
    return tmp_path / "etc.toml"


@pytest.fixture
def boot(tmp_path):
    return tmp_path / "boot.toml"


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def start(files, state, *overrides, **environ):
    """A start whose settings work."""
    loaded = config.load_or_last_good(files, overrides, environ, state)
    loaded.worked()
    return loaded


def test_without_a_state_directory_a_mistake_is_an_error(etc):
    etc.write_text("[camera]\nwidht = 3")
    with pytest.raises(ConfigError, match=r"etc\.toml:2: unknown key 'camera.widht'"):
        start([etc], None)


def test_what_loaded_once_takes_the_place_of_a_broken_file(etc, boot, state):
    etc.write_text("[camera]\nwidth = 320\n")
    boot.write_text("[camera]\nheight = 240\nsource = 'clip.mp4'\n")
    good = start([etc, boot], state, "model.bundle=here")
    assert good.fallback is None
    boot.write_text("[camera]\nheight = 'low'\nwidth = 0\n")
    loaded = start([etc, boot], state, "camera.seed=3")
    assert loaded.settings == good.settings.model_copy(
        update={"camera": good.settings.camera.model_copy(update={"seed": 3})}
    )
    first, second, last = loaded.fallback.splitlines()
    assert first == f'{boot}:2: camera.height = "low": expected a whole number'
    assert second.startswith(f"{boot}:3: camera.width = 0: ")
    assert last == f"the last good settings ({state / 'last-good.toml'}) are in force"
    assert loaded.origins["camera", "height"].startswith(f"{state / 'last-good.toml'}:")
    assert loaded.origins["camera", "seed"] == "--set"


FRAGMENTS = [
    "[camera]", "[camera", "camera = 3", "camera.width = 320", "width = 320", "width = 'x'", "[sinks.gpio]", "[sinks]",
    "gpio = 1", "pin = 2026-01-01", "[[sinks.gpio]]", 'source = """', "[decision]", "threshold = 9.0", "limit = 1.0",
    "\x00", "[tracker]", "max_gap = {}", "\ufeff", "a.b.c = [1,", "]",
]  # fmt: skip
VALUES = ["", "3", "x", "{}", "[", "{width = 320}", "'"]


@given(
    st.lists(st.lists(st.sampled_from(FRAGMENTS), max_size=4), max_size=2),
    st.lists(st.sampled_from(["camera", "camera.width", "sinks.gpio", "sinks.gpio.pin", "no.thing"]), max_size=2),
    st.sampled_from(VALUES),
    st.booleans(),
)
def test_whatever_is_written_the_camera_starts(tmp_path_factory, contents, keys, value, before):
    folder = tmp_path_factory.mktemp("state")
    files = [folder / f"{number}.toml" for number in range(len(contents))]
    for path, content in zip(files, contents, strict=True):
        path.write_text("\n".join(content), encoding="utf-8")
    if before:
        start([], folder, "camera.width=1000")
    overrides = [f"{key}={value}" for key in keys]
    environ = {f"MASKCAM_{key.upper().replace('.', '__')}": value for key in keys[:1]}
    loaded = config.load_or_last_good(files, overrides, environ, folder)
    try:
        wanted, why = config.read(files, overrides, environ).settings, None
    except ConfigError as error:
        wanted, why = loaded.settings, str(error)
    assert loaded.settings == wanted
    assert (loaded.fallback or "").startswith(why or "")
    assert (loaded.fallback is None) == (why is None)


def test_a_fallback_is_not_kept(etc, state):
    etc.write_text("[camera]\nwidth = 320\n")
    start([etc], state)
    etc.write_text("[camera\n")
    start([etc], state, "camera.width=640")
    assert start([etc], state).settings.camera.width == 320


@pytest.mark.parametrize(
    "last_good", [None, "[camera]\nwidth = 'x'\n", "[camera", "[camera]\nnot_known_any_more = 1\n"]
)
def test_with_nothing_kept_the_good_sources_are_used(etc, boot, state, last_good):
    if last_good:
        (state / config.LAST_GOOD).write_text(last_good)
    etc.write_text("[camera]\nwidth = 320\n")
    boot.write_text("[camera]\nheight = 240\nfps = 'fast'\n")
    loaded = start([etc, boot], state, MASKCAM_CAMERA__SEED="7", MASKCAM_NOTHING="1")
    camera = loaded.settings.camera
    assert (camera.width, camera.height, camera.seed) == (320, 480, 7)
    named, wrong, last = loaded.fallback.splitlines()
    assert named.startswith("MASKCAM_NOTHING: ")
    assert wrong.startswith(f"{boot}:3: ")
    assert last == "there are no last good settings; what is broken is left out"


def test_with_nothing_good_at_all_the_defaults_are_used(etc, state):
    etc.write_text("[camera")
    loaded = start([etc], state, "camera.width=x", "y")
    assert loaded.settings == config.load()
    assert len(loaded.fallback.splitlines()) == 4
    assert not list(state.iterdir())


def test_sources_that_contradict_one_another_are_not_both_kept(etc, boot, state):
    """Each is right alone; together the threshold is above the limit."""
    etc.write_text("[decision]\nlimit = 2.0\n")
    boot.write_text("[decision]\nthreshold = 3.0\n")
    loaded = start([etc, boot], state)
    assert (loaded.settings.decision.limit, loaded.settings.decision.threshold) == (2.0, 1.5)
    assert loaded.fallback.startswith(f"{boot}:2: [decision] threshold = 3.0 must not exceed limit = 2.0")


def test_a_card_is_written_only_when_something_differs(etc, state, monkeypatch):
    etc.write_text("[camera]\nwidth = 320\n")
    start([etc], state)
    kept = state / config.LAST_GOOD
    os.utime(kept, (1, 1))
    node = kept.stat().st_ino
    etc.write_text("# another comment\n[camera]\nwidth = 320\n")
    start([etc], state)
    assert (kept.stat().st_ino, kept.stat().st_mtime) == (node, 1)
    start([etc], state, "camera.width=640")
    assert kept.stat().st_mtime > 1
    assert "width = 640" in kept.read_text()
    assert [path.name for path in state.iterdir()] == [config.LAST_GOOD]
    assert kept.stat().st_mode & 0o077 == 0, "an address of a webhook or a stream may hold a password"


def test_a_state_directory_that_cannot_be_written_is_a_warning(etc, tmp_path, caplog):
    etc.write_text("")
    with caplog.at_level(logging.WARNING):
        assert start([etc], tmp_path / "none").fallback is None
    assert "not kept as last good" in caplog.text


def test_a_failed_write_leaves_what_was_kept(etc, state, monkeypatch, caplog):
    etc.write_text("")
    start([etc], state)

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    start([etc], state, "camera.width=320")
    assert "No space left on device" in caplog.text
    assert [path.name for path in state.iterdir()] == [config.LAST_GOOD]
    assert "width = 640" in (state / config.LAST_GOOD).read_text()


def test_systemd_names_the_state_directory(etc, state, monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", f"{state}:/other")
    args = argparse.Namespace(config=etc, set=[])
    etc.write_text("[camera]\nfps = 0\n")
    with pytest.raises(ConfigError):
        arguments.load(args)
    loaded = arguments.loaded(args, service=True, camera__seed=3)
    assert loaded.fallback
    assert loaded.settings.camera.seed == 3


@pytest.mark.fault("a bundle path is mistyped", "three starts", "the last good settings are in force", "the same start")
def test_what_only_loads_is_not_kept(etc, state):
    etc.write_text("[camera]\nwidth = 320\n")
    start([etc], state)
    etc.write_text("[model]\nbundle = '/no/such/folder'\n")
    for _ in range(3):
        loaded = config.load_or_last_good([etc], [], {}, state)
        assert loaded.fallback is None
        loaded = config.load_or_last_good([etc], [], {}, state, "no such bundle")
        assert (loaded.settings.camera.width, loaded.settings.model.bundle) == (320, "")
        assert loaded.fallback == f"no such bundle\nthe last good settings ({state / 'last-good.toml'}) are in force"
        loaded.worked()
    assert "/no/such/folder" not in (state / config.LAST_GOOD).read_text()


@pytest.mark.parametrize("kept", [None, "", "[camera"])
def test_where_no_other_settings_are_good_the_reason_is_told(etc, state, kept):
    etc.write_text("")
    if kept is not None:
        (state / config.LAST_GOOD).write_text(kept)
    with pytest.raises(ConfigError, match="no such bundle" if kept == "" else "last-good"):
        config.load_or_last_good([etc], [], {}, state, "no such bundle")


def test_without_a_state_directory_what_cannot_be_used_is_an_error(etc):
    etc.write_text("")
    with pytest.raises(ConfigError, match="no such bundle"):
        config.load_or_last_good([etc], [], {}, None, "no such bundle")
