"""Every setting of `maskcam`: the models below are the schema, the defaults and the documentation."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, create_model, field_validator, model_validator

from edge.backends.registry import backends
from edge.core.section import HARMLESS as _HARMLESS
from edge.core.section import PATH as _PATH
from edge.core.section import Section as _Section
from edge.core.section import secret as _secret
from edge.core.section import setting as _setting
from edge.sinks.registry import kinds

_NAME = r"^[^\x00-\x1f\x7f]*$"


class Device(_Section):
    """Which device this is, for those who hear from several."""

    name: str = _setting("", "", "stands on every event; empty: the host's name", pattern=_NAME, max_length=64)


class Camera(_Section):
    """Where the pictures come from."""

    name: str = _setting(
        "", "", "of the place, such as 'back door'; stands on every event", pattern=_NAME, max_length=64
    )

    source: int | str = _setting(
        0,
        "",
        "V4L2 index or /dev/... path (best /dev/v4l/by-id/...), 'pi' or 'pi:1' (Raspberry Pi's camera port), 'csi' or "
        "'csi:1' (Jetson's), rtsp:// or http(s):// address, 'synthetic', or a video file (played in real time)",
        extra=_PATH | _secret("source"),
    )
    width: int = _setting(640, "px", "width asked of the camera", ge=64, le=7680)
    height: int = _setting(480, "px", "height asked of the camera", ge=64, le=4320)
    fps: float = _setting(30.0, "1/s", "frame rate asked of the camera", gt=0, le=240)
    format: Literal["MJPG", "YUYV", "auto"] = _setting(
        "MJPG", "", "pixels asked of a V4L2 camera: YUYV costs no decoding, but USB 2 carries only VGA of it at 30 1/s"
    )
    exposure: float = _setting(0.0, "ms", "exposure time of a camera at the board; 0: automatic", ge=0, le=1000)
    rotation: Literal[0, 90, 180, 270] = _setting(0, "degrees", "turns the picture clockwise")
    flip: Literal["none", "horizontal", "vertical"] = _setting("none", "", "mirrors the turned picture")
    region: list[float] = _setting(
        [0.0, 0.0, 1.0, 1.0],
        "",
        "left, top, right and bottom of the part of the turned picture that counts, as fractions of it",
        min_length=4,
        max_length=4,
    )
    pixel_aspect: float = _setting(
        0.0,
        "",
        "width of a pixel by its height, as sent; 0: what the stream says. Recorders that send 960x1080 of a 16:9 "
        "scene want 1.85",
        ge=0,
        le=10,
    )
    timeout: float = _setting(10.0, "s", "wait for a camera or a network stream to open", gt=0, le=600)
    lost_after: float = _setting(5.0, "s", "without a usable frame, until the camera is lost", ge=0.5, le=600)
    frozen_after: float = _setting(
        10.0, "s", "without a change in any pixel, until the camera is lost; 0: never", ge=0, le=3600
    )
    reopen: bool = _setting(True, "", "open a lost camera again, for ever; false: a loss ends the run")
    retry_first: float = _setting(0.5, "s", "from the loss to the first attempt; each wait is twice the last", ge=0.1)
    retry_longest: float = _setting(30.0, "s", "longest wait between two attempts", le=3600)
    duration: float = _setting(0.0, "s", "length of the synthetic scene; 0: until stopped", ge=0)
    seed: int = _setting(0, "", "of the synthetic scene: the same seed, the same pictures", ge=0)

    @field_validator("source")
    @classmethod
    def _an_address(cls, source: int | str) -> int | str:
        """A "#", "?" or "/" in a password ends the host's name, and the camera is never reached."""
        _, mark, rest = str(source).partition("://")
        place = re.split(r"[/?#]", rest, maxsplit=1)[0]
        port = "" if "@" in place or place.startswith("[") else place.partition(":")[2]
        if mark and ("#" in rest or (port and not port.isdecimal())):
            raise ValueError(
                "holds a '#', '?' or '/' that ends the address too early: in a name or password write %23 for #, "
                "%3F for ?, %2F for / and %40 for @"
            )
        return source

    @model_validator(mode="after")
    def _possible(self) -> Camera:
        left, top, right, bottom = self.region
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            raise ValueError(f"region = {self.region} must be left, top, right, bottom: 0 <= left < right <= 1, so top")
        if self.retry_first > self.retry_longest:
            raise ValueError(f"retry_first = {self.retry_first} must not exceed retry_longest = {self.retry_longest}")
        return self


