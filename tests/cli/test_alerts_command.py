"""`maskcam alerts`: lights shown and put out."""

import pytest

from edge import cli, config
from edge.cli.alerts import play
from edge.config import sink_sections
from edge.core.records import STATES
from edge.sinks import pins
from edge.sinks.gpio import GpioSink
from edge.testing.defaults import with_defaults

GpioSink = with_defaults(GpioSink, sink_sections.Gpio())


@pytest.fixture
def opened(monkeypatch):
    """Every mock pin that was opened."""
    every = []

    class Pin(pins.MockPin):
        def __init__(self, *args):
            super().__init__(*args)
            every.append(self)

    monkeypatch.setitem(pins.DRIVERS, "mock", Pin)
    return every


@pytest.fixture
def maskcam(monkeypatch, tmp_path, capsys):
    """Runs the command with settings of its own; returns exit code, standard output and error."""

    def run(*args, settings=""):
        path = tmp_path / "maskcam.toml"
        path.write_text(settings)
        code = cli.main([*args, "--config", str(path)])
        return (code, *capsys.readouterr())

    return run


class Time:
    def __init__(self):
        self.now = 100.0

    def clock(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds


def test_every_pattern_is_played_for_its_time_and_told(capsys):
    time, light = Time(), GpioSink(17, driver="mock")
    light.pin._clock = time.clock
    play(light, 2.0, time.clock, time.sleep)
    assert time.now == pytest.approx(100.0 + 2.0 * (1 + len(STATES)))
    said = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1] for line in said] == ["alert", *STATES]
    assert said[0] == "LED GPIO17 (mock, no pin): alert: on"
    assert said[1] == "LED GPIO17 (mock, no pin): starting: 0.5 s on, 0.5 s off, over and over"
    during = {
        name: [high for t, high in light.pin.history if 100.0 + 2 * i - 1e-6 <= t < 102.0 + 2 * i - 1e-6]
        for i, name in enumerate(("alert", *STATES))
    }
    assert during["alert"] == [True]
    assert len(during["camera lost"]) == 20
    assert light.pin.levels[-1] is False


def test_alerts_test_tries_everything_and_says_what_fails(maskcam, opened):
    settings = """
    [sinks.gpio]
    driver = "mock"
    pin = 4
    [sinks.buzzer]
    driver = "mock"
    pin = "J8:13"
    [sinks.jsonl]
    [sinks.command]
    argv = ["/no-such-program"]
    """
    code, said, errors = maskcam("alerts", "test", "--seconds", "0.001", settings=settings)
    assert code == 2
    assert errors.startswith("maskcam: error: sinks.command: /no-such-program cannot be run")
    assert [pin.pin for pin in opened] == [4, "J8:13"]
    assert all(pin.closed and pin.levels[-1] is False for pin in opened)
    assert "LED GPIO4 (mock, no pin): camera lost: 0.1 s on, 0.1 s off, over and over" in said
    assert "buzzer J8:13 (mock, no pin): alert: 0.2 s on, 0.8 s off, over and over" in said
    assert '"detail": "a test of the alerts"' in said
    assert "sinks.jsonl: accepted a test event" in said


def test_alerts_test_without_any_alert(maskcam, opened):
    code, _, errors = maskcam("alerts", "test")
    assert (code, opened) == (2, [])
    assert errors == (
        "maskcam: error: no alert is switched on: expected a section such as [sinks.gpio] in the settings\n"
    )


def test_alerts_off_makes_every_pin_safe(maskcam, opened):
    settings = """
    [sinks.gpio]
    driver = "mock"
    lit_when_stopped = true
    [sinks.buzzer]
    driver = "mock"
    active_high = false
    [sinks.command]
    argv = ["/no-such-program"]
    """
    assert maskcam("alerts", "off", settings=settings) == (0, "", "")
    assert [(pin.pin, pin.levels, pin.closed) for pin in opened] == [(17, [True], True), (27, [True], True)]


def test_alerts_off_goes_on_after_a_pin_that_fails(maskcam, opened, monkeypatch):
    def busy(*args):
        raise OSError("busy")

    monkeypatch.setitem(pins.DRIVERS, "gpiod", busy)
    settings = '[sinks.gpio]\ndriver = "gpiod"\n[sinks.buzzer]\ndriver = "mock"\n'
    code, _, errors = maskcam("alerts", "off", settings=settings)
    assert code == 2
    assert errors.startswith("maskcam: error: sinks.gpio: pin '17' cannot be opened by gpiod: busy: it is in use")
    assert [pin.pin for pin in opened] == [27]


def test_alerts_off_where_nothing_is_switched_on(maskcam, opened):
    assert maskcam("alerts", "off") == (0, "", "")
    assert opened == []


def test_after_a_broken_file_alerts_off_knows_the_pins_of_the_last_good_settings(
    maskcam, opened, monkeypatch, tmp_path
):
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    (tmp_path / "state").mkdir()
    config.load_or_last_good([], ["sinks.gpio.pin=4", "sinks.gpio.driver=mock"], {}, tmp_path / "state").worked()
    assert maskcam("alerts", "off", settings="[sinks.gpio]\npin = -4\n")[0] == 0
    assert [pin.pin for pin in opened] == [4]
