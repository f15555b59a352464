"""The live picture as JPEG, made on request and shared by all who request the same frame."""

from __future__ import annotations

import threading

import cv2

from edge.core.records import Image
from edge.vision.draw import annotate
from edge.web.hub import Hub, Snapshot

QUALITY = 80
"""JPEG quality, 0..100."""


class Preview:
    """The newest frame of `hub`, at most `fps` new ones per second and at most `width` pixels wide."""

    def __init__(self, hub: Hub, fps: float, width: int) -> None:
        self._hub, self._every, self._width = hub, 1 / fps, width
        self._turn = threading.Lock()
        self._made: dict[bool, tuple[Snapshot, bytes]] = {}

    def jpeg(self, plain: bool = False) -> tuple[int, bytes] | None:
        """Index of the frame and its picture, with boxes unless `plain`; None before the first frame."""
        with self._turn:
            snapshot, made = self._hub.snapshot, self._made.get(plain)
            observation = snapshot.observation
            if observation is None:
                return None
            if made and (made[0] is snapshot or 0 <= snapshot.at - made[0].at < self._every):
                shown = made[0].observation
                return (shown.frame.index if shown else 0), made[1]
            image = observation.frame.image if plain else annotate(observation, snapshot.alert)
            data = encoded(image, self._width)
            self._made[plain] = snapshot, data
            return observation.frame.index, data


def encoded(image: Image, width: int, quality: int = QUALITY) -> bytes:
    """A JPEG of an RGB picture, scaled down if it is wider than `width` pixels."""
    if image.shape[1] > width:
        size = width, max(round(image.shape[0] * width / image.shape[1]), 1)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    good, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not good:
        raise ValueError("this OpenCV does not write JPEG")
    return data.tobytes()
