"""`maskcam password`: a hash for web.password or web.token."""

from __future__ import annotations

import argparse
import getpass
import secrets
import sys
from typing import Any

from edge.cli.arguments import command
from edge.core.errors import ConfigError


def add(commands: Any) -> None:
    parser = command(
        commands, "password", run, "hash a password or a token for the page's settings", "maskcam password --token"
    )
    parser.description = (
        f"{parser.description}\nPrints lines for the settings file. Asks twice; reads one line where there is no "
        "terminal. The password itself is not stored."
    )
    parser.add_argument("--token", action="store_true", help="create a random token for programs, and print it once")


def run(args: argparse.Namespace) -> None:
    from edge.web import passwords

    if args.token:
        token = secrets.token_urlsafe(24)
        print(f"token (shown once): {token}", file=sys.stderr)
        print(f'[web]\ntoken = "{passwords.hashed(token)}"')
        return
    given = _asked()
    if len(given) < passwords.SHORTEST:
        raise ConfigError(f"the password is too short: expected {passwords.SHORTEST} characters or more")
    print(f'[web]\npassword = "{passwords.hashed(given)}"')


def _asked() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("password: ")
    if getpass.getpass("again: ") != first:
        raise ConfigError("the two are not the same: try again")
    return first
