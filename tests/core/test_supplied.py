from pathlib import Path

import pytest

from edge import cli
from edge.core import supplied
from edge.vision import bundle

ROOT = Path(__file__).parents[2]


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["configs/pi.toml", "configs/train/detector.toml"])
def test_what_comes_with_maskcam_is_found_from_every_folder(elsewhere, name):
    assert supplied.readable_path(name).read_text() == (ROOT / name).read_text()


def test_the_shipped_bundle_goes_by_its_name(elsewhere):
    assert supplied.readable_path("edge/shipped") == bundle.shipped()


def test_what_lies_in_the_working_directory_comes_first_even_broken(elsewhere):
    (elsewhere / "configs").mkdir()
    (elsewhere / "configs" / "pi.toml").symlink_to("nowhere")
    assert supplied.readable_path("configs/pi.toml") == Path("configs/pi.toml")


@pytest.mark.parametrize("name", ["configs/none.toml", "pi.toml", "configs", "configs/../configs/pi.toml", "", "edge"])
def test_any_other_name_stays_what_it_is(elsewhere, name):
    assert supplied.readable_path(name) == Path(name)


def test_without_the_files_a_name_stays_what_it_is(elsewhere, monkeypatch):
    monkeypatch.setattr(supplied, "PACKAGE", elsewhere / "edge")
    assert supplied.folder() is None
    assert supplied.readable_path("configs/pi.toml") == Path("configs/pi.toml")


def test_a_wheel_carries_them_beside_its_modules(elsewhere, monkeypatch):
    share = elsewhere / "edge" / "share"
    for name in ("systemd/install.sh", "configs/pi.toml"):
        (share / name).parent.mkdir(parents=True, exist_ok=True)
        (share / name).write_text("")
    monkeypatch.setattr(supplied, "PACKAGE", elsewhere / "edge")
    assert supplied.readable_path("configs/pi.toml") == share / "configs" / "pi.toml"


def test_commands_take_settings_by_that_name(elsewhere, capsys):
    assert cli.main(["config", "show", "--config", "configs/pi.toml"]) == 0
    assert "configs/pi.toml:" in capsys.readouterr().out


def test_what_is_rewritten_is_never_taken_from_there(elsewhere, capsys):
    assert cli.main(["config", "migrate", "configs/pi.toml"]) == 2
    assert "configs/pi.toml: " in capsys.readouterr().err
