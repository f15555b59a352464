"""`maskcam accuracy`: score a bundle on annotated pictures."""

from __future__ import annotations

import argparse
import json
from typing import Any

from edge.cli.arguments import command, labels, positive, renamed
from edge.core.paths import any_path
from edge.core.progress import Progress
from edge.core.supplied import readable_path


def add(commands: Any) -> None:
    parser = command(
        commands,
        "accuracy",
        run,
        "measure the accuracy of the bundle on annotated pictures",
        "maskcam accuracy door/coco.json --json",
    )
    parser.add_argument(
        "data",
        type=any_path,
        metavar="DATA",
        help="COCO, Pascal VOC, YOLO, crops.csv or class folders",
    )
    labels(parser)
    parser.add_argument("--bundle", type=readable_path, metavar="DIR", help="bundle to use instead of the shipped one")
    parser.add_argument("--backend", choices=("tflite", "opencv"), default="tflite", help="backend (default: tflite)")
    parser.add_argument("--threads", type=positive(int, 64), default=2, help="CPU threads (default: 2)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> None:
    from edge import accuracy
    from edge.evaluation import runner

    with Progress("measuring", unit="pictures") as progress:
        result = accuracy.run(args.data, args.bundle, args.backend, args.threads, progress.update, renamed(args))
    print(json.dumps(runner.without_nan(result), indent=1) if args.json else runner.table(result))
