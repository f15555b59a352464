"""Files that look like the settings and are not read: doctor, the start and flash name them."""

import pytest

from edge.cli import main
from edge.config import strays
from edge.operations.doctor import configuration

BOOT, ETC = "boot/firmware", "etc/maskcam"


@pytest.fixture
def lay(tmp_path):
    def lay(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("[camera]\nwidth = 320\n")
        return tmp_path

    return lay


@pytest.mark.parametrize(
    "name",
    [
        *("maskcam.toml.txt", "maskcam.txt", "maskcam.tml", "maskcam.toml.toml", "MASKCAM.TOML.TXT"),  # Windows
        *("maskcam (1).toml", "maskcam(1).toml", "maskcam-1.toml", "maskcam_old.toml"),  # browsers, people
        *("maskcam.conf", "maskcam.ini", "maskcam.yaml", "maskcam.json"),
    ],
)
def test_what_people_make_of_the_name(name):
    assert strays.mistaken(name)


@pytest.mark.parametrize(
    "name", ["maskcam.toml", "Maskcam.TOML", "maskcam", "maskcam.toml~", "user-data", "config.txt", "maskcamera.txt"]
)
def test_what_is_no_mistake(name):
    assert not strays.mistaken(name)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        (f"{BOOT}/maskcam.toml.txt", f"{BOOT}/maskcam.toml"),
        ("boot/maskcam.toml", f"{BOOT}/maskcam.toml"),
        ("etc/maskcam.toml", f"{ETC}/maskcam.toml"),
        (f"{ETC}/Maskcam.toml", f"{ETC}/maskcam.toml"),
    ],
)
@pytest.mark.fault(
    "settings under another name", "maskcam.toml.txt, another folder", "doctor and the start say so", "-"
)
def test_doctor_says_which_file_is_not_read_and_what_to_do(lay, name, meant):
    root = lay(name)
    (finding,) = configuration.unread([], root)
    assert (finding.state, finding.found) == ("bad", f"{root / name} is not read: expected {root / meant}")
    assert finding.remedy == f"sudo mv {root / name} {root / meant}"
    (beside,) = configuration.unread([root / meant], root)  # something else is read: a copy that is left over
    assert beside.state == "warn"


def test_nothing_is_said_of_what_is_read(lay):
    assert (
        strays.lying(lay(f"{BOOT}/maskcam.toml", f"{ETC}/maskcam.toml", f"{BOOT}/cmdline.txt", "etc/maskcam/wheels/a"))
        == []
    )
    assert list(configuration.unread([], lay())) == []


def test_a_folder_of_that_name_is_none(lay):
    assert strays.lying(lay(f"{BOOT}/maskcam.txt/inside")) == []


def test_the_start_names_them(lay, monkeypatch, capfd, tmp_path):
    found = lay(f"{BOOT}/maskcam.toml.txt") / BOOT / "maskcam.toml.txt"
    monkeypatch.setattr(strays, "lying", lambda: [found])
    monkeypatch.setattr(strays, "remedy", lambda path: ("/boot/firmware/maskcam.toml", ""))
    monkeypatch.setattr("edge.config.SYSTEM_FILES", ())
    for extra, expected in (([], 1), (["--config", str(found)], 0)):
        main(["run", "--source", str(tmp_path / "none.mp4"), *extra])
        said = capfd.readouterr().out
        assert said.count("maskcam.toml.txt is not read: the settings are /boot/firmware/maskcam.toml") == expected
