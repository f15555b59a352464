"""`maskcam accuracy`: score a bundle on annotated pictures."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from edge.cli.arguments import command, labels, positive, renamed


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
        type=Path,
        metavar="DATA",
        help="COCO, Pascal VOC, YOLO, crops.csv or class folders",
    )
    labels(parser)
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="bundle to use instead of the shipped one")
    parser.add_argument("--backend", choices=("tflite", "opencv"), default="tflite", help="backend (default: tflite)")
    parser.add_argument("--threads", type=positive(int), default=2, help="CPU threads (default: 2)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> None:
    from edge import accuracy
    from edge.evaluation import runner

    def tell(done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done} of {total} pictures ", end="\n" if done == total else "", file=sys.stderr, flush=True)

    result = accuracy.run(args.data, args.bundle, args.backend, args.threads, tell, renamed(args))
    print(json.dumps(runner.without_nan(result), indent=1) if args.json else runner.table(result))
