"""`maskcam update`: installs a signed release or bundle, on trial, with a rollback if it fails."""

from __future__ import annotations

import argparse
import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.cli.arguments import command, load, positive, settings
from edge.core.errors import UpdateError
from edge.core.paths import any_path

if TYPE_CHECKING:
    from edge.operations.update.activate import Reporter
    from edge.operations.update.service import Systemd
    from edge.operations.update.stage import Installation

SHORTEST = 20.0
"""Seconds; systemd's watchdog of 30 s is fed every 7.5."""


def add(commands: Any) -> None:
    parser = command(
        commands, "update", run, "install a signed release or bundle", "maskcam update maskcam-0.2.0.tar --health 60"
    )
    parser.add_argument("package", nargs="?", metavar="FILE|URL", help="package made by maskcam pack")
    settings(parser)
    parser.add_argument(
        "--health",
        type=positive(float),
        default=60.0,
        metavar="S",
        help="seconds to watch the new version before keeping it: 20 or more",
    )
    parser.add_argument("--allow-downgrade", action="store_true", help="accept a version older than the running one")
    parser.add_argument("--resume", action="store_true", help="finish an interrupted update; systemd runs this at boot")
    parser.add_argument(
        "--inbox",
        type=any_path,
        metavar="FILE",
        help="install the package that was uploaded to the page, and remove it; systemd runs this",
    )
    parser.add_argument(
        "--self-test", action="store_true", help="only check that the networks give their known answers"
    )
    # The name by which every release, older ones too, starts the self-test of another: it stays.
    parser.add_argument("--prove", dest="self_test", action="store_true", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> None:
    if args.self_test:
        from edge.operations.update.self_test import self_test

        print(self_test(load(args)))
        return
    if args.health < SHORTEST:
        raise UpdateError(
            f"--health {args.health:g}: expected {SHORTEST:g} s at least, in which the watchdog is fed twice"
        )
    from edge.operations.update import activate, inbox, stage
    from edge.operations.update.service import Systemd

    home, unit = stage.here(), Systemd()
    if args.resume:
        activate.resume(home.journal, unit, args.health, print)
    elif args.inbox:
        inbox.install(args.inbox, home.root, functools.partial(_apply, args, home, unit))
    elif args.package:
        _apply(args, home, unit, args.package, print)
    else:
        raise UpdateError("FILE or URL: expected a package that maskcam pack wrote")


def _apply(args: argparse.Namespace, home: Installation, unit: Systemd, package: str | Path, say: Reporter) -> None:
    """The trusted key comes only from files that root writes; the service itself can write the settings of the page."""
    from edge import __version__, config
    from edge.operations.update import apply
    from edge.vision import bundle

    key = config.read(config.files(args.config), args.set, os.environ).settings.update.key
    versions = __version__, bundle.load().created.replace("-", ".")
    arm = functools.partial(unit.arm, home)
    apply.apply(package, home, key, versions, unit, arm, args.health, args.allow_downgrade, say)
