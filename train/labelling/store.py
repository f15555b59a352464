"""The data set that is labelled: COCO, read once, written whole after each picture, with undo."""

from __future__ import annotations

import copy
import json
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.core import files
from edge.core.errors import DataError
from edge.evaluation import coco
from edge.evaluation.annotated import NAMES
from edge.evaluation.formats import class_folders, crops_table, pascal_voc, yolo
from edge.evaluation.labels import Labels
from edge.evaluation.picture_names import Places
from edge.vision import pictures

FILE = "coco.json"
DONE = "labelled"
"""Key of a picture that somebody has looked at; a picture without it shows guesses, which are written nowhere."""
UNDONE = 200
"""Pictures that can be taken back."""


@dataclass(frozen=True)
class Face:
    """One box in pixels of the upright picture."""

    box: tuple[float, float, float, float]
    """x, y, width, height."""
    label: str
    """One of `edge.evaluation.annotated.NAMES`; "face": nobody knows."""
    sure: float = 1.0
    """Probability of the label where it is a guess."""


class Store:
    """Pictures by id. Thread-safe. Raises DataError for a set that cannot be labelled."""

    def __init__(self, path: Path) -> None:
        """`path`: a COCO file, its folder, or a folder of pictures, which gets a coco.json."""
        self._lock = threading.RLock()
        self.skipped: list[str] = []
        """Why pictures of a folder are not listed, each reason with its file."""
        self.file, self._content = _opened(path, self.skipped)
        self._known = files.mark(self.file)
        coco.read(
            self.file
        ) if self.file.is_file() else None  # says what cannot be right in it, before anything is lost
        self._places = Places(self.file.parent)
        names = {c["id"]: str(c["name"]) for c in self._content["categories"]}
        self._names = {number: _ours(self.file, name) for number, name in names.items()}
        self._numbers = self._with_all_names()
        self.images: dict[int, dict[str, Any]] = {image["id"]: image for image in self._content["images"]}
        self._undo: list[tuple[int, dict[str, Any], list[dict[str, Any]]]] = []

    def _with_all_names(self) -> dict[str, int]:
        """Name -> id of its category; those that are missing are added."""
        numbers = {name: number for number, name in reversed(self._names.items())}
        for name in NAMES:
            if name not in numbers:
                free = NAMES[name] if NAMES[name] not in self._names else max(map(int, self._names)) + 1
                numbers[name], self._names[free] = free, name
                self._content["categories"].append({"id": free, "name": name})
        return numbers

    def path(self, number: int) -> Path:
        return self._places.find(self.images[number]["file_name"])

    def faces(self, number: int) -> list[Face]:
        """Those that are to be labelled; regions to ignore are not."""
        with self._lock:
            mine = [a for a in self._of(number) if not a.get("iscrowd")]
            return [Face(tuple(a["bbox"]), self._names[a["category_id"]]) for a in mine]

    def why(self, number: int) -> str:
        """What the camera kept a picture for, where it says so."""
        return str(self.images[number].get("why", ""))

    def is_done(self, number: int) -> bool:
        return bool(self.images[number].get(DONE))

    @property
    def done(self) -> int:
        return sum(map(self.is_done, self.images))

    def keep(self, number: int, faces: Sequence[Face], size: tuple[int, int]) -> None:
        """Takes what somebody said of a picture of `size` (width, height), and writes the file.

        Raises DataError, also where somebody else wrote the file meanwhile, and OSError where it cannot be written;
        then nothing has changed.
        """
        checked = [_checked(face, size) for face in faces]
        with self._lock:
            image, before = self.images[number], self._of(number)
            self._undo = [*self._undo[-UNDONE:], (number, copy.deepcopy(image), copy.deepcopy(before))]
            image |= {DONE: True, "width": size[0], "height": size[1]}
            free = max((int(a["id"]) for a in self._content["annotations"]), default=0) + 1
            made = [
                {
                    "id": free + k,
                    "image_id": number,
                    "category_id": self._numbers[face.label],
                    "bbox": [round(v, 2) for v in face.box],
                    "area": round(face.box[2] * face.box[3], 2),
                    "iscrowd": 0,
                }
                for k, face in enumerate(checked)
            ]
            self._replace(number, [a for a in before if a.get("iscrowd")] + made)
            try:
                self._write()
            except (OSError, DataError):
                self._take_back()
                raise

    def undo(self) -> int | None:
        """Takes the last picture back; its id, None where there is none."""
        with self._lock:
            if not self._undo:
                return None
            number = self._take_back()
            self._write()
            return number

    def _take_back(self) -> int:
        number, image, annotations = self._undo.pop()
        self.images[number].clear()
        self.images[number].update(image)
        self._replace(number, annotations)
        return number

    def _of(self, number: int) -> list[dict[str, Any]]:
        return [a for a in self._content["annotations"] if a["image_id"] == number]

    def _replace(self, number: int, annotations: list[dict[str, Any]]) -> None:
        others = [a for a in self._content["annotations"] if a["image_id"] != number]
        self._content["annotations"] = others + annotations

    def _write(self) -> None:
        with files.in_turn(self.file.parent):
            if files.mark(self.file) != self._known:
                raise DataError(
                    f"{self.file}: somebody else has written it since it was opened, a camera or another labelling "
                    "page: nothing was changed; end this one and begin again"
                )
            files.write(self.file, json.dumps(self._content, ensure_ascii=False) + "\n", durable=True)
            self._known = files.mark(self.file)


