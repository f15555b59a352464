"""`maskcam clips`: score the alarms about people in labelled recordings."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.cli.arguments import command, load, overwriting, settings
from edge.core.errors import CameraError, DataError
from edge.core.paths import any_path
from edge.core.plain_text import plain
from edge.core.progress import Progress
from edge.core.supplied import readable_path

if TYPE_CHECKING:
    from edge.core.records import Frame, Image

COLUMNS, WIDTH = 4, 1280
"""Pictures side by side in the sheet, and its width in pixels."""


def add(commands: Any) -> None:
    parser = command(
        commands,
        "clips",
        run,
        "score the alerts in labelled recordings: correct, missed, false, and their delay",
        "maskcam clips door.toml faces/val.json --sheet false.png",
    )
    parser.add_argument(
        "labels",
        type=any_path,
        nargs="+",
        metavar="LABELS",
        help="a TOML file per recording (docs/clips.md), or annotated pictures (COCO, VOC, YOLO): each is played as 3 "
        "seconds of a hand-held camera",
    )
    parser.add_argument(
        "--folder", type=any_path, metavar="DIR", help="folder of the recordings, if not that of the labels"
    )
    parser.add_argument("--bundle", type=readable_path, metavar="DIR", help="instead of model.bundle")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--sheet", type=any_path, metavar="PNG", help="write a contact sheet of the false alerts, if any"
    )
    overwriting(parser)
    settings(parser)


def run(args: argparse.Namespace) -> int:
    """Exit code 0, or 2 where no recording could be read."""
    from edge.evaluation import clips
    from edge.runtime import outputs

    if args.sheet:
        outputs.check_output(args.sheet, "", outputs.PICTURES, args.overwrite)
    every = {str(path): _read(path) for path in args.labels}  # errors are reported before the first clip is played
    results: dict[str, Any] = {}
    false: list[Image] = []
    for name, labels in every.items():
        try:
            if isinstance(labels, list):
                results[name], pictures = _play_pictures(args, name, labels)
            else:
                clip = args.folder / labels.clip.name if args.folder else labels.clip
                results[name], pictures = _play(args, clip, labels)
            false += pictures
        except (CameraError, DataError) as error:  # hours of others may be done, or to come
            print(f"maskcam: skipped: {plain(str(error))}", file=sys.stderr)
    if results:
        print(json.dumps(results, indent=1) if args.json else clips.table(results))
        if args.sheet:
            _write(args.sheet, false)
    if len(results) < len(every):
        print(f"maskcam: skipped {len(every) - len(results)} of {len(every)} recordings", file=sys.stderr)
    return 0 if results else 2


def _read(path: Path) -> Any:
    """The `Labels` of a recording, or the list of the pictures of a set. Raises DataError."""
    from edge.evaluation import clips, formats

    if not path.is_dir() and path.suffix.lower() not in formats.SUFFIXES:
        return clips.read(path)
    pictures = formats.read(path)
    if any(one.whole or one.lone for one in pictures):
        raise DataError(f"{path}: one face per picture; expected scenes with a box for every face")
    return pictures


def _play(args: argparse.Namespace, clip: Path, labels: Any) -> tuple[dict[str, Any], list[Image]]:
    """The figures, and with --sheet a picture of each false alert, as it was raised."""
    from edge import assemble

    chosen = _settings(args, camera__source=str(clip))
    with assemble.runtime(chosen, live=False) as runtime, Progress(clip.name, unit="frames") as progress:

        def played(frame: Frame) -> None:
            progress.update(frame.index + 1, note=f"{frame.t:.0f} s")

        return _score(runtime, labels.people, bool(args.sheet), played)


def _play_pictures(args: argparse.Namespace, name: str, truths: Any) -> tuple[dict[str, Any], list[Image]]:
    """The same for a set of annotated pictures, each a clip of its own."""
    from edge import assemble
    from edge.evaluation import clips
    from edge.evaluation.annotated import Skipped, each
    from edge.evaluation.moved import MovedPicture

    chosen, skipped = _settings(args), Skipped()
    results: list[tuple[str, dict[str, Any]]] = []
    false: list[Image] = []
    with closing(assemble.Assembly(live=False)) as parts, Progress(name, len(truths), unit="pictures") as progress:
        for truth, image in each(truths, skipped):
            moved = MovedPicture(truth, image, skipped.total)
            runtime = parts.apply(chosen, moved)  # of the picture before nothing is remembered
            result, pictures = _score(runtime, moved.people, bool(args.sheet))
            results.append((truth.path.name, result))
            false += pictures
            progress.update(skipped.total)
    if said := str(skipped):
        print(f"maskcam: {said}", file=sys.stderr)
    return clips.merged(results), false


def _settings(args: argparse.Namespace, **others: Any) -> Any:
    return load(args, model__bundle=args.bundle and str(args.bundle), sinks__log=False, **others)


def _score(
    runtime: Any, people: Any, sheet: bool, played: Callable[[Frame], None] = lambda frame: None
) -> tuple[dict[str, Any], list[Image]]:
    """The figures of the clip that `runtime` plays, and for a sheet a picture of each false alert."""
    from edge.evaluation.clips import ClipScorer
    from edge.runtime.replay import observations
    from edge.runtime.step import Step
    from edge.vision import draw

    scorer = ClipScorer(people)
    pictures: dict[int, Image] = {}
    for observation in observations(runtime, Step(runtime)):
        alarmed = scorer.add(observation, runtime.policy.active, runtime.policy.supports)
        if alarmed and sheet:
            small = draw.contact_sheet([draw.annotate(observation, alert=True)], 1, WIDTH // COLUMNS)
            pictures.update(dict.fromkeys(alarmed, small))
        played(observation.frame)
    return scorer.result(), [pictures[track] for track in scorer.false() if track in pictures]


def _write(path: Path, pictures: Sequence[Image]) -> None:
    from edge.core.files import replacing
    from edge.runtime import outputs
    from edge.vision import draw

    if not pictures:
        if path.is_file():
            path.unlink()  # with --overwrite: what it shows is of another run
        print(f"no false alert: no '{path}'", file=sys.stderr)
        return
    with replacing(path) as part:
        outputs.write(part, draw.contact_sheet(pictures, COLUMNS, WIDTH))
    print(f"{path}: a picture of each false alert, {len(pictures)} in all", file=sys.stderr)
