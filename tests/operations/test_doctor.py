"""The doctor as a whole: its records, its order, its command."""

import json
import sys

import pytest

from edge import cli, config
from edge.backends import registry
from edge.backends.selection.probe import ProbeResult
from edge.core import findings
from edge.core.errors import ConfigError
from edge.core.findings import MARKS, WIDTH, Finding, absent, bad, ok, warn
from edge.operations.doctor import networks, packages, runner
from edge.operations.doctor.packages import Package

NOTHING = dict.fromkeys(packages.DISTRIBUTIONS, Package())


@pytest.mark.parametrize("make", [warn, bad])
def test_nothing_is_wrong_without_a_remedy(make):
    with pytest.raises(ValueError, match="without a remedy"):
        make("disk", "full", "")


def test_the_table():
    lines = [
        ok("clock", "right").render(),
        absent("Coral", "none").render(),
        *bad("disk", "full", "rm").render().split("\n"),
    ]
    assert lines == [
        "✓ clock               right",
        "- Coral               none",
        "✗ disk                full",
        "                      → rm",
    ]
    assert ok("clock", "right").render(colour=True) == "\x1b[32m✓\x1b[0m clock               right"
    assert set(MARKS) == set(findings.COLOURS)


@pytest.fixture
def made_up(monkeypatch, tmp_path):
    """Examines a machine of the test's own: no program answers, no package but those named is installed."""

    def examine(load=config.load, files=(), **found):
        monkeypatch.setattr(packages, "look_at_all", lambda: {**NOTHING, **found})
        monkeypatch.setattr("edge.backends.selection.probe.probe", lambda candidates, *rest: rows(candidates[0].name))
        return list(runner.examine(load, files, tmp_path, lambda *command: None))

    def rows(name):
        if name == "tflite":
            return [ProbeResult("detector", name, 70.0, ""), ProbeResult("classifier", name, 0.94, "")]
        return [ProbeResult(stage, name, None, "not here") for stage in ("detector", "classifier")]

    return examine


def broken():
    raise ConfigError("/boot/firmware/maskcam.toml:3: camera.width = 0: expected more")


@pytest.mark.parametrize(
    "load", [config.load, broken, lambda: config.load(None, ["backend.detector=coral", "sinks.gpio={driver='gpiod'}"])]
)
def test_every_line_of_a_bare_machine(made_up, load):
    """Nothing is installed and nothing plugged in: every red or yellow line says what to do, and fits the table."""
    seen = made_up(load)
    assert {finding.name for finding in seen} >= {
        "operating system", "board", "power", "temperature", "clock", "disk", "Python", "NumPy", "OpenCV", "TFLite",
        "configuration", "last good", "groups", "camera", "Pi camera", "GPIO", "Coral", "bundle", "tflite", "service",
    }  # fmt: skip
    for finding in seen:
        assert finding.remedy or finding.state in ("ok", "absent"), finding
        assert len(finding.name) <= WIDTH
        assert finding.found
        assert "\n" not in finding.found + finding.remedy
        assert "could not be checked" not in finding.found, finding
    assert {"NumPy", "OpenCV", "TFLite", "camera"} <= {finding.name for finding in seen if finding.state == "bad"}


def test_what_the_settings_ask_for_and_is_missing_is_bad(made_up):
    def states(*overrides):
        return {finding.name: finding.state for finding in made_up(lambda: config.load(None, overrides))}

    plain = states("camera.source=synthetic")
    wants = states("camera.source=/dev/video7", "backend.detector=coral", "sinks.gpio.driver=gpiozero")
    for name in ("camera", "GPIO", "Coral", "coral"):
        assert (plain[name], wants[name]) == ("absent", "bad"), name
    assert (plain.get("gpiozero"), wants["gpiozero"]) == (None, "bad")
    button = states("collect.button_pin=23", "collect.button_driver=gpiod")
    assert (button["GPIO"], button["gpiod"]) == ("bad", "bad")
    assert states("collect.button_driver=gpiod")["GPIO"] == "absent", "without a pin there is no button"


def test_broken_settings_are_named_and_the_rest_is_looked_at(made_up):
    seen = {finding.name: finding for finding in made_up(broken)}
    assert seen["configuration"].found == "/boot/firmware/maskcam.toml:3: camera.width = 0: expected more"
    assert seen["last good"].state == "warn"
    assert seen["tflite"].state == "ok"


def test_a_check_that_stumbles_does_not_end_the_others(made_up, monkeypatch):
    def stumble(root):
        raise ZeroDivisionError("what a machine")
        yield

    monkeypatch.setattr("edge.operations.doctor.power.temperature", stumble)
    seen = {finding.name: finding for finding in made_up()}
    assert seen["temperature"].found == "could not be checked: ZeroDivisionError: what a machine"
    assert "clock" in seen


