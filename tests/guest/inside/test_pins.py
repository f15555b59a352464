"""The real sinks on a simulated bank of GPIO lines, whose level is read from the other side."""

import subprocess
import sys
import time
from contextlib import closing, contextmanager
from functools import partial

import pytest
from conftest import until

from edge import assemble, config
from edge.core.errors import SinkError
from edge.core.records import Event
from edge.sinks.buttons import Button
from edge.sinks.isolated import Isolated

QUIET = {"pin": "17", "heartbeat": "false", "self_test": "false"}
ALARM, CLEAR, LOST = Event("no_mask", 1.0), Event("all_clear", 2.0), Event("state", 3.0, state="camera lost")
PROMPT = 5.0
"""Seconds an emulated processor may take from the event to the level."""
HOLD = """
import time
from edge.sinks.pins import GpiodPin
pin = GpiodPin(17, active_high=True, lit=True)
print("lit", flush=True)
time.sleep(600)
"""


def section(**options):
    wanted = [f"sinks.gpio.{name}={value}" for name, value in (QUIET | options).items()]
    return config.load(None, wanted).sinks.gpio


@contextmanager
def light(**options):
    """The sink as the service has it: behind a thread of its own."""
    opened = partial(assemble.sink, "gpio", section(**options), True)
    with closing(Isolated("sinks.gpio", opened, restate=True)) as sink:
        yield sink


@pytest.mark.parametrize("pin", ["17", "'GPIO17'"])
def test_the_line_is_high_while_the_alert_stands(line, pin):
    with light(driver="'gpiod'", pin=pin) as sink:
        for event, level in ((ALARM, 1), (CLEAR, 0), (ALARM, 1)):
            sink.send(event)
            print(f"{event.kind}: level {level} after {line.becomes(level, PROMPT):.3f} s")
    assert line.level == 0, "closed, it is in its safe state"


def test_a_led_wired_from_the_supply_is_lit_by_a_low_level(line):
    line.pull("up")
    with light(driver="'gpiod'", active_high="false") as sink:
        for event, level in ((CLEAR, 1), (ALARM, 0), (CLEAR, 1)):
            sink.send(event)
            line.becomes(level, PROMPT)


def test_a_lost_camera_blinks(line):
    with light(driver="'gpiod'") as sink:
        sink.send(LOST)
        for _ in range(5):
            line.becomes(1, PROMPT)
            line.becomes(0, PROMPT)


def test_gpiozero_and_lgpio_drive_the_same_line(line, monkeypatch, tmp_path):
    """Unmodified but for the board's revision, which a machine that is no Pi does not have."""
    monkeypatch.chdir(tmp_path)  # lgpio leaves a file where it is
    import gpiozero
    from gpiozero.pins.lgpio import LGPIOFactory

    monkeypatch.setattr(LGPIOFactory, "_get_revision", lambda self: 0xC03114)
    monkeypatch.setattr(gpiozero.Device, "pin_factory", LGPIOFactory(chip=0))
    with light(driver="'gpiozero'") as sink:
        for event, level in ((ALARM, 1), (CLEAR, 0), (ALARM, 1)):
            sink.send(event)
            print(f"{event.kind}: level {level} after {line.becomes(level, PROMPT):.3f} s")
    line.becomes(0, PROMPT)
    gpiozero.Device.pin_factory.close()


@pytest.mark.parametrize(("active_high", "rest", "press"), [(False, "up", "down"), (True, "down", "up")])
def test_the_kernel_keeps_the_press_of_a_button_until_it_is_asked(line, active_high, rest, press):
    line.pull(rest)
    with closing(Button(17, active_high, "gpiod")) as button:
        assert (button.problem, button.pressed()) == ("", False)
        line.pull(rest)  # asked for a resistor, the simulated bank turns its own pull
        assert not button.pressed()
        for way in (press, rest):
            line.pull(way)
            time.sleep(0.2)  # longer than contacts bounce
        assert (button.pressed(), button.pressed()) == (True, False)


def test_what_is_wrong_with_a_line_is_said(line):
    with pytest.raises(SinkError, match=r"no line of that name on /dev/gpiochip0: expected a name that gpioinfo"):
        assemble.sink("gpio", section(driver="'gpiod'", pin="'PIN_NOWHERE'"), True)
    with holder(), pytest.raises(SinkError, match=r"busy.*systemctl stop maskcam"):
        assemble.sink("gpio", section(driver="'gpiod'"), True)


def test_a_sink_whose_line_is_taken_lights_it_as_soon_as_it_can(line):
    line.pull("up")
    with holder() as other, light(driver="'gpiod'", active_high="false") as sink:
        sink.send(ALARM)
        until(lambda: "in use" in sink.problem, PROMPT)
        other.kill()
        print(f"lit {line.becomes(0, 15):.1f} s after the line came free")


@contextmanager
def holder():
    """Another process that has the line and drives it high."""
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "lit\n"
        yield process
        process.kill()


def test_killed_it_loses_the_line_and_alerts_off_drives_it(line):
    """The wiring pulls the line up, so that what drives it low can be seen."""
    line.pull("up")
    with holder() as process:
        assert line.level == 1
        process.kill()
    command = ["/opt/maskcam/bin/maskcam", "alerts", "off"]
    command += [word for name in ("pin=17", "driver='gpiod'") for word in ("--set", f"sinks.gpio.{name}")]
    assert subprocess.run(command).returncode == 0
    print(f"the kernel saw {line.driven()}; the holder was {process.pid}")
    assert line.driven()[-1][1] == 0
    assert line.driven()[-1][0] != process.pid
    assert line.level == 1, "given back, it is what the wiring makes of it"