def _opened(path: Path, skipped: list[str]) -> tuple[Path, dict[str, Any]]:
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; expected a folder of pictures, or COCO annotations")
    if path.is_file():
        if path.suffix.lower() != ".json":
            raise DataError(f"{path}: no COCO annotations (.json), which alone can be labelled here")
        return path, _read(path)
    if found := coco.files(path):
        if len(found) > 1:
            raise DataError(f"{path}: holds {len(found)} COCO files; name one of them: {found[0]}")
        content = _read(found[0])
        if found[0] == path / FILE:  # that of a tool may leave pictures out on purpose
            _add(content, path, skipped)
        return found[0], content
    if yolo.files(path) or crops_table.files(path) or class_folders.folders(path, Labels({})) or pascal_voc.files(path):
        raise DataError(f"{path}: is labelled already, in another form than COCO: give it to --data as it is")
    return path / FILE, _of_folder(path, skipped)


def _read(path: Path) -> dict[str, Any]:
    coco.read(path)
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8-sig"))
    if not all(isinstance(image["id"], int) for image in content["images"]):
        raise DataError(f"{path}: ids of pictures that are no numbers: number them anew")
    content.setdefault("categories", [])
    if not content["categories"]:
        content["categories"] = [{"id": number, "name": name} for name, number in NAMES.items()]
    return content


def _of_folder(folder: Path, skipped: list[str]) -> dict[str, Any]:
    if not pictures.find(folder):
        raise DataError(f"{folder}: no pictures in it; expected .jpg, .png and the like")
    names = [{"id": number, "name": name} for name, number in NAMES.items()]
    content: dict[str, Any] = {"images": [], "annotations": [], "categories": names}
    _add(content, folder, skipped)
    return content


def _add(content: dict[str, Any], folder: Path, skipped: list[str]) -> None:
    """Lists the pictures of `folder` that are not listed yet; those that cannot be read go to `skipped`."""
    images, places = content["images"], Places(folder)
    known = {places.find(image["file_name"]).resolve() for image in images}
    free = max((image["id"] for image in images), default=0) + 1
    for path in sorted(pictures.find(folder)):
        if path.resolve() in known:
            continue
        try:
            width, height = pictures.size(path)
        except DataError as error:
            skipped.append(str(error))
            continue
        name = path.relative_to(folder).as_posix()
        images.append({"id": free, "file_name": name, "width": width, "height": height})
        free += 1


def _ours(path: Path, name: str) -> str:
    """Our name of a category; one that no box uses may be anything."""
    number = Labels({}).number(name)
    return next((own for own, n in NAMES.items() if n == number), name)


def _checked(face: Face, size: tuple[int, int]) -> Face:
    """With its box cut to the picture. Raises DataError."""
    if face.label not in NAMES:
        raise DataError(f"label '{face.label}': expected one of {', '.join(NAMES)}")
    if len(face.box) != 4 or not all(math.isfinite(v) for v in face.box):
        raise DataError("bbox: expected four numbers x, y, width, height in pixels")
    x, y, w, h = face.box
    x0, y0, x1, y1 = max(x, 0.0), max(y, 0.0), min(x + w, float(size[0])), min(y + h, float(size[1]))
    if x1 - x0 < 2 or y1 - y0 < 2:
        raise DataError(f"bbox [{x:g}, {y:g}, {w:g}, {h:g}]: nothing of it lies in the picture")
    return Face((x0, y0, x1 - x0, y1 - y0), face.label)