class Visibility(_Section):
    """When a picture shows too little to be judged."""

    dark: float = _setting(
        20.0, "", "brightness, of 255, that a twentieth of the picture must exceed; 0: off", ge=0, le=255
    )
    flat: float = _setting(
        8.0, "", "step of brightness, of 255, that a hundredth of the picture must exceed; 0: off", ge=0, le=255
    )
    hold: float = _setting(1.0, "s", "until a change is told; votes cease at once", ge=0, le=60)


class Model(_Section):
    """The networks."""

    bundle: str = _setting("", "", "folder with a bundle.json; empty: the one that comes with maskcam", extra=_PATH)


if TYPE_CHECKING:
    _Engine = str
else:
    _NAMES = ("auto", *backends())
    _Engine = Literal[_NAMES]


class Backend(_Section):
    """What runs the networks, chosen per stage: what is fast for one can be slow for the other."""

    detector: _Engine = _setting(
        "auto", "", "engine of the face detector; auto: the fastest that is right, measured for a live camera"
    )
    classifier: _Engine = _setting("auto", "", "engine of the mask classifier")
    strict: bool = _setting(False, "", "rather stop than run on another engine than the one asked for")
    device: str = _setting("", "", "which Edge TPU: 'usb', 'usb:0', 'pci:1'; empty: any")
    threads: int = _setting(2, "", "processor threads per network", ge=1, le=64)

    @field_validator("device")
    @classmethod
    def _a_device(cls, device: str) -> str:
        if not re.fullmatch(r"((usb|pci)(:\d+)?)?", device):
            raise ValueError("names no Edge TPU: expected 'usb', 'usb:0', 'pci:1' or, for any, an empty text")
        return device


_Windows = Literal["auto"] | Annotated[int, Field(ge=1, le=4)]


class Detector(_Section):
    """Which faces count."""

    threshold: float = _setting(0.0, "", "score from which a box is a face; 0: the bundle's own choice", ge=0, lt=1)
    nms_iou: float = _setting(
        0.0, "", "intersection over union above which the weaker of two boxes goes; 0: the bundle's own", ge=0, lt=1
    )
    windows: _Windows = _setting(
        "auto", "", "runs of the network per frame, side by side; auto: two where the frame is tall, else one"
    )
    min_face: float = _setting(20.0, "px", "faces whose shorter side is smaller are followed, not judged", ge=1)


class Tracker(_Section):
    """Which face is whose from frame to frame."""

    min_iou: float = _setting(0.2, "", "overlap of prediction and face that makes them one person", gt=0, lt=1)
    max_gap: float = _setting(1.0, "s", "how long a person may stay unseen and keep the number", gt=0)
    smoothing: float = _setting(0.15, "s", "time constant of a person's velocity", gt=0)
    duplicate: float = _setting(
        0.6, "", "covered part of a face from which it is a second box of the same one", gt=0, le=1
    )


class Judgement(_Section):
    """When a mask is held to be on or off."""

    unsure_below: float = _setting(0.7, "", "a verdict less certain than this is no vote", ge=0.5, lt=1)
    min_votes: int = _setting(3, "votes", "verdicts before anything is said of a person", ge=1)
    threshold: float = _setting(1.5, "votes", "evidence that ON or OFF needs to take the decision", gt=0)
    limit: float = _setting(
        4.0, "votes", "bound of the evidence: more makes decisions steadier and slower to flip", gt=0
    )
    recheck_every: float = _setting(0.5, "s", "between two looks at a person whose state is settled", ge=0)
    not_a_face: float = _setting(
        0.5, "", "probability that a box shows no face, from which it is nobody; 1: never", gt=0, le=1
    )
    doubt_after: float = _setting(3.0, "s", "of unsure verdicts only, until a decision is given up", ge=0)

    @model_validator(mode="after")
    def _reachable(self) -> Judgement:
        if self.threshold > self.limit:
            raise ValueError(f"threshold = {self.threshold} must not exceed limit = {self.limit}")
        return self


class Alerts(_Section):
    """When the alert goes up and down."""

    raise_after: float = _setting(1.0, "s", "one person without a mask, until the alert is raised", ge=0)
    raise_share: float = _setting(
        0.8, "", "part of the frames within raise_after in which that person must be without", gt=0, le=1
    )
    clear_after: float = _setting(2.0, "s", "nobody without a mask, until it is cleared", ge=0)
    cooldown: float = _setting(3.0, "s", "after it is cleared, until it can be raised again", ge=0)
    incorrectly_worn: bool = _setting(
        True, "", "whether a mask worn incorrectly raises it too; false: it is told, and counts like unsure"
    )
    snooze: float = _setting(
        3600.0, "s", "how long a switch silences alerts that says no time; a restart ends it", ge=1, le=86400
    )


