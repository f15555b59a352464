"""A light on a GPIO pin: on while somebody wears no mask."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Protocol

from edge.errors import ConfigError, MissingPackage, SinkError
from edge.records import Event


class Pin(Protocol):
    """What is used of `gpiozero.LED`."""

    def on(self) -> None: ...

    def off(self) -> None: ...

    def close(self) -> None: ...


class MockPin:
    """A pin of no board; `history` holds every electrical level it was set to (True is high), the first included."""

    def __init__(self, pin: int, active_high: bool = True) -> None:
        self.pin = pin
        self.active_high = active_high
        self.history = [not active_high]
        self.closed = False

    def on(self) -> None:
        self.history.append(self.active_high)

    def off(self) -> None:
        self.history.append(not self.active_high)

    def close(self) -> None:
        self.closed = True


class GpioSink:
    """Lights the LED at "no_mask", puts it out at "all_clear" and when closed.

    `pin` counts as Broadcom does (GPIO17 is 17). `active_high=False` is for an LED wired from the supply to the
    pin. `announce` hears every change as text. Raises MissingPackage, ConfigError or SinkError.
    """

    def __init__(
        self,
        pin: int,
        active_high: bool = True,
        driver: str = "mock",
        announce: Callable[[str], None] | None = None,
    ) -> None:
        self._name = f"GPIO{pin}"
        self._announce = announce
        self._lit = False
        self.pin: Pin = _open(pin, active_high, driver)

    def send(self, event: Event) -> None:
        if event.kind == "no_mask":
            self._light(True)
        elif event.kind == "all_clear":
            self._light(False)

    def close(self) -> None:
        try:
            self._light(False)
        finally:
            self.pin.close()

    def _light(self, lit: bool) -> None:
        if lit == self._lit:
            return
        try:
            (self.pin.on if lit else self.pin.off)()
        except Exception as error:  # the pin libraries below gpiozero raise their own kinds
            raise SinkError(f"LED {self._name}: cannot be switched ({error})") from error
        self._lit = lit
        if self._announce:
            self._announce(f"LED {self._name}: {'ON' if lit else 'OFF'}")


def _open(pin: int, active_high: bool, driver: str) -> Pin:
    if driver == "mock":
        return MockPin(pin, active_high)
    if driver != "gpiozero":
        raise ConfigError(f"gpio driver '{driver}': unknown; expected mock or gpiozero")
    try:
        gpiozero = import_module("gpiozero")
    except ModuleNotFoundError as error:
        raise MissingPackage("gpiozero", extra="pi") from error
    try:
        led: Pin = gpiozero.LED(pin, active_high=active_high, initial_value=False)
    except Exception as error:  # no board, no permission, pin in use: gpiozero and its pin libraries differ in kind
        raise SinkError(f"LED GPIO{pin}: cannot be opened ({error}): a Raspberry Pi, and the group 'gpio'?") from error
    return led
