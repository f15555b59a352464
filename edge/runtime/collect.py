"""Pictures for the door's own data set: what the camera was unsure of, changed its mind about, or was told is wrong.

Off unless the settings turn it on, bounded, never sent. The folder is a data set as it stands: `images/` and a COCO
file, each face annotated as of unknown state until somebody says what it is. Of one picture one person can be known:
the faces of the others are blurred.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.core.errors import SinkError
from edge.core.files import write
from edge.core.geometry import Box
from edge.core.labels import Mask
from edge.core.records import Decision, Image, Observation, Track
from edge.core.retention import DAY, Kept, Limits
from edge.tracking.minds import MOST, Minds
from edge.vision.blur import blurred

if TYPE_CHECKING:
    from edge.sinks.buttons import Button

log = logging.getLogger(__name__)

FILE = "coco.json"
CLASSES = ("with_mask", "without_mask", "mask_worn_incorrectly", "face", "not_a_face")
"""In the order of their numbers, from 1; "face" is what nobody has labelled yet."""
UNLABELLED = 4
SURROUNDINGS = 0.65
"""Kept around a face, in sides of its box: what training wants to see of it."""
SETTLED = 1.5
"""Seconds after which a person should have been judged."""
PER_PERSON = 3
"""Pictures of one person that the camera takes by itself."""
QUALITY = 92


@dataclass(frozen=True, slots=True)
class Find:
    """What is worth keeping: one person of one frame, and why."""

    observation: Observation
    track: Track
    said: str
    """One of `edge.core.records.OUTCOMES`."""
    confidence: float
    why: str
    """ "unsure", "changed", "sample" or "wrong"."""


class Doubts:
    """Chooses what to keep; time is that of the frames."""

    def __init__(self, reasons: Sequence[str], every: float, sample: int = 10) -> None:
        """`sample`: of so many people one is kept whatever was held of them."""
        self._reasons, self._every, self._sample = frozenset(reasons), every, sample
        self._last = float("-inf")
        self._minds = Minds()
        self._taken: Counter[int] = Counter()
        self._asked: set[tuple[int, str]] = set()

    def of(self, observation: Observation) -> list[Find]:
        """At most one: a change of mind before a doubt, a doubt before a mere sample."""
        decisions = {d.track_id: d for d in observation.decisions if not d.not_a_face}
        tracks = [t for t in observation.tracks if t.id in decisions and judged(t, observation)]
        changed = [t for t in tracks if self._minds.changes(decisions[t.id])]
        settled = [t for t in tracks if t.age >= SETTLED]
        unsure = [t for t in settled if decisions[t.id].mask is Mask.UNSURE]
        sample = [t for t in settled if t.id % self._sample == 0 and not self._taken[t.id]]
        self._forget(observation)
        if observation.frame.t - self._last < self._every or not observation.clear:
            return []
        for why, some in (("changed", changed), ("unsure", unsure), ("sample", sample)):
            for track in some if why in self._reasons else ():
                if self._taken[track.id] < PER_PERSON and (why == "changed" or (track.id, why) not in self._asked):
                    self._last = observation.frame.t
                    self._taken[track.id] += 1
                    self._asked.add((track.id, why))
                    return [find(observation, track, decisions[track.id], why)]
        return []

    def wrong(self, observation: Observation) -> list[Find]:
        """All people of a frame about which somebody says that it is wrong."""
        decisions = {d.track_id: d for d in observation.decisions}
        return [find(observation, t, decisions.get(t.id), "wrong") for t in observation.tracks]

    def _forget(self, observation: Observation) -> None:
        present = {track.id for track in observation.tracks}
        self._minds.forget(present)
        if len(self._taken) > MOST:
            self._taken = Counter({k: v for k, v in self._taken.items() if k in present})
            self._asked = {one for one in self._asked if one[0] in present}


def judged(track: Track, observation: Observation) -> bool:
    """Whether the face is large enough for the camera to have an opinion."""
    return min(track.box.width, track.box.height) >= observation.min_face


def find(observation: Observation, track: Track, decision: Decision | None, why: str) -> Find:
    said, sure = (decision.outcome, decision.confidence) if decision else ("unsure", 0.0)
    return Find(observation, track, said, sure, why)


class Folder:
    """The data set on the disk. Raises SinkError where it cannot be read or written.

    most, max_bytes: of all pictures; the oldest that nobody has labelled goes, and what is labelled stays.
    keep_days: then every picture goes, labelled or not; not heeded while the clock is not set.
    """

    def __init__(
        self,
        path: Path,
        what: str = "face",
        most: int = 300,
        max_bytes: int = 100_000_000,
        keep_days: float = 14.0,
        clock_set: Callable[[], bool | None] = lambda: None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.path, self._what, self._limits = path, what, Limits(most, max_bytes, keep_days * DAY)
        self._clock_set, self._wall = clock_set, wall
        self._run = f"{int(wall()):x}"
        try:
            (path / "images").mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(f"collect: '{path}': no folder to write to ({error.strerror})") from None

    @property
    def pictures(self) -> int:
        return len(self._read()["images"])

    def add(self, one: Find) -> None:
        """Writes the picture, then the annotations; a power cut between the two costs one picture."""
        image, boxes = cut(one, whole=self._what == "frame")
        good, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        if not good:
            raise SinkError("collect: this OpenCV does not write JPEG")
        now = self._wall()
        content = self._read()
        number = 1 + max((i["id"] for i in content["images"]), default=0)
        name = f"{datetime.fromtimestamp(now):%Y%m%dT%H%M%S}-{one.why}-{number}.jpg"
        entry: dict[str, Any] = {"id": number, "file_name": name, "width": image.shape[1], "height": image.shape[0]}
        entry |= {"source": "door", "cluster": f"{self._run}-{one.track.id}", "taken": round(now), "why": one.why}
        try:
            if not self._clear(content, len(data)):
                return
            write(self.path / "images" / name, data.tobytes(), mode=0o600)
            content["images"].append(entry)
            for k, box in enumerate(boxes):
                content["annotations"].append(_annotation(content, number, box, one if k == 0 else None))
            self._write(content)
        except OSError as error:
            raise SinkError(f"collect: '{self.path}': cannot be written ({error.strerror})") from None

    def expire(self) -> None:
        """Removes what is too old."""
        content = self._read()
        try:
            before = len(content["images"])
            self._clear(content, 0)
            if len(content["images"]) != before:
                self._write(content)
        except OSError as error:
            raise SinkError(f"collect: '{self.path}': cannot be written ({error.strerror})") from None

    def _read(self) -> dict[str, Any]:
        """What is there, with what people have labelled meanwhile."""
        path = self.path / FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            lists = ("images", "annotations", "categories")
            if not all(isinstance(content[key], list) for key in lists):
                raise ValueError("no COCO annotations")
        except FileNotFoundError:
            names = [{"id": k, "name": name} for k, name in enumerate(CLASSES, 1)]
            return {"images": [], "annotations": [], "categories": names}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SinkError(f"collect: '{path}' cannot be read ({error}): move it away, nothing is collected") from None
        return dict(content)

    def _write(self, content: dict[str, Any]) -> None:
        write(self.path / FILE, json.dumps(content) + "\n", mode=0o600, durable=True)

    def _clear(self, content: dict[str, Any], room: int) -> bool:
        """Removes what is too old, and the oldest until there is room for `room` bytes; whether there is. OSError."""
        named = {a["image_id"] for a in content["annotations"] if a["category_id"] != UNLABELLED and not a["iscrowd"]}
        there = [Kept(i["id"], i["taken"], self._size(i["file_name"])) for i in content["images"]]
        now = None if self._clock_set() is False else self._wall()
        surplus, fits = self._limits.surplus(there, room, now, spared=named)
        gone = set(surplus)
        for image in content["images"]:
            if image["id"] in gone:
                (self.path / "images" / Path(image["file_name"]).name).unlink(missing_ok=True)
        content["images"] = [i for i in content["images"] if i["id"] not in gone]
        content["annotations"] = [a for a in content["annotations"] if a["image_id"] not in gone]
        return fits

    def _size(self, name: str) -> int:
        try:
            return (self.path / "images" / Path(name).name).stat().st_size
        except OSError:
            return 0


def _annotation(content: dict[str, Any], image: int, box: Box, one: Find | None) -> dict[str, Any]:
    """Of the person it is about, or (None) of a blurred one, which is neither right nor wrong."""
    number = 1 + max((a["id"] for a in content["annotations"]), default=0)
    bbox = [round(v, 1) for v in (box.x0, box.y0, box.width, box.height)]
    made = {"id": number, "image_id": image, "category_id": UNLABELLED, "bbox": bbox, "iscrowd": int(one is None)}
    return made | ({"said": one.said, "confidence": round(one.confidence, 3)} if one else {})


def cut(one: Find, whole: bool) -> tuple[Image, list[Box]]:
    """The picture with the other faces blurred, and the boxes in it, that of the person it is about first."""
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
        part[int(own.y0) : int(own.y1) + 1, int(own.x0) : int(own.x1) + 1] = face  # a neighbour's margin spoils none
    return part, [own, *(b.clipped(width, height) for b in there)]


class Collector:
    """Sees every turn of the loop, and writes in a thread of its own: a slow card never holds up a frame."""

    def __init__(
        self, folder: Folder, reasons: Sequence[str], every: float, sample: int = 10, button: Button | None = None
    ) -> None:
        """`button`: a press says what `wrong` says; whoever opened it closes it."""
        self.folder, self.problem, self.pictures, self.button = folder, "", folder.pictures, button
        self._doubts = Doubts(reasons, every, sample)
        self._told = "wrong" in reasons
        self._seen: Observation | None = None
        self._work: queue.Queue[Find | None] = queue.Queue(maxsize=8)
        self._thread = threading.Thread(target=self._write, name="collect", daemon=True)
        self._thread.start()
        log.warning("collecting: pictures of people are kept in %s (%d there)", folder.path, self.pictures)

    def see(self, observation: Observation) -> None:
        self._seen = observation
        self._put(self._doubts.of(observation))

    def wrong(self) -> None:
        """Somebody says that what is shown now is wrong."""
        if self._seen is not None and self._told:
            self._put(self._doubts.wrong(self._seen))

    def listen(self, said: bool = False) -> bool:
        """Asks the button, once in every turn of the loop. `said`: somebody said so elsewhere. Whether anybody did."""
        told = (self.button is not None and self.button.pressed()) or said
        if told:
            self.wrong()
        return told

    def report(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder.path),
            "pictures": self.pictures,
            "button": self.button.name if self.button else "",
            "problem": self.problem or (self.button.problem if self.button else ""),
        }

    def close(self) -> None:
        self._work.put(None)
        self._thread.join(10)

    def _put(self, finds: Sequence[Find]) -> None:
        for one in finds:
            try:
                self._work.put_nowait(one)
            except queue.Full:
                return

    def _write(self) -> None:
        while True:
            try:
                one = self._work.get(timeout=3600)
            except queue.Empty:
                self._try(self.folder.expire)
                continue
            if one is None:
                return
            self._try(partial(self.folder.add, one))

    def _try(self, what: Callable[[], None]) -> None:
        try:
            what()
            self.problem, self.pictures = "", self.folder.pictures
        except SinkError as error:
            if str(error) != self.problem:
                log.error("%s", error)
            self.problem = str(error)
