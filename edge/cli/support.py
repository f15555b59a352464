"""`maskcam support`: collects a file for support."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from edge.cli.arguments import command, load, loaded, settings
from edge.core.paths import any_path


def add(commands: Any) -> None:
    parser = command(
        commands,
        "support",
        run,
        "write a file for support: checks, log, settings without secrets, versions; no pictures",
        "maskcam support maskcam-support.zip",
    )
    parser.add_argument(
        "file", nargs="?", type=any_path, default=Path("maskcam-support.zip"), help="(maskcam-support.zip)"
    )
    settings(parser)


def run(args: argparse.Namespace) -> None:
    from edge import config
    from edge.core import json_text
    from edge.core.files import replacing
    from edge.core.probes import run as execute
    from edge.core.probes import text
    from edge.operations.doctor import unit
    from edge.operations.doctor.runner import examine
    from edge.runtime import outputs
    from edge.web import editor, support

    outputs.check_output(args.file, "", (".zip",))
    print("checking this machine; this takes some seconds", flush=True)
    findings = [finding.record() for finding in examine(lambda: load(args), config.files(args.config))]
    journal = execute("journalctl", "-u", unit.UNIT, "-b", "-n", "500", "--no-pager", "-o", "short-iso") or ""
    said = text(Path("/") / unit.STATUS)
    try:
        status = json_text.parse(said) if said else {}
    except ValueError:
        status = {}
    data = support.archive(editor.described(loaded(args)), findings, journal.splitlines(), status)
    with replacing(args.file) as part:
        part.write_bytes(data)
        os.chmod(part, 0o600)
    print(f"{args.file}: {len(data) >> 10} kB; check its content before you send it")
