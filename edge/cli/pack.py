"""`maskcam pack`: a release or a bundle as one signed file, for `maskcam update`."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import Any

from edge.cli.arguments import command, overwriting
from edge.core.errors import UpdateError
from edge.core.paths import any_path
from edge.core.supplied import readable_path


def add(commands: Any) -> None:
    parser = command(
        commands,
        "pack",
        run,
        "create a signed package for maskcam update",
        "maskcam pack maskcam-0.2.0.tar --key minisign.key --python 3.13",
    )
    parser.add_argument("out", type=any_path, metavar="OUT.tar", help="file to write")
    parser.add_argument("--key", type=any_path, required=True, metavar="FILE", help="secret key, made by minisign -G")
    parser.add_argument("--bundle", type=readable_path, metavar="DIR", help="pack this bundle instead of a release")
    parser.add_argument("--python", default="3.13", help="of the device: 3.13 on Trixie (default), 3.11 on Bookworm")
    parser.add_argument("--machine", default="aarch64", choices=("aarch64", "x86_64"), help="default: aarch64")
    parser.add_argument("--board", default="pi", choices=("cpu", "pi", "coral"), help="default: pi")
    overwriting(parser)
    parser.add_argument("--glibc", default="2.36", help="of the device, at least (default: 2.36, Bookworm's)")


def run(args: argparse.Namespace) -> None:
    from edge import __version__
    from edge.core.files import scratch
    from edge.operations.flash import wheels
    from edge.operations.update.package import pack
    from edge.runtime.outputs import check_output
    from edge.vision import bundle

    password = None
    if not args.key.is_file():
        raise UpdateError(f"--key {args.key}: no such file: make one with: minisign -G")
    check_output(args.out, str(args.key), (), args.overwrite)
    if sys.stdin.isatty():
        password = getpass.getpass(f"password of {args.key} (empty: none): ")
    if args.bundle:
        found = bundle.load(args.bundle)
        files = {name: args.bundle / name for name in [bundle.NAME, *found.files]}
        facts = {"kind": "bundle", "version": found.created.replace("-", ".")}
        made = pack(args.out, files, args.key, password, **facts)
    else:
        with scratch() as folder:
            paths = wheels.gather(wheels.source(), folder, args.board, args.python, args.machine, args.glibc)
            facts = {"kind": "release", "version": __version__, "python": args.python}
            facts |= {"machine": args.machine, "board": args.board}
            made = pack(args.out, {path.name: path for path in paths}, args.key, password, **facts)
    print(f"{args.out}: {made.kind} {made.version}, {len(made.files)} files, {made.bytes / 1e6:.0f} MB")
