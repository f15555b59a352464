"""Every setting of `maskcam`: the models below are the schema, the defaults and the documentation."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

_PATH = {"path": True}
"""Marks a setting that names a file."""


def _setting(default: Any, unit: str, description: str, **limits: Any) -> Any:
    """One row of the reference: default, unit ("" where there is none), help, and limits as pydantic's Field."""
    extra = {**limits.pop("extra", {}), "unit": unit}
    return Field(default, description=description, json_schema_extra=extra, **limits)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Camera(_Section):
    """Where the pictures come from."""

    source: int | str = _setting(
        0,
        "",
        "V4L2 index, /dev/... path, rtsp:// or http(s):// address, 'synthetic', or a video file (played in real time)",
        extra=_PATH,
    )
    width: int = _setting(640, "px", "width asked of the camera", ge=64, le=7680)
    height: int = _setting(480, "px", "height asked of the camera", ge=64, le=4320)
    fps: float = _setting(30.0, "1/s", "frame rate asked of the camera", gt=0, le=240)
    timeout: float = _setting(10.0, "s", "wait for a network stream before giving up", gt=0, le=600)
    duration: float = _setting(0.0, "s", "length of the synthetic scene; 0: until stopped", ge=0)
    seed: int = _setting(0, "", "of the synthetic scene: the same seed, the same pictures", ge=0)


class Model(_Section):
    """The networks."""

    bundle: str = _setting("", "", "folder with a bundle.json; empty: the one that comes with maskcam", extra=_PATH)


class Backend(_Section):
    """What runs the networks, chosen per stage: what is fast for one can be slow for the other."""

    detector: Literal["tflite", "opencv", "scripted"] = _setting("tflite", "", "engine of the face detector")
    classifier: Literal["tflite", "opencv", "scripted"] = _setting("tflite", "", "engine of the mask classifier")
    threads: int = _setting(2, "", "processor threads per network", ge=1, le=64)


class Detector(_Section):
    """Which faces count."""

    threshold: float = _setting(0.0, "", "score from which a box is a face; 0: the bundle's own choice", ge=0, lt=1)
    overlap: float = _setting(
        0.0, "", "intersection over union above which the weaker of two boxes goes; 0: the bundle's own", ge=0, lt=1
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
    doubt_after: float = _setting(3.0, "s", "of unsure verdicts only, until a decision is given up", ge=0)

    @model_validator(mode="after")
    def _reachable(self) -> Judgement:
        if self.threshold > self.limit:
            raise ValueError(f"threshold = {self.threshold} must not exceed limit = {self.limit}")
        return self


class Alerts(_Section):
    """When the alert goes up and down."""

    raise_after: float = _setting(1.0, "s", "one person without a mask, until the alert is raised", ge=0)
    clear_after: float = _setting(2.0, "s", "nobody without a mask, until it is cleared", ge=0)
    cooldown: float = _setting(3.0, "s", "after it is cleared, until it can be raised again", ge=0)


class Journal(_Section):
    """Events as JSON lines. The section turns it on."""

    path: str = _setting("", "", "file to append to; empty: standard output", extra=_PATH)


class Gpio(_Section):
    """A LED on a pin, lit while the alert stands. The section turns it on."""

    pin: int = _setting(17, "", "number of the pin as Broadcom counts: 17 is GPIO17", ge=0)
    active_high: bool = _setting(True, "", "whether the LED lights when the pin is high")
    driver: Literal["mock", "gpiozero"] = _setting("mock", "", "what drives the pin; 'mock' needs no hardware")
    announce: bool = _setting(True, "", "say in the log when the LED changes")


class Sinks(_Section):
    """Where events go."""

    log: bool = _setting(True, "", "one line per event in the log")
    memory: bool = _setting(False, "", "keep events in memory, for tests")
    journal: Journal | None = None
    gpio: Gpio | None = None


class Settings(_Section):
    """All settings of `maskcam`."""

    camera: Camera = Camera()
    model: Model = Model()
    backend: Backend = Backend()
    detector: Detector = Detector()
    tracker: Tracker = Tracker()
    decision: Judgement = Judgement()
    alerts: Alerts = Alerts()
    sinks: Sinks = Sinks()