def test_without_pydantic_it_still_says_so(made_up, monkeypatch):
    def load():
        raise ImportError("No module named 'pydantic_core'")

    last = made_up(load)[-1]
    assert (last.name, last.state) == ("pydantic", "bad")
    assert "install --force-reinstall pydantic" in last.remedy


@pytest.mark.parametrize(
    ("ms", "why", "wanted", "state"),
    [
        (1.0, "", ["auto"], "ok"),
        (None, "not built with CUDA", ["auto"], "absent"),
        (None, "not built with CUDA", ["opencv-cuda"], "bad"),
        (None, "wrong answer: detector.scores is off", ["auto"], "warn"),
        (None, "opencv-cuda crashed (SIGSEGV)", ["tflite"], "warn"),
    ],
)
def test_what_a_probe_comes_to(ms, why, wanted, state):
    rows = [ProbeResult("detector", "opencv-cuda", 2.0, ""), ProbeResult("classifier", "opencv-cuda", ms, why)]
    finding = networks.backend("opencv-cuda", rows, wanted)
    assert (finding.state, why in finding.found) == (state, True)


def test_the_shipped_bundle_answers_right_here(monkeypatch):
    """The real probe, in a process of its own."""
    pytest.importorskip("ai_edge_litert", reason="no TFLite runtime")
    monkeypatch.setattr(registry, "BUILT_IN", registry.BUILT_IN[:1])
    seen = {finding.name: finding for finding in networks.networks(config.load(), coral_taken=False)}
    assert seen["bundle"].state == "ok"
    assert seen["tflite"].state == "ok", seen["tflite"]


def test_a_damaged_bundle_and_a_missing_one(tmp_path, write_bundle):
    folder = write_bundle(tmp_path / "b")
    (folder / "d.tflite").write_bytes(b"damaged")
    (finding,) = networks.networks(config.load(None, [f"model.bundle={folder}"]), coral_taken=False)
    assert (finding.state, "wrong digest" in finding.found) == ("bad", True)
    (finding,) = networks.networks(config.load(None, [f"model.bundle={tmp_path}/none"]), coral_taken=False)
    assert (finding.state, finding.remedy) == ("bad", "set model.bundle = ''")


def test_networks_that_nothing_runs(monkeypatch, tmp_path, write_bundle):
    monkeypatch.setattr(registry, "BUILT_IN", registry.BUILT_IN[:2])
    rows = [ProbeResult("detector", "", None, "no network")]
    monkeypatch.setattr("edge.backends.selection.probe.probe", lambda candidates, *rest: rows)
    folder = write_bundle(tmp_path / "b")
    seen = list(networks.networks(config.load(None, [f"model.bundle={folder}"]), coral_taken=True))
    assert [(finding.name, finding.state) for finding in seen][1:] == [("tflite", "absent"), ("coral", "absent")]
    assert seen[-1].found == "in use by the service; 'running' tells"
    *_, last = networks.networks(config.load(None, [f"model.bundle={folder}"]), coral_taken=False)
    assert (last.name, last.state) == ("backends", "bad")


@pytest.fixture
def said(monkeypatch, capsys):
    """Runs the command on given findings: exit code and standard output."""

    def run(given, *arguments):
        monkeypatch.setattr(runner, "examine", lambda load, files: iter(given))
        return cli.main(["doctor", *arguments]), capsys.readouterr().out

    return run


GOOD, WRONG = ok("clock", "right"), bad("disk", "full", "rm")


def test_the_command_in_words(said):
    assert said([GOOD, warn("x", "y", "z")]) == (
        0,
        f"{GOOD.render()}\n! x                   y\n{'':22}→ z\n\nnothing to fix\n",
    )
    code, out = said([GOOD, WRONG])
    assert (code, out.splitlines()[-1]) == (1, "1 to fix")
    assert "\x1b" not in out


def test_the_command_in_json(said):
    code, out = said([GOOD, WRONG], "--json")
    report = json.loads(out)
    assert (code, report["healthy"]) == (1, False)
    assert [Finding(**record) for record in report["findings"]] == [GOOD, WRONG]
    assert json.loads(said([GOOD], "--json")[1])["healthy"] is True


def test_colour_is_for_terminals(said, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert "\x1b[31m✗" in said([WRONG])[1]
    monkeypatch.setenv("NO_COLOR", "")
    assert "\x1b" not in said([WRONG])[1]
