"""`maskcam config`: show, check, migrate or explain settings."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from edge.cli.arguments import command, loaded, settings
from edge.core.errors import ConfigError
from edge.core.paths import any_path
from edge.core.supplied import readable_path

ORDER = """
Later sources override earlier ones:
  1. the defaults (maskcam config reference)
  2. /etc/maskcam/maskcam.toml
  3. /boot/firmware/maskcam.toml, which any laptop can edit on the card
  4. MASKCAM_SECTION__KEY=value, such as MASKCAM_CAMERA__WIDTH=320
  5. --set section.key=value
--config FILE replaces 2 and 3.
"""


def add(commands: Any) -> None:
    parser = command(
        commands, "config", run, "show, check, migrate or explain settings", "maskcam config check door.toml"
    )
    parser.description = f"{parser.description}\n{ORDER}"
    actions = parser.add_subparsers(metavar="action", dest="action", required=True)
    show = actions.add_parser("show", help="print the effective settings and where each was set, as TOML")
    settings(show)
    show.add_argument(
        "--with-secrets", action="store_true", help="show passwords in addresses too, which are hidden otherwise"
    )
    check = actions.add_parser("check", help="check each file; exit code 2 and one line per error")
    check.add_argument("file", type=readable_path, nargs="+")
    migrate = actions.add_parser("migrate", help="rewrite files with the current names of settings; comments are kept")
    migrate.add_argument("file", type=any_path, nargs="+")
    requires = actions.add_parser(
        "requires", help="print what the settings need of the machine, one per line: network, extra:mqtt, apt:..."
    )
    settings(requires)
    actions.add_parser("reference", help="print every setting with its default and description, as TOML")


def run(args: argparse.Namespace) -> None:
    from edge.config import template

    if args.action == "reference":
        print(template.reference(), end="")
    elif args.action == "migrate":
        _migrate(args.file)
    elif args.action == "requires":
        from edge.assemble.requires import requires

        print("".join(f"{word}\n" for word in requires(loaded(args).settings)), end="")
    elif args.action == "check":
        _check(args.file)
    else:
        found = loaded(args)
        print(template.show(found.settings, found.origins, args.with_secrets), end="")


def _check(paths: list[Path]) -> None:
    from edge import config

    mistakes = []
    for path in paths:
        try:
            config.load(path)
            print(f"{path}: no mistakes")
        except ConfigError as error:
            mistakes.append(str(error))
    if mistakes:
        raise ConfigError("\n".join(mistakes))


def _migrate(paths: list[Path]) -> None:
    from edge.config.renamed import migrate

    for path in paths:
        changes, old = migrate(path)
        for change in changes:
            print(f"{path}: {change}")
        print(f"{path}: rewritten; the old one is {old.name}" if old else f"{path}: nothing to rename")