class Jsonl(_Section):
    """Events as JSON lines. The section turns it on."""

    path: str = _setting("", "", "file to append to; empty: standard output", extra=_PATH)
    max_bytes: int = _setting(
        10_000_000, "bytes", "size at which the file becomes PATH.1 and a new one begins; 0: never", ge=0
    )
    keep: int = _setting(3, "", "how many older files PATH.1, PATH.2, ... stay", ge=0, le=1000)


_Pin = Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1)]


class Gpio(_Section):
    """A LED on a pin: steady while the alert stands, blinking for what else it has to say. The section turns it on."""

    pin: _Pin = _setting(
        17,
        "",
        "Broadcom number (17 is GPIO17), header pin ('J8:11') or, with gpiod, the name of a line",
        extra=_HARMLESS,
    )
    active_high: bool = _setting(True, "", "whether it lights when the pin is high")
    driver: Literal["auto", "gpiozero", "gpiod", "mock"] = _setting(
        "auto", "", "auto: gpiozero on a Raspberry Pi, gpiod on other boards; 'mock' lights nothing, and says so"
    )
    heartbeat: bool = _setting(True, "", "a wink every 3 s while all is well; false: dark")
    self_test: bool = _setting(True, "", "two flashes at the start")
    lit_when_stopped: bool = _setting(False, "", "the safe state: left on or off when the service ends")
    announce: bool = _setting(True, "", "say in the log what it shows")


class Buzzer(_Section):
    """A buzzer on a pin: beeps while the alert stands. The section turns it on."""

    pin: _Pin = _setting(27, "", "as for sinks.gpio", extra=_HARMLESS)
    active_high: bool = _setting(True, "", "whether it sounds when the pin is high")
    driver: Literal["auto", "gpiozero", "gpiod", "mock"] = _setting("auto", "", "as for sinks.gpio")
    self_test: bool = _setting(False, "", "two beeps at the start")
    announce: bool = _setting(True, "", "say in the log when it sounds")


Kind = Literal["decision", "no_mask", "all_clear", "state", "snooze", "summary", "person"]


class Webhook(_Section):
    """Events posted to an HTTP address as JSON. The section turns it on."""

    url: str = _setting(
        "http://127.0.0.1:8080/maskcam",
        "",
        "https:// or http://; name:password@host is sent as basic authentication",
        extra=_secret("address"),
        pattern="^https?://.",
    )
    kinds: list[Kind] = _setting(
        ["no_mask", "all_clear", "summary"],
        "",
        "of events to post: decision, no_mask, all_clear, state, snooze, summary, person",
    )
    timeout: float = _setting(5.0, "s", "wait for the answer", gt=0, le=60)


class Command(_Section):
    """A program run at events, such as a sound. The section turns it on."""

    argv: list[str] = _setting(
        ["aplay", "-q", "/usr/share/sounds/alsa/Front_Center.wav"],
        "",
        "program and arguments; no shell",
        min_length=1,
        extra=_secret("command"),
    )
    kinds: list[Kind] = _setting(["no_mask"], "", "of events to run it at: the same as those of a webhook")
    timeout: float = _setting(10.0, "s", "after which it is killed", gt=0, le=600)


class Mqtt(_Section):
    """Events to an MQTT broker. The section turns it on."""

    host: str = _setting("127.0.0.1", "", "of the broker")
    port: int = _setting(1883, "", "of the broker; usually 8883 with tls", ge=1, le=65535)
    topic: str = _setting(
        "",
        "",
        "what the topics begin with, {device} and {camera} in it are names; empty: maskcam, and below it the names of "
        "device and camera that were given one",
        pattern=r"^[^#+\x00]*$",
    )
    client_id: str = _setting("", "", "empty: one of this board's own, which stays", max_length=128)
    username: str = _setting("", "", "empty: none")
    password_file: str = _setting("", "", "file whose first line is the password; empty: none", extra=_PATH)
    tls: bool = _setting(False, "", "encrypt, and verify the broker with the system's certificates")
    ca_file: str = _setting("", "", "certificates to verify the broker with, PEM; turns tls on", extra=_PATH)
    cert_file: str = _setting("", "", "certificate that shows the broker who we are, PEM; turns tls on", extra=_PATH)
    key_file: str = _setting("", "", "its key, PEM, without a passphrase; empty: in cert_file", extra=_PATH)
    discovery: str = _setting(
        "homeassistant",
        "",
        "what Home Assistant's discovery topics begin with; empty: it is told nothing",
        pattern=r"^[^#+\x00]*$",
    )
    timeout: float = _setting(5.0, "s", "wait for the broker", gt=0, le=60)

    @model_validator(mode="after")
    def _paired(self) -> Mqtt:
        if self.key_file and not self.cert_file:
            raise ValueError("key_file is set without cert_file: expected both, or neither")
        return self


