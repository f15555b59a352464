"""Finds the pictures named in annotations: every tool writes the names in its own way."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote

from edge.vision import pictures

LONGEST = 255
"""Characters of a name that are shown if there is no such picture."""


class Places:
    """Finds pictures by the names in annotations beside, above or below them."""

    def __init__(self, folder: Path) -> None:
        """`folder`: that of the annotations; if called `annotations` or `labels`, the one above is used."""
        self.root = folder.parent if folder.name.lower() in ("annotations", "labels", "xmls") else folder
        self.folder = folder
        self._by_name: dict[str, list[Path]] | None = None

    def find(self, name: str) -> Path:
        """The picture called `name`; a path that does not exist if there is none.

        Searches `images/` beside the annotations, their own folder, the folder above, then all folders below, if
        exactly one picture there has that name (Label Studio and CVAT write folders that their exports do not have).
        """
        name = unquote(name).replace("\\", "/") if "%" in name else name.replace("\\", "/")
        parts = [p for p in name.split("/") if p not in ("", ".", "..")] or ["(no name)"]
        tail = parts[1:] if parts[0] == "images" and len(parts) > 1 else parts
        if name.startswith("/") and os.path.isfile(name):
            return Path(name)
        likely = [base.joinpath(*tail) for base in (self.root / "images", self.folder, self.root)]
        for place in likely:
            if os.path.isfile(place):  # unlike Path's method, it does not raise for a name that is too long
                return place
        if self._by_name is None:
            self._by_name = {}
            for found in pictures.find(self.root):
                self._by_name.setdefault(found.name, []).append(found)
        found_by_name = self._by_name.get(parts[-1], [])
        if len(found_by_name) == 1:
            return found_by_name[0]
        missing = "/".join(tail)  # a line of the annotations that lost its end can be the name
        return likely[0] if len(missing) <= LONGEST else self.root / "images" / f"{missing[:LONGEST]}..."


def split_of(*names: str) -> str:
    """ "train" or "val" if one of `names` (folders, the stem of a file) says so, else ""; a test part is "val"."""
    for name in names:
        word = name.lower().split("_")[-1] if "_" in name else name.lower()
        if word in ("train", "training") or name.lower().startswith("train"):
            return "train"
        if word in ("val", "valid", "validation", "test", "testing") or name.lower().startswith("val"):
            return "val"
    return ""
