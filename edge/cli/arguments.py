"""What several commands' arguments share."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from edge.config import Loaded
    from edge.config.settings import Settings


def command(commands: Any, name: str, function: Any, purpose: str, example: str) -> argparse.ArgumentParser:
    """A new command: its one-line purpose, and an example that its help ends with."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=purpose, description=f"{name}: {purpose}.", epilog=f"example:\n  {example}"
    )
    parser.set_defaults(command=function)
    return parser


def settings(parser: argparse.ArgumentParser) -> None:
    """--config and --set."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings file to use instead of the system's (see maskcam config -h)",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override one setting, such as camera.width=320"
    )


def labels(parser: argparse.ArgumentParser) -> None:
    """--label, for data whose classes have other names."""
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="what a class of the data is: with_mask, without_mask, mask_worn_incorrectly, not_a_face, face or ignore",
    )


def renamed(args: argparse.Namespace) -> dict[str, str]:
    """The value of --label. Raises DataError."""
    from edge.core.errors import DataError

    for text in args.label:
        if not all(text.partition("=")):
            raise DataError(f"--label {text}: expected OLD=NEW, such as --label Maske=with_mask")
    return {old: new for old, _, new in (text.rpartition("=") for text in args.label)}


def positive(kind: Any, most: float = 1e8) -> Any:
    """An argparse type: a number of `kind` above zero and up to `most`, which of seconds are three years."""

    def number(text: str) -> Any:
        value = kind(text)
        if not value > 0:
            raise ValueError
        if value > most:
            raise argparse.ArgumentTypeError(f"{text[:40]}: expected {most:.0f} at most")
        return value

    number.__name__ = "positive number"  # argparse names it in its message
    return number


def load(args: argparse.Namespace, **overrides: Any) -> Settings:
    """Settings of files, variables, --set and, above all, the command's own options (`section__key`), where given."""
    return loaded(args, **overrides).settings


def loaded(
    args: argparse.Namespace, service: bool = False, unusable: str = "", page: Path | None = None, **overrides: Any
) -> Loaded:
    """The same with what became of it. A `service` that systemd gives a state directory keeps to its last good ones.

    page: the file with what was set on the page, instead of the one in the state directory.
    Raises ConfigError, but for a service with a state directory only where settings are `unusable` and it has no
    others (see `edge.config.load_or_last_good`).
    """
    from edge import config
    from edge.runtime.systemd import state_directory

    own = [f"{key.replace('__', '.')}={json.dumps(value)}" for key, value in overrides.items() if value is not None]
    state = state_directory() if service else None
    page = page or config.page_file(state_directory(), args.config is not None)
    files = [*config.files(args.config), *([page] if page and os.path.lexists(page) else [])]
    return config.load_or_last_good(files, [*args.set, *own], os.environ, state, unusable)


def overwriting(parser: argparse.ArgumentParser) -> None:
    """--overwrite."""
    parser.add_argument("--overwrite", action="store_true", help="replace output files that are there already")


def print_events(stream: TextIO) -> None:
    """Events and warnings, one line each."""
    import logging

    from edge.runtime.lines import Plain

    handler = logging.StreamHandler(stream)
    handler.setFormatter(Plain())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
