"""Runs all checks, one after another."""

from __future__ import annotations

import getpass
import platform
import socket
import struct
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.backends.registry import backends
from edge.core.errors import ConfigError, SinkError
from edge.core.findings import Finding, bad, warn
from edge.core.probes import Run, run
from edge.operations.doctor import cameras, configuration, gpio, name, networks, packages, power, system, unit

if TYPE_CHECKING:
    from edge.config.settings import Settings


def examine(
    load: Callable[[], Settings], files: Sequence[Path], root: Path = Path("/"), run: Run = run
) -> Iterator[Finding]:
    """Yields the findings, which takes some seconds. `load` gives the settings of `files` or raises ConfigError."""
    yield from _guarded("operating system", system.operating_system, root, platform.machine())
    yield from _guarded("board", system.boards, root)
    yield from _guarded("power", power.throttling, root, run)
    yield from _guarded("temperature", power.temperature, root)
    yield from _guarded("clock", system.clock, datetime.now(), run)
    yield from _guarded("disk", system.disk, root)
    found = packages.look_at_all()
    yield from _guarded("packages", packages.packages, found, this_platform(root))
    yield from _guarded("configuration", configuration.configuration, load, files)
    yield from _guarded("configuration", configuration.unread, files, root)
    try:
        settings, broken = _settings(load)
    except ImportError as error:
        yield bad("pydantic", f"does not load: {error}", f"{packages.PIP} install --force-reinstall pydantic")
        return
    yield from _guarded("last good", configuration.last_good, root, broken)
    properties = unit.show(run)
    yield from _guarded("groups", _groups, root, properties)
    source = settings.camera.source
    yield from _guarded("camera", cameras.v4l2, root, source)
    yield from _guarded("Pi camera", cameras.pi, bool(found["picamera2"]), str(source).startswith("pi"), run)
    pins = {_driver(name, root) for name in _drivers(settings)} - {"mock"}
    yield from _guarded("GPIO", gpio.chips, root, bool(pins))
    yield from _guarded("GPIO", gpio.drivers, found, pins)
    yield from _guarded("pinmux", gpio.pinmux, system.board(root), root, bool(pins))
    wanted = {settings.backend.detector, settings.backend.classifier}
    for backend in backends().values():
        if backend.check:
            chosen = backend.name in wanted
            yield from _guarded(backend.name, backend.check, root, chosen, run, _newer_runtime(found))
    yield from _guarded("bundle", networks.networks, settings, properties.get("ActiveState") == "active")
    if settings.web and not settings.web.local:
        yield from _guarded("name.local", name.name, socket.gethostname(), settings.web.port, root)
    yield from _guarded("service", unit.unit, properties)
    yield from _guarded("running", unit.status, root)


def _guarded(name: str, check: Callable[..., Iterable[Finding]], *arguments: Any) -> Iterator[Finding]:
    """Runs a check; its failure on an unforeseen machine must not end the others."""
    try:
        yield from check(*arguments)
    except Exception as error:
        yield warn(name, f"could not be checked: {type(error).__name__}: {error}", "sudo maskcam doctor")


def _settings(load: Callable[[], Settings]) -> tuple[Settings, bool]:
    """The settings, or the defaults and True if they are broken. Raises ImportError if pydantic does not load."""
    from edge.config.settings import Settings

    try:
        return load(), False
    except ConfigError:
        return Settings(), True


def _drivers(settings: Settings) -> Iterator[str]:
    """Drivers of the pins in the settings."""
    for pin in (settings.sinks.gpio, settings.sinks.buzzer):
        if pin:
            yield pin.driver
    if settings.collect and settings.collect.button_pin != "":
        yield settings.collect.button_driver


def _driver(name: str, root: Path) -> str:
    """The driver that "auto" selects here; "gpiod" if there are no pins, which the check of the chips reports."""
    from edge.sinks.pins import suited

    try:
        return suited(root) if name == "auto" else name
    except SinkError:
        return "gpiod"


def _newer_runtime(found: dict[str, packages.Package]) -> str:
    """The installed TFLite runtime with which Google's libedgetpu crashes: LiteRT, or tflite-runtime 2.12 and newer."""
    if found["ai_edge_litert"]:
        return f"LiteRT {found['ai_edge_litert'].version}"
    version = found["tflite_runtime"].version or ""
    numbers = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    return f"tflite-runtime {version}" if numbers >= [2, 12] else ""


def _groups(root: Path, properties: dict[str, str]) -> Iterator[Finding]:
    """Checks permissions of the service's user if there is a service, otherwise of the present user."""
    user = properties.get("User") or getpass.getuser()
    return gpio.groups(root, user, properties.get("SupplementaryGroups", "").split())


def this_platform(root: Path) -> packages.Platform:
    name, version = platform.libc_ver()
    glibc = tuple(int(part) for part in version.split(".") if part.isdigit()) if name == "glibc" else ()
    jetson = any(word in system.board(root) for word in ("NVIDIA", "Jetson"))
    return packages.Platform(sys.version_info[:2], 8 * struct.calcsize("P"), glibc, jetson)
