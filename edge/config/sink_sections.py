"""The sections of the sinks; `edge/sinks/registry.py` says how each is opened."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from edge.core.section import HARMLESS as _HARMLESS
from edge.core.section import PATH as _PATH
from edge.core.section import Section as _Section
from edge.core.section import secret as _secret
from edge.core.section import setting as _setting


class Jsonl(_Section):
    """Events as JSON lines. The section turns it on."""

    path: str = _setting("", "", "file to append to; empty: standard output", extra=_PATH)
    max_bytes: int = _setting(
        10_000_000, "bytes", "size at which the file is rotated to PATH.1; 0: never", ge=0, le=1_000_000_000_000
    )
    keep: int = _setting(3, "", "number of rotated files to keep (PATH.1, PATH.2, ...)", ge=0, le=1000)


_Pin = Annotated[int, Field(ge=0, le=65535)] | Annotated[str, Field(min_length=1)]


class Gpio(_Section):
    """An LED on a GPIO pin: on during an alert, blinking for other states. The section turns it on."""

    pin: _Pin = _setting(
        17,
        "",
        "Broadcom number (17 is GPIO17), header pin ('J8:11') or, with gpiod, the name of a line",
        extra=_HARMLESS,
    )
    active_high: bool = _setting(True, "", "whether a high level turns the LED on")
    driver: Literal["auto", "gpiozero", "gpiod", "mock"] = _setting(
        "auto", "", "auto: gpiozero on a Raspberry Pi, gpiod on other boards; 'mock' drives no hardware and says so"
    )
    heartbeat: bool = _setting(True, "", "flash every 3 s while everything works; false: stay dark")
    self_test: bool = _setting(True, "", "flash twice at startup")
    lit_when_stopped: bool = _setting(False, "", "whether the LED stays on when the service stops")
    announce: bool = _setting(True, "", "log every change of what the LED shows")


class Buzzer(_Section):
    """A buzzer on a GPIO pin: beeps during an alert. The section turns it on."""

    pin: _Pin = _setting(27, "", "as for sinks.gpio", extra=_HARMLESS)
    active_high: bool = _setting(True, "", "whether a high level turns the buzzer on")
    driver: Literal["auto", "gpiozero", "gpiod", "mock"] = _setting("auto", "", "as for sinks.gpio")
    self_test: bool = _setting(False, "", "beep twice at startup")
    announce: bool = _setting(True, "", "log when the buzzer turns on or off")


Kind = Literal["decision", "no_mask", "all_clear", "state", "snooze", "summary", "person"]


class Webhook(_Section):
    """Events posted to a URL as JSON. The section turns it on."""

    url: str = _setting(
        "http://127.0.0.1:8080/maskcam",
        "",
        "https:// or http:// URL; name:password@host is sent as basic authentication",
        extra=_secret("address"),
        pattern="^https?://.",
    )
    kinds: list[Kind] = _setting(
        ["no_mask", "all_clear", "summary"],
        "",
        "events to post: decision, no_mask, all_clear, state, snooze, summary, person",
    )
    timeout: float = _setting(5.0, "s", "time limit for the response", gt=0, le=60)


class Command(_Section):
    """A program that is run for events, such as a sound player. The section turns it on."""

    argv: list[str] = _setting(
        ["aplay", "-q", "/usr/share/sounds/alsa/Front_Center.wav"],
        "",
        "program and arguments, run without a shell",
        min_length=1,
        extra=_secret("command"),
    )
    kinds: list[Kind] = _setting(["no_mask"], "", "events to run it for: the same as for the webhook")
    timeout: float = _setting(10.0, "s", "time after which the program is killed", gt=0, le=600)


class Mqtt(_Section):
    """Events to an MQTT broker. The section turns it on."""

    host: str = _setting(
        "127.0.0.1", "", "host name or address of the broker", pattern=r"^[^\x00-\x20\x7f]*$", max_length=253
    )
    port: int = _setting(1883, "", "port of the broker; usually 8883 with TLS", ge=1, le=65535)
    topic: str = _setting(
        "",
        "",
        "topic prefix; {device} and {camera} stand for their names; empty: maskcam, followed by the names that are set",
        pattern=r"^[^#+\x00-\x1f\x7f]*$",
        max_length=200,
    )
    client_id: str = _setting("", "", "client id; empty: a permanent one for this board", max_length=128)
    username: str = _setting("", "", "user name; empty: none", pattern=r"^[^\x00-\x1f\x7f]*$", max_length=256)
    password_file: str = _setting("", "", "file whose first line is the password; empty: none", extra=_PATH)
    tls: bool = _setting(False, "", "encrypt the connection and verify the broker with the system's certificates")
    ca_file: str = _setting("", "", "CA certificates for verifying the broker, PEM; turns TLS on", extra=_PATH)
    cert_file: str = _setting("", "", "client certificate, PEM; turns TLS on", extra=_PATH)
    key_file: str = _setting(
        "",
        "",
        "private key of the client certificate, PEM, without a passphrase; empty: it is in cert_file",
        extra=_PATH,
    )
    discovery: str = _setting(
        "homeassistant",
        "",
        "prefix of Home Assistant's discovery topics; empty: no discovery",
        pattern=r"^[^#+\x00-\x1f\x7f]*$",
        max_length=200,
    )
    timeout: float = _setting(5.0, "s", "time limit for the broker", gt=0, le=60)

    @field_validator("host")
    @classmethod
    def _alone(cls, host: str) -> str:
        """Refuses mqtt://broker and broker:1883, which other programs take; an IPv6 address has two colons or more."""
        if any(mark in host for mark in "/@[") or host.count(":") == 1:
            raise ValueError("is an address: expected a name alone, such as broker.local, the port as sinks.mqtt.port")
        return host

    @model_validator(mode="after")
    def _paired(self) -> Mqtt:
        if self.key_file and not self.cert_file:
            raise ValueError("key_file is set without cert_file: expected both, or neither")
        return self


class Snapshots(_Section):
    """Pictures of alerts in a folder of the device, faces blurred. Off unless this section turns it on."""

    path: str = _setting(
        "", "", "folder; empty: snapshots in the state folder of the service, /var/lib/maskcam", extra=_PATH
    )
    kinds: list[Literal["no_mask", "all_clear", "decision"]] = _setting(
        ["no_mask"], "", "events to take a picture of: no_mask, all_clear, decision", min_length=1
    )
    blur: bool = _setting(True, "", "blur the detected faces; false: people can be recognised")
    width: int = _setting(640, "px", "largest width of a picture", ge=64, le=4096)
    every: float = _setting(10.0, "s", "shortest time between two pictures", ge=0, le=86400)
    most: int = _setting(500, "", "maximum number of pictures; the oldest is deleted", ge=1, le=100_000)
    max_bytes: int = _setting(100_000_000, "bytes", "maximum size of all pictures", ge=100_000, le=1_000_000_000_000)
    keep_days: float = _setting(7.0, "days", "time a picture is kept; 0: no limit", ge=0, le=3650)


class History(_Section):
    """Keeps how many people came, when, and with which outcome; never a picture. The section turns it on."""

    path: str = _setting(
        "", "", "database file; empty: history.db in the state folder of the service, /var/lib/maskcam", extra=_PATH
    )
    most: int = _setting(200_000, "", "maximum number of visits to keep; 200000 take about 8 MB", ge=100, le=10_000_000)
    keep_days: float = _setting(365.0, "days", "time a visit is kept; 0: no limit", ge=0, le=36500)
    every: float = _setting(60.0, "s", "interval between writes; a power cut loses at most this", ge=1, le=3600)
