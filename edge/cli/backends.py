"""`maskcam backends`: which backends run the networks on this machine, how correct and how fast."""

from __future__ import annotations

import argparse
from typing import Any

from edge.cli.arguments import command, load, settings
from edge.core.supplied import readable_path


def add(commands: Any) -> None:
    parser = command(
        commands,
        "backends",
        run,
        "test every backend on this machine",
        "maskcam backends --config door.toml",
    )
    settings(parser)
    parser.add_argument("--bundle", type=readable_path, metavar="DIR", help="bundle to use instead of model.bundle")


def run(args: argparse.Namespace) -> None:
    from edge import assemble
    from edge.backends.selection.probe import render
    from edge.vision import bundle

    settings = load(args, model__bundle=args.bundle and str(args.bundle))
    rows = assemble.probe(settings, bundle.load(settings.model.bundle or None), anew=True)
    print(render(rows))
