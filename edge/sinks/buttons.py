"""A push button on a GPIO pin. It is polled between two frames, and no press in between is missed.

gpiozero watches the pin in its own thread; with gpiod the kernel queues the edges until they are read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Protocol

from edge.core.errors import MaskcamError
from edge.sinks.pins import gpiod_library, gpiod_line, gpiozero_device, line_name, opened

log = logging.getLogger(__name__)

BOUNCE = 0.05
"""Debounce time in seconds."""


class Contact(Protocol):
    """The input pin of a button, with the board's pull-up or pull-down resistor where it has one."""

    def pressed(self) -> bool:
        """Whether it was pressed since the last call. Raises OSError where the pin is gone."""

    def close(self) -> None: ...


class MockContact:
    """A button without hardware, for trying the settings; tests call `press`."""

    def __init__(self, pin: int | str, active_high: bool = False) -> None:
        self.pin, self.active_high, self.closed = pin, active_high, False
        self._pressed = False

    def press(self) -> None:
        self._pressed = True

    def pressed(self) -> bool:
        pressed, self._pressed = self._pressed, False
        return pressed

    def close(self) -> None:
        self.closed = True


class GpiozeroContact:
    """A button on a Raspberry Pi; see `edge.sinks.pins.GpiozeroPin` for `pin`."""

    def __init__(self, pin: int | str, active_high: bool = False) -> None:
        self._heard = Event()
        self._button = gpiozero_device("Button", pin, pull_up=not active_high, bounce_time=BOUNCE)
        self._button.when_pressed = self._heard.set

    def pressed(self) -> bool:
        pressed = self._heard.is_set()
        self._heard.clear()
        return pressed

    def close(self) -> None:
        self._button.close()


class GpiodContact:
    """A button on any Linux board; see `edge.sinks.pins.GpiodPin` for `pin`."""

    def __init__(self, pin: int | str, active_high: bool = False) -> None:
        gpiod = gpiod_library()
        line = gpiod.line
        self._request, _ = gpiod_line(
            gpiod,
            pin,
            direction=line.Direction.INPUT,
            edge_detection=line.Edge.RISING,  # of what counts as pressed
            bias=line.Bias.PULL_DOWN if active_high else line.Bias.PULL_UP,
            active_low=not active_high,
            debounce_period=timedelta(seconds=BOUNCE),
        )

    def pressed(self) -> bool:
        pressed = False
        while self._request.wait_edge_events(0):
            self._request.read_edge_events()
            pressed = True
        return pressed

    def close(self) -> None:
        self._request.release()


DRIVERS: dict[str, Callable[..., Contact]] = {"mock": MockContact, "gpiozero": GpiozeroContact, "gpiod": GpiodContact}


class Button:
    """A button by pin and driver. A failure is logged and disables the button; the camera goes on.

    pin, driver: see `edge.sinks.pins`. active_high: whether a press makes the pin high; otherwise it connects the pin
    to ground.
    """

    def __init__(self, pin: int | str, active_high: bool = False, driver: str = "auto") -> None:
        self.name, self.problem = f"button {line_name(pin)}", ""
        self._contact: Contact | None = None
        try:
            self._contact = opened(DRIVERS, driver, pin, active_high)
        except MaskcamError as error:
            self._fails(str(error))
        if isinstance(self._contact, MockContact):
            self.name += " (mock, no pin)"

    def pressed(self) -> bool:
        """Whether it was pressed since the last call."""
        if self._contact is None:
            return False
        try:
            pressed = self._contact.pressed()
        except Exception as error:  # the pin libraries raise errors of their own
            self.close()
            self._fails(f"the pin is gone ({error}): maskcam doctor, then sudo systemctl reload maskcam")
            return False
        if pressed:
            log.info("%s: pressed", self.name)
        return pressed

    def close(self) -> None:
        contact, self._contact = self._contact, None
        try:
            if contact:
                contact.close()
        except Exception as error:  # an exception would prevent other parts from being closed
            log.warning("%s: is not released (%s)", self.name, error)

    def _fails(self, why: str) -> None:
        self.problem = f"{self.name}: {why}"
        log.error("%s; the camera runs without", self.problem)
