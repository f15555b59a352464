"""`maskcam config`: show, check or explain settings."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from edge.commands.arguments import command, load, settings


def add(commands: Any) -> None:
    parser = command(commands, "config", run, "show, check or explain settings", "maskcam config check door.toml")
    actions = parser.add_subparsers(metavar="action", dest="action", required=True)
    show = actions.add_parser("show", help="print the settings in force, as TOML")
    settings(show)
    check = actions.add_parser("check", help="check a file: exit code 2 and a line per mistake")
    check.add_argument("file", type=Path)
    actions.add_parser("reference", help="print every setting with its default and meaning, as TOML")


def run(args: argparse.Namespace) -> None:
    from edge import config

    if args.action == "reference":
        print(config.reference())
    elif args.action == "check":
        config.load(args.file)
        print(f"{args.file}: no mistakes")
    else:
        print(config.show(load(args)), end="")
