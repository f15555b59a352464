"""`maskcam benchmark`: measures the pipeline of the service."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from functools import partial
from pathlib import Path
from typing import Any

from edge.cli.arguments import command, load, overwriting, positive, settings
from edge.core.paths import any_path, meant
from edge.core.progress import left

AGAIN = 2
"""Number of further measurements before a figure counts as worse."""
CROWDS = (0, 1, 2, 5, 20)


def add(commands: Any) -> None:
    parser = command(
        commands,
        "benchmark",
        run,
        "measure how fast this machine runs maskcam, stage by stage",
        "maskcam benchmark --json board.json",
    )
    parser.add_argument("source", nargs="?", help="a recording (default: synthetic)")
    parser.add_argument("--source", dest="recording", metavar="SOURCE", help="same as the positional argument")
    settings(parser)
    parser.add_argument(
        "--seconds", type=positive(float), default=5.0, help="measuring time for the source (default: 5)"
    )
    parser.add_argument("--frames", type=positive(int), help="maximum number of frames")
    parser.add_argument(
        "--faces",
        type=_numbers,
        default=CROWDS,
        metavar="N,N",
        help="numbers of faces per frame to measure (default: 0,1,2,5,20; '': none)",
    )
    parser.add_argument(
        "--sweep", action="store_true", help="also measure every backend with several numbers of threads"
    )
    parser.add_argument(
        "--json", type=meant, nargs="?", const="-", metavar="FILE", help="write the report as JSON to FILE, or print it"
    )
    overwriting(parser)
    parser.add_argument("--compare", type=any_path, metavar="JSON", help="compare with an older report")
    parser.add_argument(
        "--tolerance",
        type=positive(float),
        metavar="SHARE",
        help="with --compare: exit with code 1 if a figure is worse by more than this share",
    )


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(part) for part in text.split(",") if part)
    if any(not 0 <= n <= 100 for n in numbers):
        raise ValueError
    return numbers


_numbers.__name__ = "list of numbers from 0 to 100"


def run(args: argparse.Namespace) -> int:
    """Of the synthetic scene or, without its packages, of the picture of the known answer."""
    from edge.core import files
    from edge.operations.benchmark import suite

    if source := args.recording or args.source or ("synthetic" if importlib.util.find_spec("skimage") else None):
        return _run(args, source)
    print("the synthetic scene is not installed: the picture of the known answer is timed instead", file=sys.stderr)
    with files.scratch() as folder:
        return _run(args, str(suite.known_scene(folder)))


def _run(args: argparse.Namespace, source: str) -> int:
    from edge.config.settings import Sinks
    from edge.core import files
    from edge.operations.benchmark import report as reports
    from edge.operations.benchmark import suite
    from edge.runtime import outputs

    older = reports.read(args.compare) if args.compare else None
    file = Path(args.json) if args.json not in (None, "-") else None
    if file:
        outputs.check_output(file, source, overwrite=args.overwrite)
    settings = load(args, camera__source=source).model_copy(update={"sinks": Sinks(log=False)})
    measure = partial(suite.run, settings, args.seconds, args.frames, args.faces, args.sweep, _health, _tell)
    report = measure()
    print(report.json() if args.json == "-" else report.render())
    if file:
        files.write(file, report.json() + "\n")
    if older is None:
        return 0
    text, worse = reports.compare(report, older, args.tolerance)
    again: list[reports.Report] = []
    while worse and len(again) < AGAIN:
        print("slower than before; measuring again, since the machine may have been busy", file=sys.stderr)
        again.append(measure())
        text, worse = reports.compare(report, older, args.tolerance, again)
    print(f"\n{text}", file=sys.stderr if args.json == "-" else sys.stdout)
    return int(worse)


def _tell(text: str, seconds: float) -> None:
    if sys.stderr.isatty():
        print(f"measuring {text}, {left(seconds)}", file=sys.stderr, flush=True)


def _health() -> dict[str, str]:
    from edge.core.probes import run
    from edge.operations.doctor import power

    root = Path("/")
    return {finding.name: finding.found for finding in [*power.temperature(root), *power.throttling(root, run)]}
