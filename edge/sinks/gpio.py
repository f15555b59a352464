"""An LED or a buzzer on a GPIO pin: shows the alert and the state of the service."""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable, Mapping

from edge.core.errors import SinkError
from edge.core.records import Event
from edge.sinks.patterns import ALERT, LIGHT, OFF, ON, SELF_TEST, Pattern
from edge.sinks.pins import MockPin, Pin, line_name, open_pin

log = logging.getLogger(__name__)


class GpioSink:
    """Plays the pattern of the most urgent state: a lost camera, the alert, any other state.

    A lost camera comes first, since the alert may then be out of date. The sink has no thread and no
    clock: `advance` (see `edge.core.ports.Playing`) performs the steps of a pattern. Without it each pattern stays at
    its first step, on or off, which is enough for a replay. gpiozero's own `LED.blink` plays one on-off pair only, and
    not on other boards.

    pin, active_high, driver: see `edge.sinks.pins`. `active_high=False`: the LED is wired from the supply to the pin.
    patterns: by state; off for a state without one.
    name: of the device on the pin, for messages.
    safe: whether it is left on when closed, also when the program ends.
    self_test: start with two flashes.
    announce: called with a text for every change.
    Raises MissingPackage, ConfigError or SinkError; `close` raises nothing.
    """

    def __init__(
        self,
        pin: int | str,
        active_high: bool,
        driver: str,
        patterns: Mapping[str, Pattern] = LIGHT,
        name: str = "LED",
        safe: bool = False,
        self_test: bool = False,
        announce: Callable[[str], None] | None = None,
    ) -> None:
        self.name = f"{name} {line_name(pin)}"
        self._patterns, self._safe, self._announce = patterns, safe, announce
        self._alert = False
        self._state = ""
        self._lit: bool | None = safe
        """None: unknown, after a failure."""
        self._said = "ON" if safe else "OFF"
        self._due: float | None
        self.pin: Pin = open_pin(pin, active_high, driver, lit=safe)
        if isinstance(self.pin, MockPin):
            self.name += " (mock, no pin)"
        atexit.register(self.close)  # for a crash after which nobody closes it
        self._testing = self_test
        self._play(SELF_TEST if self_test else ON if safe else OFF)

    def send(self, event: Event) -> None:
        if event.kind == "state":
            self._state = event.state
        elif event.kind in ("no_mask", "all_clear"):
            self._alert = event.kind == "no_mask"
        if not self._testing:
            self._show()

    def advance(self, now: float) -> float | None:
        """See `edge.core.ports.Playing`."""
        if self._due is None:
            self._due = now + (self.pattern[0] if self.pattern else float("inf"))
        elif now >= self._due:
            self._step += 1
            if self._step == len(self.pattern) and self._testing:
                self._testing = False
                self._show()
                return self.advance(now)
            self._step %= len(self.pattern)
            self._set(self._step % 2 == 0)
            self._due = now + self.pattern[self._step]
        return None if self._due == float("inf") else self._due

    def close(self) -> None:
        atexit.unregister(self.close)
        try:
            try:
                self._set(self._safe)
            finally:
                self.pin.close()
        except Exception as error:  # an exception would prevent other sinks from being closed
            log.warning("%s: is not left in its safe state (%s)", self.name, error)
        self._say("ON" if self._safe else "OFF")

    def _show(self) -> None:
        urgent = self._state in ("camera lost", "engine fault", "stopping")
        shown = ALERT if self._alert and not urgent else self._state
        pattern = self._patterns.get(shown, OFF)
        if pattern != self.pattern:
            self._play(pattern)
        self._say({OFF: "OFF", ON: "ON"}.get(tuple(pattern), f"blinks ({shown})"))

    def _play(self, pattern: Pattern) -> None:
        self.pattern: Pattern = pattern
        """What it plays now."""
        self._step, self._due = 0, None
        self._set(pattern != OFF)

    def _set(self, lit: bool) -> None:
        if lit == self._lit:
            return
        try:
            self.pin.set(lit)
        except Exception as error:  # the pin libraries raise errors of their own
            self._lit = None
            raise SinkError(f"{self.name} cannot be switched ({error})") from error
        self._lit = lit

    def _say(self, text: str) -> None:
        if self._announce and text != self._said:
            self._announce(f"{self.name}: {text}")
        self._said = text
