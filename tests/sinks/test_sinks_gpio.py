"""Lights and buzzers: what the pin is set to, and when. No board, no clock."""

import subprocess
import sys
import types
from inspect import signature
from pathlib import Path

import pytest

from edge.config import sink_sections
from edge.config.settings import Gpio
from edge.core.errors import ConfigError, MissingPackage, SinkError
from edge.core.records import FIGURES, KINDS, STATES, Event
from edge.sinks import pins
from edge.sinks.gpio import GpioSink
from edge.sinks.patterns import ALERT, BUZZER, LIGHT, OFF, ON, describe
from edge.testing.defaults import with_defaults

GpioSink = with_defaults(GpioSink, sink_sections.Gpio())

RAISED, CLEAR, DECISION = Event("no_mask", 1.0), Event("all_clear", 2.0), Event("decision", 0.5)


def state(name: str) -> Event:
    return Event("state", 0.0, state=name)


def watch(sink: GpioSink, seconds: float, start: float = 0.0) -> list[tuple[float, bool]]:
    """Lets time pass; returns the changes: (seconds since `start`, lit)."""
    seen, before, now = [], len(sink.pin.history), start
    while now <= start + seconds:
        due = sink.advance(now)
        seen += [(round(now - start, 6), lit is sink.pin.active_high) for lit in sink.pin.levels[before:]]
        before = len(sink.pin.history)
        if due is None:
            break
        assert due > now
        now = due
    return seen


@pytest.mark.parametrize(("active_high", "high"), [(True, True), (False, False)])
def test_the_light_follows_the_alert_and_tells_each_change_once(active_high, high):
    said = []
    sink = GpioSink(17, active_high, "mock", announce=said.append)
    for event in (DECISION, RAISED, RAISED, DECISION, CLEAR):
        sink.send(event)
    assert sink.pin.levels == [not high, high, not high]
    sink.send(RAISED)
    sink.close()
    assert sink.pin.levels == [not high, high, not high, high, not high]
    assert sink.pin.closed
    assert said == ["LED GPIO17 (mock, no pin): ON", "LED GPIO17 (mock, no pin): OFF"] * 2


def test_a_dark_light_is_closed_in_silence():
    said = []
    sink = GpioSink("J8:11", driver="mock", announce=said.append)
    sink.send(DECISION)
    sink.close()
    assert (sink.pin.levels, said, sink.pin.closed, sink.name) == ([False], [], True, "LED J8:11 (mock, no pin)")


def test_each_change_is_said_by_its_name_and_once():
    said = []
    sink = GpioSink(17, driver="mock", safe=True, announce=said.append)
    sink.send(RAISED)  # lit already
    sink.send(CLEAR)
    sink.send(state("camera lost"))
    sink.send(state("camera lost"))
    sink.close()
    name = "LED GPIO17 (mock, no pin)"
    assert said == [f"{name}: OFF", f"{name}: blinks (camera lost)", f"{name}: ON"]


def test_a_pin_is_not_set_to_what_it_is():
    sink = GpioSink(17, driver="mock")
    sink.send(state("starting"))
    sink.send(state("blind"))  # also begins with light
    assert sink.pin.levels == [False, True]


def test_a_steady_light_needs_no_waking():
    for event in (CLEAR, RAISED):
        sink = GpioSink(17, driver="mock")
        sink.send(event)
        assert sink.advance(0.0) is None
        assert sink.advance(1e9) is None


def test_the_mock_remembers_when():
    clock = iter([1.0, 2.5]).__next__
    pin = pins.MockPin(4, active_high=False, clock=clock)
    pin.set(True)
    assert pin.history == [(1.0, True), (2.5, False)]


