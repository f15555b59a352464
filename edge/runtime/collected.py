"""The folder of the door's own data set: `images/` and a COCO file, ready for training.

Each face has an unknown state until somebody labels it. A picture shows one recognisable person: the other faces are
blurred.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.core import json_text
from edge.core.errors import SinkError
from edge.core.files import in_turn, mark, write
from edge.core.geometry import Box
from edge.core.labels import CATEGORIES, FACE
from edge.core.records import Image, Observation, Track
from edge.core.retention import DAY, Dates, Kept, Limits
from edge.vision.blur import blurred

FILE = "coco.json"
UNLABELLED = CATEGORIES.index(FACE) + 1
"""Category of a face that nobody has labelled yet."""
SURROUNDINGS = 0.65
"""Margin kept around a face, in sides of its box: what training needs."""
QUALITY = 92
OURS = re.compile(r"\d{8}T\d{6}-[a-z]+-\d+\.jpg|\.\d{8}T\d{6}-[a-z]+-\d+(\.\d+)+\.part\.jpg")
"""File name of a picture, or of a partial one that a power cut left."""


ATTEMPTS = 3
"""To add a picture to a list that others write."""


Mark = tuple[int, ...]


class _Changed(Exception):
    """Somebody has written the list since it was read."""


@dataclass(frozen=True, slots=True)
class Find:
    """A picture to keep: one person in one frame, and why."""

    observation: Observation
    track: Track
    said: str
    """One of `edge.core.records.OUTCOMES`."""
    confidence: float
    why: str
    """ "unsure", "changed", "sample" or "wrong"."""


class Folder:
    """The data set on the disk. Raises SinkError if it cannot be read or written.

    most, max_bytes: limits of all pictures; beyond them the oldest unlabelled picture is removed, labelled ones stay.
    keep_days: after that every picture is removed, labelled or not; ignored while the clock is not set.
    """

    def __init__(
        self,
        path: Path,
        what: str,
        most: int,
        max_bytes: int,
        keep_days: float,
        clock_set: Callable[[], bool | None] = lambda: None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.path, self._what, self._limits = path, what, Limits(most, max_bytes, keep_days * DAY)
        self._clock_set, self._wall = clock_set, wall
        self._dates: Dates[int] = Dates()
        self._run = f"{int(wall()):x}"
        try:
            (path / "images").mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(f"collect: '{path}': no folder to write to ({error.strerror})") from None

    @property
    def pictures(self) -> int:
        return len(self._read()[0]["images"])

    def add(self, one: Find) -> None:
        """Writes the picture, then the annotations; a power cut between the two loses one picture.

        A labelling page waits its turn; another program does not, and what it wrote meanwhile is read again.
        """
        for _ in range(ATTEMPTS):
            with contextlib.suppress(_Changed), in_turn(self.path):
                return self._add(one)
        raise SinkError(f"collect: '{self.path / FILE}' is written by another program all the time: a picture is lost")

    def _add(self, one: Find) -> None:
        image, boxes = cut(one, whole=self._what == "frame")
        good, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        if not good:
            raise SinkError("collect: this OpenCV does not write JPEG")
        now = self._wall()
        content, known = self._read()
        number = _next(content["images"])
        name = f"{datetime.fromtimestamp(now):%Y%m%dT%H%M%S}-{one.why}-{number}.jpg"
        entry: dict[str, Any] = {"id": number, "file_name": name, "width": image.shape[1], "height": image.shape[0]}
        entry |= {"source": "door", "cluster": f"{self._run}-{one.track.id}", "taken": round(now), "why": one.why}
        path = self.path / "images" / name
        try:
            if not self._clear(content, known, len(data)):
                return
            write(path, data.tobytes(), mode=0o600)
            content["images"].append(entry)
            for k, box in enumerate(boxes):
                content["annotations"].append(_annotation(content, number, box, one if k == 0 else None))
            self._write(content, known)
            self._dates.took(number, self._clock_set())
        except (OSError, _Changed) as error:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)  # no list names it, so it would never be removed
            if isinstance(error, _Changed):
                raise
            raise SinkError(f"collect: '{self.path}': cannot be written ({error.strerror})") from None

    def expire(self) -> None:
        """Removes pictures that are too old, and those without an annotation, which a power cut left."""
        with contextlib.suppress(_Changed), in_turn(self.path):  # changed: the next time
            self._expire()

    def _expire(self) -> None:
        content, known = self._read()
        try:
            before = json.dumps(content["images"])
            self._clear(content, known, 0)
            if json.dumps(content["images"]) != before:
                self._write(content, known)
            self._sweep({i["file_name"] for i in content["images"]})
        except OSError as error:
            raise SinkError(f"collect: '{self.path}': cannot be written ({error.strerror})") from None

    def _sweep(self, named: Collection[str]) -> None:
        age = self._limits.seconds
        for path in (self.path / "images").iterdir() if age and self._clock_set() is not False else ():
            old = path.name not in named and OURS.fullmatch(path.name) and path.stat().st_mtime < self._wall() - age
            if old:
                path.unlink(missing_ok=True)

    def _read(self) -> tuple[dict[str, Any], Mark]:
        """The stored data set with the labels that people added since, and the mark of its file. Raises SinkError."""
        path = self.path / FILE
        try:
            known = mark(path)
            content = _checked(json_text.parse(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            names = [{"id": k, "name": name} for k, name in enumerate(CATEGORIES, 1)]
            return {"images": [], "annotations": [], "categories": names}, ()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SinkError(f"collect: '{path}' cannot be read ({error}): move it away, nothing is collected") from None
        return content, known

    def _write(self, content: dict[str, Any], known: Mark) -> None:
        """known: the mark of the file that `content` was read from. Raises _Changed and OSError."""
        self._check(known)
        write(self.path / FILE, json.dumps(content) + "\n", mode=0o600, durable=True)

    def _check(self, known: Mark) -> None:
        if mark(self.path / FILE) != known:
            raise _Changed

    def _clear(self, content: dict[str, Any], known: Mark, room: int) -> bool:
        """Removes what is too old, then the oldest until `room` bytes fit. Returns whether they fit. Raises OSError."""
        labelled = (a for a in content["annotations"] if a["category_id"] != UNLABELLED and not a.get("iscrowd"))
        now = None if self._clock_set() is False else self._wall()
        there = [Kept(i["id"], self._taken(i, now), self._size(i["file_name"])) for i in content["images"]]
        surplus, fits = self._limits.surplus(there, room, now, spared={a["image_id"] for a in labelled})
        gone = set(surplus)
        if gone:
            self._check(known)  # somebody may have labelled one of them
        for image in content["images"]:
            if image["id"] in gone:
                (self.path / "images" / Path(image["file_name"]).name).unlink(missing_ok=True)
                self._dates.forget(image["id"])
        content["images"] = [i for i in content["images"] if i["id"] not in gone]
        content["annotations"] = [a for a in content["annotations"] if a["image_id"] not in gone]
        return fits

    def _taken(self, image: dict[str, Any], now: float | None) -> float:
        """When it was taken, seconds since 1970; also in the file name, in case a labelling program drops it."""
        said = image.get("taken")
        if not isinstance(said, int | float):
            found = self._stat(image["file_name"])
            said = found.st_mtime if found else 0.0
        taken = self._dates.of(image["id"], said, now)
        if math.isfinite(taken):
            image["taken"] = round(taken)
        return taken

    def _size(self, name: str) -> int:
        found = self._stat(name)
        return found.st_size if found else 0

    def _stat(self, name: str) -> os.stat_result | None:
        try:
            return (self.path / "images" / Path(name).name).stat()
        except (OSError, ValueError):  # ValueError: a NUL in the name
            return None


def _checked(content: Any) -> dict[str, Any]:
    """Raises ValueError unless this is a data set of ours, whatever wrote it last: nothing is added to another one."""
    if not isinstance(content, dict):
        raise ValueError("no COCO annotations")
    needed = {"images": ("id", "file_name"), "annotations": ("image_id", "category_id"), "categories": ("id", "name")}
    for name, keys in needed.items():
        found = content.get(name)
        if not isinstance(found, list) or not all(isinstance(one, dict) and set(keys) <= one.keys() for one in found):
            raise ValueError(f"no COCO annotations: expected a list '{name}' with {' and '.join(keys)} in each entry")
    if not all(isinstance(i["file_name"], str) and isinstance(i["id"], int | str) for i in content["images"]):
        raise ValueError("the name or number of a picture is none")
    numbers = {str(one["name"]): one["id"] for one in content["categories"]}
    if any(numbers.get(name) != k for k, name in enumerate(CATEGORIES, 1)):
        raise ValueError(f"its categories are others than {', '.join(CATEGORIES)}, numbered from 1")
    return content


def _next(entries: Sequence[dict[str, Any]]) -> int:
    """An id that none of them has."""
    return 1 + max((one["id"] for one in entries if type(one.get("id")) is int), default=0)


def _annotation(content: dict[str, Any], image: int, box: Box, one: Find | None) -> dict[str, Any]:
    """The annotation of the person in question, or (None) of a blurred face, which is to be ignored."""
    number = _next(content["annotations"])
    bbox = [round(v, 1) for v in (box.x0, box.y0, box.width, box.height)]
    made = {"id": number, "image_id": image, "category_id": UNLABELLED, "bbox": bbox, "iscrowd": int(one is None)}
    return made | ({"said": one.said, "confidence": round(one.confidence, 3)} if one else {})


def cut(one: Find, whole: bool) -> tuple[Image, list[Box]]:
    """The picture with the other faces blurred, and the boxes in it, that of the person in question first."""
    image, box = one.observation.frame.image, one.track.box
    rows, columns = image.shape[:2]
    outer = Box(0, 0, columns, rows) if whole else box.square(SURROUNDINGS).clipped(columns, rows)
    left, top = int(outer.x0), int(outer.y0)
    part = np.ascontiguousarray(image[top : int(np.ceil(outer.y1)), left : int(np.ceil(outer.x1))]).copy()
    height, width = part.shape[:2]
    others = [t.box.moved(-left, -top) for t in one.observation.tracks if t.id != one.track.id]
    there = [b for b in others if b.clipped(width, height).area > 0]
    own = box.moved(-left, -top).clipped(width, height)
    face = part[int(own.y0) : int(own.y1) + 1, int(own.x0) : int(own.x1) + 1].copy()
    for other in there:
        blurred(part, other)
    if all(other.clipped(width, height).iou(own) == 0 for other in there):
        part[int(own.y0) : int(own.y1) + 1, int(own.x0) : int(own.x1) + 1] = face  # a neighbour's margin blurs none
    return part, [own, *(b.clipped(width, height) for b in there)]
