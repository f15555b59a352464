"""Arguments that several commands share."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from edge.core.supplied import readable_path

if TYPE_CHECKING:
    from edge.config import Loaded
    from edge.config.settings import Settings


def command(commands: Any, name: str, function: Any, purpose: str, example: str) -> argparse.ArgumentParser:
    """Adds a command with its one-line purpose and an example for its help."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=purpose, description=f"{name}: {purpose}.", epilog=f"example:\n  {example}"
    )
    parser.set_defaults(command=function)
    return parser


def settings(parser: argparse.ArgumentParser) -> None:
    """Adds --config and --set."""
    parser.add_argument(
        "--config",
        type=readable_path,
        metavar="FILE",
        help="settings file to use instead of the system's (see maskcam config -h)",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override one setting, such as camera.width=320"
    )


def labels(parser: argparse.ArgumentParser) -> None:
    """Adds --label, for data with other class names."""
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="meaning of a class: with_mask, without_mask, mask_worn_incorrectly, not_a_face, face or ignore",
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
    """The settings; `overrides` (`section__key`), options of the command, override all other sources."""
    return loaded(args, **overrides).settings


def loaded(
    args: argparse.Namespace, service: bool = False, unusable: str = "", page: Path | None = None, **overrides: Any
) -> Loaded:
    """The same with their origins. A `service` with a state directory falls back to its last good settings.

    page: the file with the settings of the page, instead of the one in the state directory.
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
    parser.add_argument("--overwrite", action="store_true", help="overwrite existing output files")


def print_events(stream: TextIO) -> None:
    """Logs events and warnings, one line each."""
    import logging

    from edge.runtime.lines import Plain

    handler = logging.StreamHandler(stream)
    handler.setFormatter(Plain())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
