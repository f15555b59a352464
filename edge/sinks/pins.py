"""Output pins through gpiozero, gpiod or a mock; buttons (`edge.sinks.buttons`) are opened the same way.

gpiozero knows a Raspberry Pi's header; libgpiod finds a line by its name on any board. A line belongs to the process
that requested it. When that ends in any way, the kernel releases the line: Raspberry Pi's own kernels leave the
level as it was last driven (dtparam=strict_gpiod changes that), others make it an input, and what the LED does then is
up to the wiring. After a `kill -9` no Python runs: `maskcam alerts off` is what makes the pin safe, as the unit's
ExecStopPost.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeVar

from edge.core.errors import ConfigError, MaskcamError, MissingPackage, SinkError

T = TypeVar("T")


class Pin(Protocol):
    """An output; `lit` means on, whatever level that needs."""

    def set(self, lit: bool) -> None: ...

    def close(self) -> None: ...


class MockPin:
    """A pin without hardware. `history`: (time, level) of every change, including the first; True is high."""

    def __init__(
        self, pin: int | str, active_high: bool, lit: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.pin = pin
        self.active_high = active_high
        self.history: list[tuple[float, bool]] = []
        self.closed = False
        self._clock = clock
        self.set(lit)

    @property
    def levels(self) -> list[bool]:
        """The levels of `history`."""
        return [level for _, level in self.history]

    def set(self, lit: bool) -> None:
        self.history.append((self._clock(), lit is self.active_high))

    def close(self) -> None:
        self.closed = True


class GpiozeroPin:
    """A pin of a Raspberry Pi: a Broadcom number (17), or a name of gpiozero ("GPIO17", "J8:11", "BOARD11")."""

    def __init__(self, pin: int | str, active_high: bool, lit: bool = False) -> None:
        self._led = gpiozero_device("LED", pin, active_high=active_high, initial_value=lit)

    def set(self, lit: bool) -> None:
        (self._led.on if lit else self._led.off)()

    def close(self) -> None:
        self._led.close()


class GpiodPin:
    """A line of any Linux board, by its name as `gpioinfo` prints it; the number 17 stands for "GPIO17".

    All chips under /dev are searched, since their numbers differ between boards and kernels.
    """

    def __init__(self, pin: int | str, active_high: bool, lit: bool = False) -> None:
        gpiod = gpiod_library()
        self._value = gpiod.line.Value
        self._request, self._line = gpiod_line(
            gpiod,
            pin,
            direction=gpiod.line.Direction.OUTPUT,
            active_low=not active_high,
            output_value=self._level(lit),
        )

    def _level(self, lit: bool) -> Any:
        return self._value.ACTIVE if lit else self._value.INACTIVE

    def set(self, lit: bool) -> None:
        self._request.set_value(self._line, self._level(lit))

    def close(self) -> None:
        self._request.release()


def line_name(pin: int | str) -> str:
    return f"GPIO{pin}" if isinstance(pin, int) else pin


def gpiozero_device(kind: str, pin: int | str, **options: Any) -> Any:
    """An LED or a Button of gpiozero. Raises MissingPackage, SinkError, and what gpiozero raises."""
    try:
        gpiozero = import_module("gpiozero")
    except ModuleNotFoundError as error:
        raise MissingPackage("gpiozero", extra="gpiozero") from error
    try:
        return getattr(gpiozero, kind)(pin, **options)
    except gpiozero.BadPinFactory as error:
        raise SinkError(
            f"no library drives the pins ({error}): apt install python3-lgpio, and an environment "
            "made with --system-site-packages; on a board that is no Raspberry Pi, driver = 'gpiod'"
        ) from error


def gpiod_library() -> Any:
    """Raises MissingPackage and SinkError."""
    try:
        gpiod = import_module("gpiod")
    except ModuleNotFoundError as error:
        raise MissingPackage("gpiod", extra="gpiod") from error
    if not hasattr(gpiod, "request_lines"):
        raise SinkError("package 'gpiod' is of version 1: expected 2 or newer: pip install 'gpiod>=2'")
    return gpiod


def gpiod_line(gpiod: Any, pin: int | str, **settings: Any) -> tuple[Any, int]:
    """The request that holds the line, and the line's number on its chip. Raises SinkError and OSError."""
    chip, line = _line(gpiod, line_name(pin))
    return gpiod.request_lines(chip, consumer="maskcam", config={line: gpiod.LineSettings(**settings)}), line


