"""Annotated pictures in all common formats, read by one function: `read`.

Each module of this folder reads one format, `edge.evaluation.coco` another; `labels` interprets the names of classes,
`picture_names` those of pictures. Invalid data (a box without area, an unknown id) raises one DataError that says
where.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from edge.core.errors import DataError
from edge.evaluation import coco
from edge.evaluation.annotated import NOT_A_FACE, Annotated
from edge.evaluation.formats import class_folders, crops_table, pascal_voc, yolo
from edge.evaluation.labels import Labels

EXPECTED = (
    "a COCO .json, a crops.csv, a YOLO data.yaml, a folder of Pascal VOC .xml, or a folder per class "
    "(with_mask, without_mask)"
)


def read(path: Path | str, renamed: Mapping[str, str] | None = None, things: bool = False) -> list[Annotated]:
    """Reads a data set in any of the formats. Raises DataError, one line that says what was found.

    `renamed`: name of a class in the data -> one of `NAMES` (`--label old=new`). `things`: also accepts a set without
    faces if it shows things that are not faces (not_a_face): a classifier learns from them, a detector cannot be
    measured on them.
    """
    path, labels = Path(path), Labels(renamed or {})
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; expected {EXPECTED}")
    pictures = _folder(path, labels) if path.is_dir() else _file(path, labels)
    faces = any((~p.ignored).any() for p in pictures)
    shown = sum(int((p.categories == NOT_A_FACE).sum()) for p in pictures)
    if not faces and not shown:
        raise DataError(f"{path}: no face is annotated; expected at least one box that is not to be ignored")
    if not faces and not things:
        raise DataError(f"{path}: no face is annotated, only {shown} of not_a_face; expected at least one face")
    return pictures


SUFFIXES = (".json", ".csv", ".yaml", ".yml", ".xml")
"""Of the files that `read` knows, in small letters."""
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
"""What data sets are downloaded as."""


def _file(path: Path, labels: Labels) -> list[Annotated]:
    suffix = path.suffix.lower()
    if suffix == ".json":
        return coco.read(path, labels)
    if suffix == ".csv":
        return crops_table.read(path, labels)
    if suffix in (".yaml", ".yml"):
        return yolo.read(path, labels)
    if suffix == ".xml":
        return pascal_voc.read([path], path.parent, labels)
    if suffix in ARCHIVES:
        raise DataError(f"{path}: an archive: unpack it, and name what was in it: expected {EXPECTED}")
    raise DataError(f"{path}: a {suffix or 'file without suffix'}: expected {EXPECTED}")


def _folder(root: Path, labels: Labels) -> list[Annotated]:
    """Detects a folder's format from its content, the most reliable sign first."""
    if found := crops_table.files(root):
        return crops_table.read(found[0], labels)
    if found := yolo.files(root):
        return yolo.read(found[0], labels)
    if files := coco.files(root):
        return [picture for file in files for picture in coco.read(file, labels)]
    if xml := pascal_voc.files(root):
        return pascal_voc.read(xml, root, labels)
    if folders := class_folders.folders(root, labels):
        return class_folders.read(root, folders, labels)
    raise DataError(f"{root}: {_found(root)}; expected {EXPECTED}; other names: --label old=new")


def _found(root: Path) -> str:
    """Describes a folder of unknown format."""
    inside = sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    kinds = Counter(p.suffix.lower() for p in root.rglob("*") if p.is_file() and not p.name.startswith("."))
    if kinds[".txt"] and not kinds[".yaml"]:
        return "looks like YOLO (.txt per picture) without its data.yaml, which says what the numbers mean"
    most = sorted(kinds.items(), key=lambda kind: (-kind[1], kind[0]))[:4]
    files = ", ".join(f"{n} {suffix or 'without suffix'}" for suffix, n in most)
    return f"found folders {', '.join(inside[:6]) or '(none)'} and files {files or '(none)'}"
