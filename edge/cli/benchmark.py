"""`maskcam benchmark`: time the pipeline that serves."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from edge.cli.arguments import command, load, overwriting, positive, settings

CROWDS = (0, 1, 2, 5, 20)


def add(commands: Any) -> None:
    parser = command(
        commands, "benchmark", run, "how fast this machine is, stage by stage", "maskcam benchmark --json board.json"
    )
    parser.add_argument("source", nargs="?", help="a recording (default: synthetic)")
    parser.add_argument("--source", dest="recording", metavar="SOURCE", help="the same")
    settings(parser)
    parser.add_argument("--seconds", type=positive(float), default=5.0, help="to time the source (default: 5)")
    parser.add_argument("--frames", type=positive(int), help="most frames to time")
    parser.add_argument(
        "--faces", type=_numbers, default=CROWDS, metavar="N,N", help="faces in a frame (default: 0,1,2,5,20; '': none)"
    )
    parser.add_argument("--sweep", action="store_true", help="try every backend with several numbers of threads too")
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="write JSON to a file, or print it instead"
    )
    overwriting(parser)
    parser.add_argument("--compare", type=Path, metavar="JSON", help="say how an older report differs")
    parser.add_argument(
        "--tolerance", type=positive(float), metavar="SHARE", help="with --compare: exit 1 if a figure is worse by more"
    )


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(part) for part in text.split(",") if part)
    if any(not 0 <= n <= 100 for n in numbers):
        raise ValueError
    return numbers


_numbers.__name__ = "list of numbers from 0 to 100"


def run(args: argparse.Namespace) -> int:
    from edge.config.settings import Sinks
    from edge.core import files
    from edge.operations.benchmark import report as reports
    from edge.operations.benchmark import suite
    from edge.runtime import outputs

    source = args.recording or args.source or "synthetic"
    older = reports.read(args.compare) if args.compare else None
    file = Path(args.json) if args.json not in (None, "-") else None
    if file:
        outputs.check_output(file, source, overwrite=args.overwrite)
    settings = load(args, camera__source=source).model_copy(update={"sinks": Sinks(log=False)})
    report = suite.run(settings, args.seconds, args.frames, args.faces, args.sweep, _health)
    print(report.json() if args.json == "-" else report.render())
    if file:
        files.write(file, report.json() + "\n")
    if older is None:
        return 0
    text, worse = reports.compare(report, older, args.tolerance)
    print(f"\n{text}", file=sys.stderr if args.json == "-" else sys.stdout)
    return int(worse)


def _health() -> dict[str, str]:
    from edge.operations.doctor import power
    from edge.operations.doctor.probes import run

    root = Path("/")
    return {finding.name: finding.found for finding in [*power.temperature(root), *power.throttling(root, run)]}