@pytest.mark.parametrize("name", [name for name, pattern in LIGHT.items() if pattern not in (ON, OFF)])
def test_every_blinking_pattern_is_played_over_and_over(name):
    sink, pattern = GpioSink(17, driver="mock"), LIGHT[name]
    sink.send(state(name))
    assert sink.pin.levels == [False, True]  # at once, without waiting for the first step
    times = [sum(pattern[: i % len(pattern)]) + sum(pattern) * (i // len(pattern)) for i in range(2 * len(pattern) + 1)]
    seen = watch(sink, sum(pattern) * 2 + 0.01)
    assert [t for t, _ in seen] == pytest.approx(times[1:])
    assert [lit for _, lit in seen] == [i % 2 == 0 for i in range(1, len(times))]


def test_patterns_are_whole_and_tell_states_apart():
    assert set(LIGHT) == {ALERT, *STATES}
    assert len({tuple(pattern) for pattern in LIGHT.values()}) == len(LIGHT)
    for pattern in (*LIGHT.values(), *BUZZER.values()):
        assert len(pattern) % 2 == 0
        assert pattern == ON or all(seconds > 0 for seconds in pattern)
    assert describe(LIGHT["blind"]) == "0.1 s on, 0.2 s off, 0.1 s on, 1.6 s off, over and over"
    assert [describe(p) for p in (ON, OFF)] == ["on", "off"]


def shown(*events: Event) -> str:
    """The state whose pattern is played after the events."""
    sink = GpioSink(17, driver="mock")
    for event in events:
        sink.send(event)
    return next(name for name, pattern in LIGHT.items() if pattern == sink.pattern)


@pytest.mark.parametrize("calm", ["starting", "ok", "blind", "configuration error"])
def test_the_alert_is_more_urgent_than_most(calm):
    assert shown(state(calm)) == calm
    assert shown(state(calm), RAISED) == ALERT
    assert shown(RAISED, state(calm)) == ALERT
    assert shown(state(calm), RAISED, CLEAR) == calm


def test_a_lost_camera_is_more_urgent_than_the_alert_which_comes_back_with_the_camera():
    assert shown(RAISED, state("camera lost")) == "camera lost"
    assert shown(state("camera lost"), RAISED) == "camera lost"
    assert shown(RAISED, state("camera lost"), state("ok")) == ALERT
    assert shown(RAISED, state("stopping")) == "stopping"
    assert shown(RAISED, state("engine fault")) == "engine fault"


@pytest.mark.fault("the day ends while the alert stands", "a summary and other news", "the light stays on", "-")
@pytest.mark.parametrize("kind", sorted({*KINDS, *FIGURES} - {"all_clear", "state"}))
def test_news_that_is_no_all_clear_leaves_the_alert_on(kind):
    assert shown(state("ok"), RAISED, Event(kind, 1.5, state="off")) == ALERT


def test_a_state_said_twice_does_not_start_the_pattern_again():
    sink = GpioSink(17, driver="mock")
    sink.send(state("starting"))
    assert watch(sink, 0.4) == []
    sink.send(state("starting"))
    assert sink.advance(0.4) == 0.5


def test_the_buzzer_sounds_for_the_alert_alone():
    sink = GpioSink(27, driver="mock", patterns=BUZZER, name="buzzer")
    for name in STATES:
        sink.send(state(name))
        assert watch(sink, 10.0) == []
    sink.send(state("ok"))
    sink.send(RAISED)
    assert watch(sink, 1.1) == [(0.2, False), (1.0, True)]
    sink.send(CLEAR)
    assert sink.pin.levels[-1] is False


def test_the_self_test_runs_to_its_end_and_then_shows_what_holds():
    sink = GpioSink(17, driver="mock", self_test=True)
    assert sink.pin.levels == [False, True]
    sink.send(state("ok"))
    sink.send(RAISED)
    seen = watch(sink, 3.0)
    assert seen == [(0.2, False), (0.4, True), (0.6, False), (0.8, True)]
    assert sink.pattern == ON
    sink.send(CLEAR)
    assert sink.pattern == LIGHT["ok"]
    assert watch(sink, 0.06, 3.0) == [(0.05, False)]


def test_a_safe_state_may_be_lit():
    sink = GpioSink(17, active_high=False, driver="mock", safe=True)
    assert sink.pin.levels == [False]  # lit, from the first moment on
    sink.send(state("ok"))
    sink.send(RAISED)
    sink.close()
    assert sink.pin.levels[-1] is False


def test_close_raises_nothing_and_releases_the_pin(caplog):
    sink = GpioSink(17, driver="mock")
    sink.send(RAISED)

    def broken(lit):
        raise OSError("I/O error")

    sink.pin.set = broken
    with pytest.raises(SinkError, match=r"LED GPIO17 \(mock, no pin\) cannot be switched \(I/O error\)"):
        sink.send(CLEAR)
    sink.close()
    assert sink.pin.closed
    light = "LED GPIO17 (mock, no pin)"
    assert caplog.messages == [f"{light}: is not left in its safe state ({light} cannot be switched (I/O error))"]


CRASH = """
from edge.core.records import Event
from edge.sinks.gpio import GpioSink
sink = GpioSink(17, active_high=True, driver="mock")
sink.send(Event("no_mask", 0.0))
sink.pin.set = lambda lit: print("set", lit, flush=True)
raise RuntimeError("crash")
"""


def test_a_program_that_crashes_leaves_it_safe():
    done = subprocess.run([sys.executable, "-c", CRASH], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.stdout == "set False\n"
    assert "RuntimeError: crash" in done.stderr


def test_a_closed_light_is_left_alone_at_the_programs_end(monkeypatch):
    """The pin may be another program's by then."""
    at_the_end = []
    exits = types.SimpleNamespace(register=at_the_end.append, unregister=at_the_end.remove)
    monkeypatch.setattr("edge.sinks.gpio.atexit", exits)
    sink = GpioSink(17, driver="mock")
    assert at_the_end == [sink.close]
    sink.close()
    assert at_the_end == []


def test_a_driver_nobody_knows():
    with pytest.raises(ConfigError, match=r"'relay'.*expected auto, mock, gpiozero, gpiod"):
        GpioSink(17, driver="relay")


@pytest.mark.parametrize(("driver", "extra"), [("gpiozero", "pi"), ("gpiod", "jetson")])
def test_without_the_package_it_says_what_to_install(monkeypatch, driver, extra):
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(MissingPackage, match=rf"{driver}.*pip install '{driver}>=2"):
        GpioSink(17, driver=driver)


@pytest.mark.parametrize("active_high", [True, False])
@pytest.mark.parametrize("name", [17, "GPIO17", "J8:11", "BOARD11"])
def test_gpiozero_drives_the_pin(board, active_high, name):
    sink = GpioSink(name, active_high, driver="gpiozero")
    pin = board.pin(17)
    pin.clear_states()
    for event in (RAISED, CLEAR, RAISED):
        sink.send(event)
    sink.close()
    states = [bool(s.state) for s in pin.states]
    assert states == [not active_high, active_high, not active_high, active_high, not active_high]


def test_gpiozero_says_why_a_pin_cannot_be_had(board):
    sink = GpioSink(17, driver="gpiozero")
    with pytest.raises(SinkError, match=r"pin '17' cannot be opened by gpiozero: .*in use.*systemctl stop maskcam"):
        GpioSink(17, driver="gpiozero")
    sink.close()
    GpioSink(17, driver="gpiozero").close()
    with pytest.raises(SinkError, match=r"pin 'J8:1' cannot be opened by gpiozero: .*expected a pin of this board"):
        GpioSink("J8:1", driver="gpiozero")  # 3.3 V


def test_gpiozero_without_a_library_names_the_one_to_install(monkeypatch):
    gpiozero = pytest.importorskip("gpiozero", reason="gpiozero is not installed")

    def led(*args, **options):
        raise gpiozero.BadPinFactory("Unable to load any default pin factory!")

    monkeypatch.setattr(gpiozero, "LED", led)
    with pytest.raises(SinkError, match="apt install python3-lgpio"):
        GpioSink(17, driver="gpiozero")


class FakeChip:
    """Two chips: the second has GPIO17. `test_the_fake_is_like_the_real_gpiod` keeps it honest."""

    LINES = types.MappingProxyType({"/dev/gpiochip0": ["ID_SDA", ""], "/dev/gpiochip1": ["GPIO16", "GPIO17", "PQ.05"]})

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass

    def get_info(self):
        return types.SimpleNamespace(num_lines=len(self.LINES[self.path]))

    def get_line_info(self, line):
        return types.SimpleNamespace(name=self.LINES[self.path][line])


@pytest.fixture
def lines(monkeypatch):
    """gpiod on a board of two chips; returns everything that was asked of it."""
    real = pytest.importorskip("gpiod", reason="gpiod is not installed")
    asked = []

    class Request:
        def set_value(self, line, value):
            asked.append(("set", line, value.name))

        def release(self):
            asked.append("release")

    def request_lines(path, config, consumer):
        asked.append((path, consumer, {line: (s.active_low, s.output_value.name) for line, s in config.items()}))
        return Request()

    monkeypatch.setattr(real, "Chip", FakeChip)
    monkeypatch.setattr(real, "is_gpiochip_device", lambda path: path in FakeChip.LINES)
    monkeypatch.setattr(real, "request_lines", request_lines)
    monkeypatch.setattr(Path, "glob", lambda self, pattern: [Path(p) for p in reversed(FakeChip.LINES)])
    return asked


def test_the_fake_is_like_the_real_gpiod():
    gpiod = pytest.importorskip("gpiod", reason="gpiod is not installed")
    signature(gpiod.Chip).bind("/dev/gpiochip0")
    signature(gpiod.Chip.get_info).bind(None)
    assert list(signature(gpiod.Chip.get_line_info).parameters) == ["self", "line"]
    assert "num_lines" in gpiod.ChipInfo.__dataclass_fields__
    assert "name" in gpiod.LineInfo.__dataclass_fields__
    signature(gpiod.request_lines).bind("/dev/gpiochip0", config={}, consumer="maskcam")
    signature(gpiod.LineRequest.set_value).bind(None, 1, gpiod.line.Value.ACTIVE)
    signature(gpiod.LineRequest.release).bind(None)


@pytest.mark.parametrize(("pin", "offset"), [(17, 1), ("GPIO17", 1), ("PQ.05", 2)])
def test_gpiod_finds_the_line_by_name_and_drives_it(lines, pin, offset):
    sink = GpioSink(pin, active_high=False, driver="gpiod")
    sink.send(RAISED)
    sink.close()
    assert lines == [
        ("/dev/gpiochip1", "maskcam", {offset: (True, "INACTIVE")}),
        ("set", offset, "ACTIVE"),
        ("set", offset, "INACTIVE"),
        "release",
    ]


def test_gpiod_says_why_a_line_cannot_be_had(lines, monkeypatch):
    gpiod = sys.modules["gpiod"]
    with pytest.raises(SinkError, match=r"pin 'LED7'.*no line of that name on /dev/gpiochip0, .*gpioinfo"):
        GpioSink("LED7", driver="gpiod")

    def busy(*args, **options):
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(gpiod, "request_lines", busy)
    with pytest.raises(SinkError, match="busy: it is in use, perhaps by the service"):
        GpioSink(17, driver="gpiod")

    def denied(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(gpiod, "Chip", denied)
    with pytest.raises(SinkError, match="usermod -aG gpio"):
        GpioSink(17, driver="gpiod")
    monkeypatch.setattr(Path, "glob", lambda self, pattern: [])
    with pytest.raises(SinkError, match=r"there is no /dev/gpiochip\*"):
        GpioSink(17, driver="gpiod")
    monkeypatch.delattr(gpiod, "request_lines")
    with pytest.raises(SinkError, match=r"of version 1.*pip install 'gpiod>=2'"):
        GpioSink(17, driver="gpiod")


@pytest.mark.fault("a light without a pin", "no /dev/gpiochip*", "refused with the remedy", "-")
def test_the_driver_suits_the_board(tmp_path):
    with pytest.raises(SinkError, match=r"no GPIO pins .*driver = 'mock'"):
        pins.suited(tmp_path)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/gpiochip0").touch()
    assert pins.suited(tmp_path) == "gpiod"
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_text("Raspberry Pi 5 Model B Rev 1.0\0")
    assert pins.suited(tmp_path) == "gpiozero"


def test_a_light_is_never_silently_a_mock(monkeypatch):
    monkeypatch.setattr(pins, "suited", lambda: "gpiod")
    monkeypatch.setitem(pins.DRIVERS, "gpiod", lambda *args: pins.MockPin(*args))
    assert Gpio().driver == "auto"
    assert GpioSink(17).name.endswith("(mock, no pin)")
