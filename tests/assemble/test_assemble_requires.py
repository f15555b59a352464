"""What the installer asks of a configuration."""

from pathlib import Path

import pytest

from edge import cli

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("", []),
        ('[camera]\nsource = "rtsp://door/1"', ["network"]),
        ('[camera]\nsource = "pi"', []),
        ("[sinks.mqtt]", ["extra:mqtt", "network"]),
        ("[sinks.command]", ["sound"]),
        ('[sinks.webhook]\n[sinks.command]\n[backend]\nclassifier = "coral"', ["extra:coral", "network", "sound"]),
        ('[camera]\nsource = "door.mp4"\n[sinks.gpio]', []),
    ],
)
def test_a_word_per_need(settings, words, tmp_path, capsys):
    path = tmp_path / "a.toml"
    path.write_text(settings)
    assert cli.main(["config", "requires", "--config", str(path)]) == 0
    assert capsys.readouterr().out.split() == words


def test_every_drop_in_that_can_be_required_is_shipped():
    from edge.cameras import registry as cameras
    from edge.sinks import registry as sinks

    needs = {need for kind in (*cameras.BUILT_IN, *sinks.BUILT_IN) for need in kind.needs}
    assert needs | {"page"} == {path.stem for path in (ROOT / "systemd").glob("*.conf")}
