"""Every setting of `maskcam`: the models below are the schema, the defaults and the documentation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, create_model, field_validator, model_validator

from edge.backends.registry import backends
from edge.config.service_sections import Collect, Update, Web
from edge.config.sink_sections import Buzzer, Command, Gpio, History, Jsonl, Mqtt, Snapshots, Webhook
from edge.core.section import PATH as _PATH
from edge.core.section import Section as _Section
from edge.core.section import secret as _secret
from edge.core.section import setting as _setting
from edge.sinks.registry import kinds

_NAME = r"^[^\x00-\x1f\x7f]*$"


class Device(_Section):
    """The name of this device, for receivers of events from several."""

    name: str = _setting(
        "", "", "name of this device, sent with every event; empty: the host name", pattern=_NAME, max_length=64
    )


class Camera(_Section):
    """Where the pictures come from."""

    name: str = _setting(
        "", "", "name of the place, such as 'back door', sent with every event", pattern=_NAME, max_length=64
    )

    source: Annotated[int, Field(ge=0, le=255)] | str = _setting(
        0,
        "",
        "V4L2 index or /dev/... path (preferably /dev/v4l/by-id/...), 'pi' or 'pi:1' (camera port of a "
        "Raspberry Pi), 'csi' or 'csi:1' (of a Jetson), rtsp:// or http(s):// URL, 'synthetic', or a "
        "video file (played in real time)",
        extra=_PATH | _secret("source"),
    )
    width: int = _setting(640, "px", "requested width", ge=64, le=7680)
    height: int = _setting(480, "px", "requested height", ge=64, le=4320)
    fps: float = _setting(30.0, "1/s", "requested frame rate", gt=0, le=240)
    format: Literal["MJPG", "YUYV", "auto"] = _setting(
        "MJPG",
        "",
        "requested pixel format of a V4L2 camera; YUYV needs no decoding, but USB 2 carries it only at "
        "VGA and 30 frames/s",
    )
    exposure: float = _setting(
        0.0, "ms", "exposure time of a camera that is connected to the board; 0: automatic", ge=0, le=1000
    )
    rotation: Literal[0, 90, 180, 270] = _setting(0, "degrees", "clockwise rotation of the picture")
    flip: Literal["none", "horizontal", "vertical"] = _setting("none", "", "mirroring, after the rotation")
    region: list[float] = _setting(
        [0.0, 0.0, 1.0, 1.0],
        "",
        "left, top, right and bottom of the part of the rotated picture to use, as fractions of its size",
        min_length=4,
        max_length=4,
    )
    covered: list[list[float]] = _setting(
        [],
        "",
        "parts of the rotated picture that are painted grey before anything sees them, each as in region: posters, "
        "television sets, a neighbour's window",
        max_length=32,
    )
    pixel_aspect: float = _setting(
        0.0,
        "",
        "width of a pixel divided by its height; 0: as the stream says. Recorders that send a 16:9 scene "
        "as 960x1080 need 1.85",
        ge=0,
        le=10,
    )
    timeout: float = _setting(10.0, "s", "time limit for opening a camera or a network stream", gt=0, le=600)
    lost_after: float = _setting(
        5.0, "s", "time without a usable frame after which the camera counts as lost", ge=0.5, le=600
    )
    frozen_after: float = _setting(
        10.0, "s", "time without a change in any pixel after which the camera counts as lost; 0: never", ge=0, le=3600
    )
    reopen: bool = _setting(True, "", "reopen a lost camera, without end; false: stop when the camera is lost")
    retry_first: float = _setting(
        0.5,
        "s",
        "delay before the first attempt to reopen a lost camera; it doubles with each attempt",
        ge=0.1,
        le=3600,
    )
    retry_longest: float = _setting(30.0, "s", "longest delay between two attempts", ge=0.1, le=3600)
    duration: float = _setting(0.0, "s", "length of the synthetic scene; 0: until stopped", ge=0, le=31_536_000)
    seed: int = _setting(
        0, "", "seed of the synthetic scene; the same seed gives the same pictures", ge=0, le=4_294_967_295
    )

    @field_validator("source")
    @classmethod
    def _an_address(cls, source: int | str) -> int | str:
        """Refuses "#", "?" and "/" in a password, which would end the host name."""
        _, mark, rest = str(source).partition("://")
        place = re.split(r"[/?#]", rest, maxsplit=1)[0]
        port = "" if "@" in place or place.startswith("[") else place.partition(":")[2]
        if mark and ("#" in rest or (port and not port.isdecimal())):
            raise ValueError(
                "holds a '#', '?' or '/' that ends the address too early: in a name or password write %23 for #, "
                "%3F for ?, %2F for / and %40 for @"
            )
        return source

    @field_validator("covered", mode="before")
    @classmethod
    def _areas(cls, areas: Any) -> Any:
        """Refuses a single area without the outer brackets, which is what people write first."""
        if not isinstance(areas, list) or not all(isinstance(area, list) and len(area) == 4 for area in areas):
            raise ValueError("is no list of areas of four numbers: expected as in [[0.6, 0.0, 1.0, 0.3]]")
        return areas

    @model_validator(mode="after")
    def _possible(self) -> Camera:
        for key, area in [("region", self.region), *(("covered", area) for area in self.covered)]:
            left, top, right, bottom = area
            if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
                raise ValueError(f"{key} = {area} must be left, top, right, bottom: 0 <= left < right <= 1, so top")
        x0, y0, x1, y1 = self.region
        for left, top, right, bottom in self.covered:
            if left <= x0 and top <= y0 and right >= x1 and bottom >= y1:
                raise ValueError(f"covered = {self.covered} leaves nothing to see of region = {self.region}")
        if self.retry_first > self.retry_longest:
            raise ValueError(f"retry_first = {self.retry_first} must not exceed retry_longest = {self.retry_longest}")
        return self


class Visibility(_Section):
    """When a picture shows too little to classify."""

    dark: float = _setting(20.0, "", "brightness (0 to 255) that 5 % of the picture must exceed; 0: off", ge=0, le=255)
    flat: float = _setting(
        8.0,
        "",
        "brightness step between neighbouring areas (0 to 255) that 1 % of the picture must exceed; 0: off",
        ge=0,
        le=255,
    )
    hold: float = _setting(
        1.0, "s", "seconds before a visibility change is reported; voting stops immediately", ge=0, le=60
    )


class Model(_Section):
    """The networks."""

    bundle: str = _setting("", "", "folder with a bundle.json; empty: the bundle that comes with maskcam", extra=_PATH)


if TYPE_CHECKING:
    _Engine = str
else:
    _NAMES = ("auto", *backends())
    _Engine = Literal[_NAMES]


class Backend(_Section):
    """What runs the networks, chosen per network: what is fast for one can be slow for the other."""

    detector: _Engine = _setting(
        "auto",
        "",
        "backend of the face detector; auto: the fastest one that gives correct results, measured when a "
        "live camera starts",
    )
    classifier: _Engine = _setting("auto", "", "backend of the mask classifier")
    strict: bool = _setting(False, "", "stop with an error instead of falling back to another backend")
    device: str = _setting("", "", "Edge TPU to use: 'usb', 'usb:0', 'pci:1'; empty: any")
    threads: int = _setting(2, "", "CPU threads per network", ge=1, le=64)

    @field_validator("device")
    @classmethod
    def _a_device(cls, device: str) -> str:
        if not re.fullmatch(r"((usb|pci)(:\d+)?)?", device):
            raise ValueError("names no Edge TPU: expected 'usb', 'usb:0', 'pci:1' or, for any, an empty text")
        return device


_Windows = Literal["auto"] | Annotated[int, Field(ge=1, le=4)]


class Detector(_Section):
    """Which detections count as faces."""

    threshold: float = _setting(0.0, "", "minimum score of a face; 0: the bundle's value", ge=0, lt=1)
    nms_iou: float = _setting(
        0.0,
        "",
        "intersection over union above which non-maximum suppression drops the weaker of two boxes; 0: "
        "the bundle's value",
        ge=0,
        lt=1,
    )
    windows: _Windows = _setting(
        "auto",
        "",
        "windows per frame, side by side, each a run of the network: more find more people far away and take longer; "
        "auto: one, or two where a tall frame fits none of the bundle's input shapes",
    )
    min_face: float = _setting(
        14.0, "px", "faces with a shorter side below this are tracked but not classified", ge=1, le=4320
    )


class Tracker(_Section):
    """Which face belongs to which person from frame to frame."""

    min_iou: float = _setting(
        0.2,
        "",
        "intersection over union of a predicted and a detected box from which they are the same person",
        gt=0,
        lt=1,
    )
    max_gap: float = _setting(1.0, "s", "time a person can go undetected and keep the same track", gt=0, le=60)
    smoothing: float = _setting(0.15, "s", "time constant of the velocity estimate", gt=0, le=10)
    duplicate: float = _setting(
        0.6, "", "covered share of a face from which it counts as a duplicate detection", gt=0, le=1
    )
    start_score: float = _setting(
        0.2,
        "",
        "the detector's score from which a face starts a track; a lower one continues it. Not for pictures, nor with "
        "a detector.threshold of your own",
        ge=0,
        le=1,
    )


class Judgement(_Section):
    """When a person counts as wearing a mask or not."""

    unsure_below: float = _setting(0.7, "", "verdicts with a lower confidence do not count as votes", ge=0.5, lt=1)
    min_votes: int = _setting(3, "votes", "minimum number of verdicts before a decision", ge=1, le=100)
    threshold: float = _setting(1.5, "votes", "evidence needed for a decision", gt=0, le=100)
    limit: float = _setting(
        4.0,
        "votes",
        "limit of the evidence; a higher limit makes decisions more stable and slower to change",
        gt=0,
        le=100,
    )
    recheck_every: float = _setting(0.5, "s", "interval between two classifications of a settled person", ge=0, le=600)
    not_a_face: float = _setting(
        0.5,
        "",
        "probability of 'no face' from which a detection is ignored; a bundle with a joint threshold weighs it against "
        "the detector's score; a higher value ignores less; 1: nothing",
        gt=0,
        le=1,
    )
    doubt_after: float = _setting(
        3.0, "s", "time with only unsure verdicts after which a decision is dropped", ge=0, le=600
    )

    @model_validator(mode="after")
    def _reachable(self) -> Judgement:
        if self.threshold > self.limit:
            raise ValueError(f"threshold = {self.threshold} must not exceed limit = {self.limit}")
        return self


class Alerts(_Section):
    """When the alert is raised and cleared."""

    raise_after: float = _setting(
        1.0, "s", "time one person must be without a mask before the alert is raised", ge=0, le=600
    )
    raise_share: float = _setting(
        0.8, "", "share of the frames within raise_after in which that person must be without a mask", gt=0, le=1
    )
    clear_after: float = _setting(
        2.0, "s", "time with nobody without a mask before the alert is cleared", ge=0, le=3600
    )
    cooldown: float = _setting(3.0, "s", "time after clearing before the alert can be raised again", ge=0, le=86400)
    incorrectly_worn: bool = _setting(
        True, "", "raise the alert for incorrectly worn masks too; false: they are reported and count as unsure"
    )
    face_score: float = _setting(
        0.35,
        "",
        "mean score of the last looks at a face from which it may raise the alert; a lower value misses fewer people, "
        "a higher one alarms less about hands, animals and patterns",
        ge=0,
        le=1,
    )
    snooze: float = _setting(
        3600.0, "s", "default time for which alerts are snoozed; a restart ends a snooze", ge=1, le=86400
    )


class Sinks(_Section):
    """Where events go."""

    log: bool = _setting(True, "", "write one log line per event")
    memory: bool = _setting(False, "", "keep events in memory, for tests")
    jsonl: Jsonl | None = None
    gpio: Gpio | None = None
    buzzer: Buzzer | None = None
    webhook: Webhook | None = None
    command: Command | None = None
    mqtt: Mqtt | None = None
    history: History | None = None
    snapshots: Snapshots | None = None


if not TYPE_CHECKING:  # with the sections that other packages bring
    _more = {name: (kind.section | None, None) for name, kind in kinds().items() if kind.section}
    Sinks = create_model("Sinks", __base__=Sinks, __doc__=Sinks.__doc__, __module__=__name__, **_more)


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
    collect: Collect | None = None
    update: Update = Update()
    web: Web | None = None
