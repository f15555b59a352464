"""`maskcam detect`: runs the networks on pictures and prints a line per face."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.cli.arguments import command, overwriting
from edge.core.errors import DataError
from edge.core.native_output import silence_native_output
from edge.core.paths import any_path
from edge.core.plain_text import plain
from edge.core.supplied import readable_path

if TYPE_CHECKING:
    from edge.core.records import Face, Image, Verdict


def add(commands: Any) -> None:
    parser = command(
        commands,
        "detect",
        run,
        "find the faces of pictures and say whether each wears a mask",
        "maskcam detect photo.jpg holiday/ --out annotated/",
    )
    parser.add_argument(
        "pictures", nargs="+", type=any_path, metavar="PICTURE", help="pictures, or folders of pictures"
    )
    parser.add_argument(
        "--bundle", type=readable_path, metavar="DIR", help="bundle to use instead of the installed or shipped one"
    )
    parser.add_argument("--out", type=any_path, metavar="DIR", help="folder for annotated copies")
    overwriting(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON object per picture instead of text")


def run(args: argparse.Namespace) -> int:
    """Exit code 0, or 2 where no picture could be read."""
    from edge import accuracy
    from edge.vision import bundle, pictures

    named = [
        (p, p.relative_to(given) if given.is_dir() else Path(p.name))
        for given in args.pictures
        for p in (pictures.find(given) if given.is_dir() else [given])
    ]
    if not named:
        raise DataError(f"{args.pictures[0]}: no pictures there")
    copies = _copies(args.out, named, args.overwrite) if args.out else {}
    chosen, read = bundle.load(args.bundle), 0
    with silence_native_output():  # TensorFlow Lite greets on stderr when a network is opened
        judge = accuracy.judge(chosen)
    for path, _ in named:
        try:
            image = pictures.read(path)
        except DataError as error:
            print(f"maskcam: skipped: {plain(str(error))}", file=sys.stderr)
            continue
        read += 1
        found = judge(image)
        print(json.dumps(_values(path, found)) if args.json else "\n".join(_lines(path, found)), flush=True)
        if args.out:
            _save(copies[path], image, found)
    return 0 if read else 2


def _copies(out: Path, named: list[tuple[Path, Path]], overwrite: bool) -> dict[Path, Path]:
    """The annotated copy of each picture, including sub-folders; `named`: pictures with their names there.

    Raises DataError if a copy would overwrite a source or another copy, or is no picture.
    """
    if out.exists() and not out.is_dir():
        raise DataError(f"output '{out}': is a file; expected a folder")
    if not out.absolute().parent.is_dir():
        raise DataError(f"output '{out}': folder '{out.parent}' does not exist: create it first")
    stems = Counter(name.with_suffix("") for _, name in dict(named).items())  # a.jpg and a.webp: a.jpg.png, a.webp.png
    copies = {p: out / (f"{n}.png" if stems[n.with_suffix("")] > 1 else n.with_suffix(".png")) for p, n in named}
    read = {path.resolve() for path, _ in named}
    taken: dict[Path, Path] = {}
    for path, copy in copies.items():
        if copy.resolve() in read:
            raise DataError(f"output '{out}': holds {copy.name}, which is read; expected another folder")
        if copy in taken:
            raise DataError(
                f"{path} and {taken[copy]}: both would be {copy}; expected one folder above them, or two runs"
            )
        if copy.exists() and not overwrite:
            raise DataError(f"output '{copy}' is there already; expected another folder, or --overwrite")
        taken[copy] = path
    return copies


def _words(verdict: Verdict) -> str:
    from edge.vision.draw import WORDS

    return WORDS["incorrectly_worn" if verdict.incorrectly_worn else verdict.mask.value]


def _values(path: Path, found: list[tuple[Face, Verdict]]) -> dict[str, Any]:
    faces = [
        {
            "box": [round(v, 1) for v in (f.box.x0, f.box.y0, f.box.x1, f.box.y1)],
            "score": round(f.score, 3),
            "mask": v.mask.value,
            "confidence": round(v.confidence, 3),
            "incorrectly_worn": v.incorrectly_worn,
        }
        for f, v in found
    ]
    return {"picture": str(path), "faces": faces}


def _lines(path: Path, found: list[tuple[Face, Verdict]]) -> list[str]:
    """`photo.jpg: no mask (97 %) at 120,80 to 180,160`"""
    name = plain(str(path))
    if not found:
        return [f"{name}: no face"]
    return [
        f"{name}: {_words(v)} ({v.confidence:.0%}) at {f.box.x0:.0f},{f.box.y0:.0f} to {f.box.x1:.0f},{f.box.y1:.0f}"
        for f, v in found
    ]


def _save(path: Path, image: Image, found: list[tuple[Face, Verdict]]) -> None:
    """The picture with a box and a label per face."""
    import cv2

    from edge.core.records import Decision, Frame, Observation, Track
    from edge.vision.draw import annotate

    tracks = [Track(k, f.box, 0.0, 1) for k, (f, _) in enumerate(found, 1)]
    decisions = [Decision(k, v.mask, v.confidence, 0.0, v.incorrectly_worn) for k, (_, v) in enumerate(found, 1)]
    drawn = annotate(Observation(Frame(0, 0.0, image), tracks, decisions))
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR)):
        raise DataError(f"output '{path}': cannot be written; is the disk full?")
