"""`maskcam sign`: what is started, and what is said where something is missing."""

import pytest

from edge import cli
from edge.cli import sign
from edge.core.errors import MaskcamError


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """The function that puts empty programs of these names onto the path, and nothing else."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def put(*names):
        for name in names:
            (tmp_path / name).write_text("")
            (tmp_path / name).chmod(0o755)

    return put


def test_on_a_desktop_the_browser_alone_is_started(programs):
    programs("chromium", "cage")
    line = sign.kiosk("http://127.0.0.1:8765/sign", {"WAYLAND_DISPLAY": "wayland-0"})
    assert line[0].endswith("/chromium")
    assert "--kiosk" in line
    assert line[-1] == "http://127.0.0.1:8765/sign"


def test_without_a_desktop_cage_carries_it(programs):
    programs("chromium-browser", "cage")
    line = sign.kiosk("http://127.0.0.1:8765/sign", {})
    assert line[0].endswith("/cage")
    assert line[2].endswith("/chromium-browser")


@pytest.mark.parametrize(
    ("there", "missing"), [((), "chromium cage"), (("cage",), "chromium"), (("chromium",), "cage")]
)
def test_what_is_missing_is_named_with_its_package(programs, there, missing):
    programs(*there)
    with pytest.raises(MaskcamError, match=f"apt-get install {missing}$"):
        sign.kiosk("http://127.0.0.1:8765/sign", {})


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("", 2, "the page is off: expected a section [web]"),
        ("[web]\npassword = 'scrypt:1:1:1:AA==:AA=='\n", 2, "web.sign_public = false: expected true"),
        ("[web]\nport = 9000\n", 0, "http://127.0.0.1:9000/sign?lang=de"),
    ],
)
def test_the_settings_decide(programs, tmp_path, capsys, text, code, said):
    programs("chromium", "cage")
    (tmp_path / "m.toml").write_text(text)
    assert cli.main(["sign", "--config", str(tmp_path / "m.toml"), "--lang", "de", "--dry-run"]) == code
    captured = capsys.readouterr()
    assert said in captured.out + captured.err