def _line(gpiod: Any, name: str) -> tuple[str, int]:
    """The first chip with a line of that name, and the number of the line."""
    chips = [str(path) for path in sorted(Path("/dev").glob("gpiochip*")) if gpiod.is_gpiochip_device(str(path))]
    if not chips:
        raise SinkError("there is no /dev/gpiochip*: expected a board with GPIO lines")
    for path in chips:
        with gpiod.Chip(path) as chip:
            for offset in range(chip.get_info().num_lines):
                if chip.get_line_info(offset).name == name:
                    return path, offset
    raise SinkError(f"no line of that name on {', '.join(chips)}: expected a name that gpioinfo prints")


def on_raspberry_pi(root: Path = Path("/")) -> bool:
    """Whether this board is a Raspberry Pi."""
    try:
        return "Raspberry Pi" in (root / "proc/device-tree/model").read_text(errors="replace")
    except OSError:
        return False


def suited(root: Path = Path("/")) -> str:
    """The driver for the pins of this board. Raises SinkError where there are none: no light is silently a mock."""
    if on_raspberry_pi(root):
        return "gpiozero"
    if any((root / "dev").glob("gpiochip*")):
        return "gpiod"
    raise SinkError(
        "this machine has no GPIO pins (no /dev/gpiochip*): take the section out, or set driver = 'mock' to try it "
        "without a pin"
    )


NEEDS = {
    "mock": frozenset[str](),
    "gpiozero": frozenset({"extra:gpiozero", "apt:python3-lgpio"}),
    "gpiod": frozenset({"extra:gpiod"}),
}
"""What each driver needs, in the words of `maskcam config requires`."""


def needs(driver: str, raspberry_pi: bool) -> frozenset[str]:
    """What the driver that a section names needs on a Raspberry Pi or on another board."""
    if driver == "auto":
        driver = "gpiozero" if raspberry_pi else "gpiod"
    return NEEDS[driver]


DRIVERS: dict[str, Callable[..., Pin]] = {"mock": MockPin, "gpiozero": GpiozeroPin, "gpiod": GpiodPin}


def open_pin(pin: int | str, active_high: bool, driver: str, lit: bool) -> Pin:
    """Opens a pin with a driver, at the level for `lit` from the start.

    Raises MissingPackage, ConfigError and SinkError.
    """
    return opened(DRIVERS, driver, pin, active_high, lit)


def opened(drivers: Mapping[str, Callable[..., T]], driver: str, pin: int | str, *arguments: object) -> T:
    """Opens a pin with the named driver; "auto" chooses by board.

    Raises MissingPackage, ConfigError and SinkError.
    """
    if driver == "auto":
        driver = suited()
    if driver not in drivers:
        raise ConfigError(f"gpio driver '{driver}': unknown; expected auto, {', '.join(drivers)}")
    try:
        return drivers[driver](pin, *arguments)
    except MissingPackage:
        raise
    except Exception as error:  # no board, no permission, pin in use: every library raises its own errors
        raise SinkError(f"pin '{pin}' cannot be opened by {driver}: {_said(error)}") from error


def _said(error: Exception) -> str:
    """The error, with a remedy if it has none."""
    text = str(error) or type(error).__name__
    if isinstance(error, MaskcamError):
        return text
    if "busy" in text.lower() or "in use" in text.lower():
        return f"{text}: it is in use, perhaps by the service: systemctl stop maskcam; or by another section"
    if isinstance(error, PermissionError) or "permission" in text.lower() or "can not open" in text.lower():
        return f"{text}: expected membership of the group 'gpio': usermod -aG gpio USER, then log in again"
    return f"{text}: expected a pin of this board and the group 'gpio'"
