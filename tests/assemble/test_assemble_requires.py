"""What the installer asks of a configuration."""

from pathlib import Path

import pytest

from edge import cli, config
from edge.assemble.requires import requires

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("", []),
        ('[camera]\nsource = "rtsp://door/1"', ["network"]),
        ('[camera]\nsource = "pi"', ["apt:python3-picamera2"]),
        ("[sinks.mqtt]", ["extra:mqtt", "network"]),
        ("[sinks.command]", ["sound"]),
        ('[sinks.webhook]\n[sinks.command]\n[backend]\nclassifier = "coral"', ["board:coral", "network", "sound"]),
        ('[camera]\nsource = "door.mp4"\n[sinks.gpio]\ndriver = "mock"', []),
        ('[sinks.gpio]\ndriver = "gpiozero"', ["apt:python3-lgpio", "extra:gpiozero"]),
        ('[sinks.buzzer]\ndriver = "gpiod"', ["extra:gpiod"]),
        ('[collect]\nbutton_pin = 5\nbutton_driver = "gpiod"', ["extra:gpiod"]),
        ('[collect]\nbutton_driver = "gpiod"', []),
        ("[web]\nport = 9000", ["extra:web", "page", "port:9000"]),
        ('[update]\nkey = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"', ["extra:update"]),
    ],
)
def test_a_word_per_need(settings, words, tmp_path, capsys):
    path = tmp_path / "a.toml"
    path.write_text(settings)
    assert cli.main(["config", "requires", "--config", str(path)]) == 0
    assert capsys.readouterr().out.split() == words


@pytest.mark.parametrize(
    ("raspberry_pi", "words"), [(True, ["apt:python3-lgpio", "extra:gpiozero"]), (False, ["extra:gpiod"])]
)
def test_pins_need_what_drives_them_on_their_board(raspberry_pi, words):
    settings = config.load(None, ["sinks.gpio.pin=17"])
    assert requires(settings, raspberry_pi) == words


def test_every_extra_that_can_be_required_is_one_of_maskcams():
    from edge.backends import registry as backends
    from edge.cameras import registry as cameras
    from edge.sinks import pins
    from edge.sinks import registry as sinks

    extras = config.sources.tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    rows = [kind.needs for kind in (*cameras.BUILT_IN, *sinks.BUILT_IN, *backends.BUILT_IN)] + list(pins.NEEDS.values())
    words = {word for needs in rows for word in needs if word.startswith("extra:")} | {"extra:web", "extra:update"}
    assert {word.removeprefix("extra:") for word in words} <= set(extras)


def test_every_drop_in_that_can_be_required_is_shipped():
    from edge.cameras import registry as cameras
    from edge.sinks import registry as sinks

    needs = {need for kind in (*cameras.BUILT_IN, *sinks.BUILT_IN) for need in kind.needs if ":" not in need}
    assert needs | {"page"} == {path.stem for path in (ROOT / "systemd").glob("*.conf")}
