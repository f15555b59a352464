"""`maskcam clips`: score the alarms about people in labelled recordings."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from edge.cli.arguments import command, load, settings
from edge.core.errors import CameraError
from edge.core.plain_text import plain
from edge.core.progress import Progress
from edge.core.supplied import readable_path


def add(commands: Any) -> None:
    parser = command(
        commands,
        "clips",
        run,
        "score the alerts in labelled recordings: correct, missed, false, and their delay",
        "maskcam clips door.toml   # the format: docs/clips.md",
    )
    parser.add_argument("labels", type=Path, nargs="+", metavar="LABELS", help="a TOML file per recording")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="folder of the recordings, if not that of the labels"
    )
    parser.add_argument("--bundle", type=readable_path, metavar="DIR", help="instead of model.bundle")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    settings(parser)


def run(args: argparse.Namespace) -> int:
    """Exit code 0, or 2 where no recording could be read."""
    from edge.evaluation import clips

    every = {str(path): clips.read(path) for path in args.labels}  # errors are reported before the first clip is played
    results = {}
    for name, labels in every.items():
        clip = args.folder / labels.clip.name if args.folder else labels.clip
        try:
            results[name] = _play(args, clip, labels)
        except CameraError as error:  # hours of others may be done, or to come
            print(f"maskcam: skipped: {plain(str(error))}", file=sys.stderr)
    if results:
        print(json.dumps(results, indent=1) if args.json else clips.table(results))
    if len(results) < len(every):
        print(f"maskcam: skipped {len(every) - len(results)} of {len(every)} recordings", file=sys.stderr)
    return 0 if results else 2


def _play(args: argparse.Namespace, clip: Path, labels: Any) -> dict[str, Any]:
    from edge import assemble
    from edge.evaluation.clips import ClipScorer
    from edge.runtime.replay import observations
    from edge.runtime.step import Step

    chosen = load(args, camera__source=str(clip), model__bundle=args.bundle and str(args.bundle), sinks__log=False)
    scorer = ClipScorer(labels.people)
    with assemble.runtime(chosen, live=False) as runtime, Progress(clip.name, unit="frames") as progress:
        for observation in observations(runtime, Step(runtime)):
            scorer.add(observation, runtime.policy.active)
            progress.update(observation.frame.index + 1, note=f"{observation.frame.t:.0f} s")
    return scorer.result()