class History(_Section):
    """How many people came, when, and how it went, in a file; never a picture. The section turns it on."""

    path: str = _setting("", "", "file; empty: history.db in the service's own folder, /var/lib/maskcam", extra=_PATH)
    most: int = _setting(200_000, "", "visits that are kept; 200000 are about 8 MB", ge=100, le=10_000_000)
    keep_days: float = _setting(365.0, "days", "that a visit is kept; 0: until there are too many", ge=0, le=36500)
    every: float = _setting(60.0, "s", "between two writings: what a cut of the power can cost", ge=1, le=3600)


class Sinks(_Section):
    """Where events go."""

    log: bool = _setting(True, "", "one line per event in the log")
    memory: bool = _setting(False, "", "keep events in memory, for tests")
    jsonl: Jsonl | None = None
    gpio: Gpio | None = None
    buzzer: Buzzer | None = None
    webhook: Webhook | None = None
    command: Command | None = None
    mqtt: Mqtt | None = None
    history: History | None = None


if not TYPE_CHECKING:  # with the sections that other packages bring
    _more = {name: (kind.section | None, None) for name, kind in kinds().items() if kind.section}
    Sinks = create_model("Sinks", __base__=Sinks, __doc__=Sinks.__doc__, __module__=__name__, **_more)


class Update(_Section):
    """What may change this device."""

    key: str = _setting(
        "",
        "",
        "public key of minisign that signs updates: the second line of minisign.pub; empty: no updates",
        extra=_secret("key"),
    )


_HASH = r"^$|^scrypt:\d+:\d+:\d+:[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$"


class Web(_Section):
    """The page: live picture, state, settings, door sign, API and metrics. The section turns it on."""

    address: str = _setting(
        "127.0.0.1", "", "of this machine to serve at; 0.0.0.0 or :: for all, which needs a password or a token"
    )
    port: int = _setting(8765, "", "to serve at", ge=1, le=65535)
    password: str = _setting(
        "", "", "hash of the password, made by 'maskcam password'; empty: none, for this machine only", pattern=_HASH
    )
    token: str = _setting("", "", "hash of a token for programs, made by 'maskcam password'", pattern=_HASH)
    certificate: str = _setting("", "", "file with the certificate chain for https; empty: http", extra=_PATH)
    key: str = _setting("", "", "file with the certificate's private key", extra=_PATH)
    names: list[str] = _setting([], "", "host names by which browsers reach it, besides this machine's own")
    preview_fps: float = _setting(5.0, "1/s", "most frames of the live picture", gt=0, le=15)
    preview_width: int = _setting(960, "px", "greatest width of the live picture", ge=160, le=3840)
    healthy_within: float = _setting(15.0, "s", "since the last verdict, until /healthz answers 503", gt=0)
    sign_languages: list[str] = _setting(["en"], "", "languages of the door sign, in turn", min_length=1)
    sign_texts: str = _setting("", "", "file with more languages for the sign, like web/static/sign.toml", extra=_PATH)
    sign_public: bool = _setting(False, "", "show the sign without a password; it tells what can be seen at the door")

    @model_validator(mode="after")
    def _guarded(self) -> Web:
        try:
            local = ip_address(self.address).is_loopback
        except ValueError:
            raise ValueError(
                f"address = '{self.address}' must be an IP address, such as 127.0.0.1 or 0.0.0.0"
            ) from None
        if not (local or self.password or self.token):
            raise ValueError(
                f"address = '{self.address}' can be reached by others: set a password, made by 'maskcam password'"
            )
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key must be given together")
        return self


class Settings(_Section):
    """All settings of `maskcam`."""

    device: Device = Device()
    camera: Camera = Camera()
    model: Model = Model()
    backend: Backend = Backend()
    visibility: Visibility = Visibility()
    detector: Detector = Detector()
    tracker: Tracker = Tracker()
    decision: Judgement = Judgement()
    alerts: Alerts = Alerts()
    sinks: Sinks = Sinks()
    update: Update = Update()
    web: Web | None = None
