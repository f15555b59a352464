"""Push buttons: what a press comes to, and what a pin that cannot be had costs. No board."""

import sys
from datetime import timedelta
from inspect import signature
from types import SimpleNamespace

import pytest

from edge.sinks import buttons, pins
from edge.sinks.buttons import Button


def test_the_mock_says_that_it_is_one_and_tells_each_press_once(caplog):
    caplog.set_level("INFO")
    button = Button(23, driver="mock")
    assert (button.name, button.problem, button.pressed()) == ("button GPIO23 (mock, no pin)", "", False)
    button._contact.press()
    assert (button.pressed(), button.pressed()) == (True, False)
    assert "button GPIO23 (mock, no pin): pressed" in caplog.text
    contact = button._contact
    button.close()
    button.close()
    assert (contact.closed, button.pressed()) == (True, False)


@pytest.mark.parametrize("active_high", [False, True])
@pytest.mark.parametrize("name", [23, "GPIO23", "J8:16"])
def test_gpiozero_hears_a_press_and_not_the_release(board, active_high, name):
    button, pin = Button(name, active_high, "gpiozero"), board.pin(23)
    assert pin.pull == ("down" if active_high else "up")
    press, release = (pin.drive_high, pin.drive_low) if active_high else (pin.drive_low, pin.drive_high)
    assert not button.pressed()
    press()
    assert (button.pressed(), button.pressed()) == (True, False)
    release()
    assert not button.pressed()
    press()
    release()
    press()
    assert (button.pressed(), button.pressed()) == (True, False), "several between two frames are one"
    button.close()
    Button(name, active_high, "gpiozero").close()


def test_a_pin_that_is_taken_costs_the_button_and_says_so(board, caplog):
    first = Button(23, driver="gpiozero")
    second = Button(23, driver="gpiozero")
    assert second.problem.startswith("button GPIO23: pin '23' cannot be opened by gpiozero: ")
    assert "in use, perhaps by the service: systemctl stop maskcam; or by another section" in second.problem
    assert f"{second.problem}; the camera runs without" in caplog.text
    assert not second.pressed()
    second.close()
    first.close()


def test_without_the_package_or_a_pin_of_the_board_it_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "gpiod", None)
    assert "pip install 'gpiod>=2" in Button(23, driver="gpiod").problem
    monkeypatch.setattr(pins, "suited", lambda: "gpiozero")
    monkeypatch.setitem(sys.modules, "gpiozero", None)
    assert "pip install 'gpiozero>=2" in Button(23).problem, "auto picks as for the LED"


class Line:
    """Stands in for gpiod's request of one line: `pending` edges wait in the kernel."""

    def __init__(self) -> None:
        self.pending, self.released, self.gone = 0, False, False

    def wait_edge_events(self, timeout=None):
        assert timeout == 0, "a frame must never wait for a button"
        if self.gone:
            raise OSError(19, "No such device")
        return self.pending > 0

    def read_edge_events(self, max_events=None):
        self.pending -= 1
        return [SimpleNamespace()]

    def release(self):
        self.released = True


@pytest.fixture
def line(monkeypatch):
    gpiod = pytest.importorskip("gpiod", reason="gpiod is not installed")
    line = Line()

    def request_lines(path, config, consumer):
        line.asked = path, consumer, config
        return line

    monkeypatch.setattr(gpiod, "request_lines", request_lines)
    monkeypatch.setattr(pins, "_line", lambda library, name: ("/dev/gpiochip1", {"GPIO23": 5}[name]))
    return line


@pytest.mark.parametrize(("active_high", "bias"), [(False, "PULL_UP"), (True, "PULL_DOWN")])
def test_gpiod_reads_what_the_kernel_kept(line, active_high, bias):
    button = Button(23, active_high, "gpiod")
    path, consumer, config = line.asked
    asked = config[5]
    assert (path, consumer, button.problem) == ("/dev/gpiochip1", "maskcam", "")
    assert (asked.direction.name, asked.edge_detection.name, asked.bias.name) == ("INPUT", "RISING", bias)
    assert (asked.active_low, asked.debounce_period) == (not active_high, timedelta(milliseconds=50))
    assert not button.pressed()
    line.pending = 3
    assert (button.pressed(), button.pressed(), line.pending) == (True, False, 0)
    button.close()
    assert line.released


def test_a_pin_that_goes_away_costs_the_button_once(line, caplog):
    button = Button(23, driver="gpiod")
    line.gone = True
    assert not button.pressed()
    assert not button.pressed()
    assert "button GPIO23: the pin is gone ([Errno 19] No such device): maskcam doctor" in button.problem
    assert caplog.text.count("the camera runs without") == 1
    assert line.released


def test_the_stand_in_is_like_the_real_gpiod():
    gpiod = pytest.importorskip("gpiod", reason="gpiod is not installed")
    for name, arguments in (("wait_edge_events", (0,)), ("read_edge_events", ()), ("release", ())):
        signature(getattr(gpiod.LineRequest, name)).bind(None, *arguments)


def test_every_driver_of_a_light_has_one_of_a_button():
    assert set(buttons.DRIVERS) == set(pins.DRIVERS)
