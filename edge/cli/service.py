"""`maskcam service`: installs maskcam as a service of this machine."""

from __future__ import annotations

import argparse
import os
import subprocess
from typing import Any

from edge.cli.arguments import command
from edge.core import plugins
from edge.core.paths import any_path


def add(commands: Any) -> None:
    parser = command(
        commands,
        "service",
        run,
        "install maskcam as a service of this machine, or remove it",
        "sudo maskcam service install --board pi --dry-run",
    )
    parser.add_argument("action", choices=("install",), help="environment in /opt/maskcam, user, unit, udev rules")
    parser.add_argument(
        "--board",
        choices=("cpu", "pi", "coral", "jetson"),
        help="packages and first configuration (default: by the model of this machine)",
    )
    parser.add_argument(
        "--name",
        metavar="NAME",
        help="install a further camera: the unit maskcam@NAME with the settings of /etc/maskcam/NAME.toml",
    )
    parser.add_argument(
        "--wheels",
        type=any_path,
        metavar="DIR",
        help="folder with maskcam's wheel and all it needs: no network is used",
    )
    parser.add_argument("--dry-run", action="store_true", help="print every step without changing anything")
    parser.add_argument("--uninstall", action="store_true", help="remove all but configuration and state")


def run(args: argparse.Namespace) -> int:
    """Runs the installer of this maskcam, with its own wheel and those of installed packages that bring parts; returns
    the exit code."""
    from platform import machine

    from edge.core import files
    from edge.operations.flash import locks, wheels

    share = wheels.source()
    options = [f"--{name}" for name in ("dry-run", "uninstall") if getattr(args, name.replace("-", "_"))]
    for name in ("board", "name", "wheels"):
        if (value := getattr(args, name)) is not None:
            options += [f"--{name}", str(value)]
    with files.scratch() as scratch:
        if not args.uninstall:
            if not args.wheels:
                options += ["--wheel", str(wheels.own(share, scratch))]
            if names := plugins.providers():
                wheels.parts(names, scratch / "parts", locks.path(share, args.board or "pi", machine()))
                options += ["--parts", str(scratch / "parts")]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return subprocess.run(["bash", str(share / "systemd" / "install.sh"), *options], env=environ).returncode
