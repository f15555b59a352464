"""`maskcam doctor`: check this machine and print how to fix what is wrong."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from typing import Any

from edge.cli.arguments import command, load, settings


def add(commands: Any) -> None:
    parser = command(commands, "doctor", run, "check this machine and print how to fix what is wrong", "maskcam doctor")
    settings(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 if nothing is bad, otherwise 1."""
    from edge import config
    from edge.operations.doctor.runner import examine

    findings = []
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # for the marks on a terminal that is not UTF-8
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    for finding in examine(lambda: load(args), config.files(args.config)):
        findings.append(finding)
        if not args.json:
            print(finding.render(colour), flush=True)
    bad = sum(finding.state == "bad" for finding in findings)
    if args.json:
        print(json.dumps({"healthy": not bad, "findings": [finding.record() for finding in findings]}, indent=1))
    else:
        print(f"\n{bad} to fix" if bad else "\nnothing to fix")
    return 1 if bad else 0
