"""COCO annotations, as COCO, Roboflow, Label Studio, CVAT and makesense write them.

Categories are matched by name, not by number; one that no box uses (Roboflow's root) is ignored. In a file without
names the numbers 1 to 4 stand for `NAMES` in order. `iscrowd` marks a region to ignore. `attributes` that are true are
kept, as CVAT writes them ({"occluded": true, "beard": false}).
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from edge.core import json_text
from edge.core.errors import DataError
from edge.core.files import readable
from edge.evaluation.annotated import (
    FACE,
    IGNORE,
    INCORRECTLY_WORN,
    MOST,
    NAMES,
    NOT_A_FACE,
    WITH_MASK,
    WITHOUT_MASK,
    Annotated,
)
from edge.evaluation.labels import Labels
from edge.evaluation.picture_names import Places, split_of

__all__ = ["FACE", "INCORRECTLY_WORN", "NAMES", "WITHOUT_MASK", "WITH_MASK", "Annotated", "files", "read"]
Box = tuple[float, float, float, float]
Row = tuple[Box, int, bool, frozenset[str]]
"""Box, category, whether to ignore it, attributes of one annotation."""


def files(root: Path) -> list[Path]:
    """The COCO files of a folder: its own, else those of `annotations/`, else one per part (`train/`, `valid/`).

    Raises DataError if there are several side by side, because the choice is the user's.
    """
    for place in (root, root / "annotations"):
        found = [p for p in sorted(place.glob("*.json")) if not p.name.startswith(".") and _is_coco(p)]
        if len(found) > 1:
            raise DataError(f"{place}: holds {len(found)} .json files of annotations; name the one to use")
        if found:
            return found
    return [p for p in sorted(root.glob("*/*.json")) if split_of(p.parent.name) and _is_coco(p)]


def _is_coco(path: Path) -> bool:
    """Whether a .json may be annotations; True for a damaged one, so that `read` reports what is wrong with it."""
    try:
        values = json_text.parse(readable(path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return True
    return isinstance(values, dict) and "images" in values


def read(path: Path | str, labels: Labels | None = None) -> list[Annotated]:
    """Reads one file. Raises DataError, one line with file, entry and remedy, for anything invalid in it."""
    path, labels = Path(path), labels or Labels({})
    try:
        content = json_text.parse(readable(path).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    except ValueError as error:
        raise DataError(
            f"{path}: not COCO annotations: not JSON ({error}); cut short, or another kind of file?"
        ) from error
    if not isinstance(content, dict) or not all(isinstance(content.get(k), list) for k in ("images", "annotations")):
        raise DataError(f"{path}: not COCO annotations: expected the lists 'images' and 'annotations'")
    images = _images(path, content["images"])
    meaning = _meaning(path, content, labels)
    rows: dict[Any, list[Row]] = {key: [] for key in images}
    faults = []
    for k, a in enumerate(content["annotations"]):
        try:
            where, box, category, ignored = _annotation(k, a, images, meaning)
        except ValueError as error:
            faults.append(str(error))
            continue
        if category != IGNORE:
            rows[where].append((box, category, ignored, _attributes(a)))
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise DataError(f"{path}: {faults[0]}{more}")
    places, split = Places(path.parent), split_of(path.parent.name, path.stem.split(".")[0])
    return [_annotated(path, places, image, rows[key], split) for key, image in images.items()]


def _images(path: Path, images: list[Any]) -> dict[Any, dict[str, Any]]:
    """The pictures by id."""
    found: dict[Any, dict[str, Any]] = {}
    for k, image in enumerate(images):
        if not isinstance(image, dict) or not isinstance(image.get("file_name"), str) or "id" not in image:
            raise DataError(f"{path}: entry {k} of images: expected an id and a file_name, found {str(image)[:80]}")
        if isinstance(image["id"], (list, dict)) or image["id"] in found:
            raise DataError(f"{path}: entry {k} of images: id {image['id']} is not one of its own; renumber them")
        for key in ("width", "height"):
            if image.get(key) is not None and not _pixels(image[key]):
                raise DataError(f"{path}: entry {k} of images: {key} {str(image[key])[:40]}: expected pixels, above 0")
        found[image["id"]] = image
    return found


def _pixels(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value <= MOST


def _meaning(path: Path, content: dict[str, Any], labels: Labels) -> dict[Any, int]:
    """Id of a category in use -> number in `NAMES`, or IGNORE."""
    used = Counter(str(a.get("category_id")) for a in content["annotations"] if isinstance(a, dict))
    categories = content.get("categories") or []
    if not isinstance(categories, list):
        raise DataError(f"{path}: categories {str(categories)[:40]}: expected a list")
    named = {}
    for k, c in enumerate(categories):
        if not isinstance(c, dict) or not isinstance(c.get("id"), (int, str)):
            raise DataError(f"{path}: entry {k} of categories: expected an id and a name, found {str(c)[:80]}")
        named[c["id"]] = str(c.get("name"))
    if not named:
        named = {n: name for name, n in NAMES.items()} if "0" not in used else {}
        named |= {int(n): n for n in used if n.isdecimal() and len(n) < 10 and (not named or int(n) not in named)}
    return {
        number: labels.require(name, f"{path}: categories", used[str(number)])
        for number, name in named.items()
        if used[str(number)]
    }


def _annotation(
    k: int, a: Any, images: dict[Any, dict[str, Any]], meaning: dict[Any, int]
) -> tuple[Any, Box, int, bool]:
    """Id of the picture, box, category, whether to ignore it. Raises ValueError."""
    if not isinstance(a, dict):
        raise ValueError(f"annotation {k}: expected an object, found {str(a)[:60]}")
    name = f"annotation {a.get('id', k)}"
    for key, known in (("image_id", images), ("category_id", meaning)):
        value = a.get(key)
        if isinstance(value, (list, dict)) or value not in known:
            raise ValueError(f"{name}: {key} {value!r} stands in no list of this file; delete it, or add what it means")
    bbox = a.get("bbox")
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(type(v) in (int, float) for v in bbox):
        raise ValueError(f"{name}: bbox {str(bbox)[:60]}: expected four numbers x, y, width, height in pixels")
    if any(type(v) is float and not math.isfinite(v) for v in bbox):
        raise ValueError(f"{name}: bbox {str(bbox)[:60]}: not numbers; delete it or draw it again")
    if any(abs(v) > MOST for v in bbox):
        raise ValueError(f"{name}: bbox {str(bbox)[:60]}: no picture is that large; delete it or draw it again")
    x, y, w, h = bbox
    said = f"{name}: bbox [{x:g}, {y:g}, {w:g}, {h:g}]"
    if w <= 0 or h <= 0:
        raise ValueError(f"{said}: width and height must be above 0 (x, y is the upper left corner)")
    if max(abs(x), abs(y), w, h) <= 1:
        raise ValueError(f"{said}: fractions of the picture; expected pixels")
    image = images[a["image_id"]]
    width, height = image.get("width"), image.get("height")
    if width and height and (x >= width or y >= height or x + w <= 0 or y + h <= 0):
        raise ValueError(f"{said}: lies outside of {image['file_name']}, {width} x {height}; corners, or other pixels?")
    return a["image_id"], (x, y, x + w, y + h), meaning[a["category_id"]], bool(a.get("iscrowd", 0))


def _attributes(a: dict[str, Any]) -> frozenset[str]:
    said = a.get("attributes")
    return (
        frozenset(name[:40] for name, value in said.items() if value is True) if isinstance(said, dict) else frozenset()
    )


def _annotated(path: Path, places: Places, image: dict[str, Any], rows: list[Row], split: str) -> Annotated:
    width, height = image.get("width"), image.get("height")
    said = tuple(attributes for *_, attributes in rows)
    return Annotated(
        places.find(image["file_name"]),
        np.array([box for box, *_ in rows], np.float32).reshape(-1, 4),
        np.array([category for _, category, *_ in rows], np.int64),
        np.array([ignored or category == NOT_A_FACE for _, category, ignored, _ in rows], bool),
        str(image.get("source", "")),
        str(image.get("cluster", "")),
        split,
        (int(width), int(height)) if width and height else None,
        where=f"{path}: image {image['id']}",
        attributes=said if any(said) else (),
    )
