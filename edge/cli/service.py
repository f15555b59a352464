"""`maskcam service`: maskcam as a service of this machine."""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from edge.cli.arguments import command


def add(commands: Any) -> None:
    parser = command(
        commands,
        "service",
        run,
        "make maskcam a service of this machine, or take it away",
        "sudo maskcam service install --board pi --dry-run",
    )
    parser.add_argument("action", choices=("install",), help="environment in /opt/maskcam, user, unit, udev rules")
    parser.add_argument(
        "--board",
        choices=("cpu", "pi", "coral", "jetson"),
        help="packages and first configuration (default: what this machine says it is)",
    )
    parser.add_argument(
        "--name",
        metavar="NAME",
        help="a camera more: the unit maskcam@NAME with the settings of /etc/maskcam/NAME.toml",
    )
    parser.add_argument(
        "--wheels", type=Path, metavar="DIR", help="folder with maskcam's wheel and all it needs: no network is used"
    )
    parser.add_argument("--dry-run", action="store_true", help="say every step, change nothing")
    parser.add_argument("--uninstall", action="store_true", help="remove all but configuration and state")


def run(args: argparse.Namespace) -> int:
    """Runs the installer that maskcam carries, with the wheel of the maskcam that runs; its exit code."""
    from edge.operations.flash import wheels

    share = wheels.source()
    options = [f"--{name}" for name in ("dry-run", "uninstall") if getattr(args, name.replace("-", "_"))]
    for name in ("board", "name", "wheels"):
        if (value := getattr(args, name)) is not None:
            options += [f"--{name}", str(value)]
    with tempfile.TemporaryDirectory() as scratch:
        if not args.uninstall and not args.wheels:
            options += ["--wheel", str(wheels.own(share, Path(scratch)))]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return subprocess.run(["bash", str(share / "systemd" / "install.sh"), *options], env=environ).returncode
