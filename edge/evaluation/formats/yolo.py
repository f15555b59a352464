"""YOLO: a data.yaml with the names, pictures in `images/`, and a .txt per picture with `class x y width height`."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from edge.core import nesting
from edge.core.errors import DataError, MissingPackage
from edge.core.files import readable
from edge.evaluation.annotated import IGNORE, NOT_A_FACE, Annotated
from edge.evaluation.labels import Labels
from edge.vision import pictures

PARTS = {"train": "train", "val": "val", "valid": "val", "test": "val"}
"""Key in the file -> split."""


def files(root: Path) -> list[Path]:
    """The data.yaml files in `root`."""
    return [root / name for name in ("data.yaml", "data.yml", "dataset.yaml") if (root / name).is_file()]


def read(path: Path, labels: Labels) -> list[Annotated]:
    """Reads all parts that `path` (data.yaml) names. Numbers are shares of the picture; six or more form a polygon.

    Raises DataError that names file and line, MissingPackage without ruamel.yaml.
    """
    try:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError
    except ImportError as error:
        raise MissingPackage("ruamel.yaml", "train") from error
    try:
        text = readable(path).read_text(encoding="utf-8-sig")
        if nesting.too_deep(text):
            raise DataError(f"{path}: nested too deep; expected names, train and val")
        content = YAML(typ="safe", pure=True).load(text)
    except (OSError, ValueError, YAMLError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else (str(error).splitlines() or ["empty"])[0]
        raise DataError(f"{path}: not readable as YAML ({reason[:200]})") from error
    names = content.get("names") if isinstance(content, dict) else None
    if not isinstance(names, (list, dict)) or not names:
        raise DataError(f"{path}: no 'names'; expected a list of class names, such as names: [with_mask, without_mask]")
    pairs = list(names.items() if isinstance(names, dict) else enumerate(names))
    if wrong := [k for k, _ in pairs if not str(k).isdecimal() or len(str(k)) > 6]:
        raise DataError(f"{path}: names: {str(wrong[0])[:40]}: expected the number of a class and its name")
    named = {int(k): str(v) for k, v in pairs}
    found = []
    for key, split in PARTS.items():
        for part in _listed(content.get(key)):
            found += [(picture, split) for picture in _pictures(path, content, part, key)]
    if not found:
        raise DataError(f"{path}: names no pictures; expected train: and val: with folders of pictures")
    return [_annotated(picture, split, named, path, labels) for picture, split in found]


def _listed(value: Any) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else [str(value)] if value else []


def _pictures(path: Path, content: dict[str, Any], part: str, key: str) -> list[Path]:
    """The pictures of one entry: a folder, or a .txt with a picture per line. Some exports are one folder off."""
    base = path.parent / str(content.get("path") or "")
    stripped = part.replace("\\", "/").lstrip("./")
    tried = [root / name for root in (base, path.parent) for name in (part, stripped, f"images/{stripped}")]
    place = next((p for p in tried if os.path.exists(p)), None)
    if place is None:
        if key == "test":
            return []  # Roboflow names a test part even if it does not write one
        raise DataError(f"{path}: {key}: {part[:80]}: no such folder; expected one with pictures, beside this file")
    if place.is_dir():
        return pictures.find(place)
    return [place.parent / line.strip() for line in _lines(place) if line.strip()]


def _lines(path: Path) -> list[str]:
    try:
        return readable(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 ({error})") from error


def _annotated(picture: Path, split: str, named: dict[int, str], path: Path, labels: Labels) -> Annotated:
    parts = list(picture.parts)
    where = max((k for k, part in enumerate(parts[:-1]) if part == "images"), default=None)
    if where is not None:
        parts[where] = "labels"
    text = Path(*parts).with_suffix(".txt")
    lines = _lines(text) if os.path.isfile(text) else []
    rows = [
        row for k, line in enumerate(lines, 1) if line.strip() and (row := _row(f"{text}:{k}", line, named, labels))
    ]
    size = _size(picture) if rows else None
    boxes = np.array([box for box, _ in rows], np.float32).reshape(-1, 4)
    return Annotated(
        picture,
        boxes * np.array([*(size or (1, 1))] * 2, np.float32),
        np.array([category for _, category in rows], np.int64),
        np.array([category == NOT_A_FACE for _, category in rows], bool),
        path.parent.resolve().name,
        split=split,
        where=str(text),
    )


def _row(where: str, line: str, named: dict[int, str], labels: Labels) -> tuple[list[float], int] | None:
    """Corners as shares of the picture, and the category."""
    try:
        kind, *numbers = [float(word) for word in line.split()]
    except ValueError as error:
        raise DataError(f"{where}: {line[:60]!r}: expected numbers: class x y width height") from error
    if kind not in named:
        raise DataError(f"{where}: class {kind:g} is not among the names of data.yaml (0 to {max(named)})")
    category = labels.require(named[int(kind)], where, 1)
    if category == IGNORE:
        return None
    if len(numbers) >= 6 and len(numbers) % 2 == 0:
        x, y = numbers[0::2], numbers[1::2]
        box = [min(x), min(y), max(x), max(y)]
    elif len(numbers) in (4, 5):
        cx, cy, w, h = numbers[:4]
        box = [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2]
    else:
        raise DataError(f"{where}: {len(numbers)} numbers after the class; expected x y width height")
    if not all(map(math.isfinite, box)) or box[2] <= box[0] or box[3] <= box[1] or min(box) < -0.5 or max(box) > 1.5:
        raise DataError(f"{where}: {line[:60]!r}: no box; expected shares of the picture (0 to 1) with sides above 0")
    return box, category


def _size(picture: Path) -> tuple[int, int] | None:
    """Size of the picture, which the shares refer to; an unreadable one is skipped later, with its reason."""
    try:
        return pictures.size(picture)
    except DataError:
        return None
