"""The command `maskcam`: the parser, and the place where errors become a line and an exit code."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from edge import __version__
from edge.core.errors import ConfigError, MaskcamError
from edge.core.native_output import open_standard_streams
from edge.core.plain_text import plain

COMMANDS = (
    "run",
    "replay",
    "detect",
    "benchmark",
    "accuracy",
    "clips",
    "backends",
    "config",
    "doctor",
    "alerts",
    "history",
    "fleet",
    "sign",
    "password",
    "support",
    "service",
    "flash",
    "update",
    "pack",
)
"""Modules of `edge.cli`, in the order of the help."""


class _Parser(argparse.ArgumentParser):
    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}: see {self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns 0, 2 after an error, 130 if interrupted twice.

    If the command returns a number, that is the exit code.
    """
    open_standard_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file name may not be UTF-8
    try:
        args = parser().parse_args(argv)
        code: int | None = args.command(args)
        sys.stdout.flush()
        return code or 0
    except BrokenPipeError:  # `maskcam config reference | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (MaskcamError, OSError) as error:
        for line in plain(str(error)).splitlines():
            print(f"maskcam: error: {line}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    root = _Parser(prog="maskcam", description="Detects faces, tells whether a mask is worn, and lights an LED.")
    root.add_argument("--version", action="version", version=f"maskcam {__version__}")
    commands = root.add_subparsers(metavar="command", required=True)
    for name in COMMANDS:
        importlib.import_module(f"edge.cli.{name}").add(commands)
    return root
