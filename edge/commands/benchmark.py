"""`maskcam benchmark`: time the pipeline."""

from __future__ import annotations

import argparse
from typing import Any

from edge.commands.arguments import command, load, positive, settings


def add(commands: Any) -> None:
    parser = command(
        commands, "benchmark", run, "p50 and p95 per stage on this machine", "maskcam benchmark --frames 200"
    )
    parser.add_argument("source", nargs="?", default="synthetic", help="a recording (default: synthetic)")
    settings(parser)
    parser.add_argument("--frames", type=positive(int), default=300, help="how many to time (default: 300)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> None:
    from edge import assemble, benchmark
    from edge.settings import Sinks

    settings = load(args, camera__source=args.source).model_copy(update={"sinks": Sinks(log=False)})
    with assemble.runtime(settings, live=False) as runtime:
        report = benchmark.measure(runtime.camera, runtime.pipeline, args.frames)
    print(report.json() if args.json else report.render())
