"""`maskcam run`: watch a live camera."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from edge.commands.arguments import command, load, positive, print_events, settings


def add(commands: Any) -> None:
    parser = command(commands, "run", run, "watch a live camera", "maskcam run --config /etc/maskcam/maskcam.toml")
    settings(parser)
    parser.add_argument(
        "--source", help="instead of camera.source: an index, /dev/..., an address, 'synthetic', a video"
    )
    parser.add_argument("--duration", type=positive(float), metavar="S", help="stop after so many seconds")
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="write a contact sheet of the run")


def run(args: argparse.Namespace) -> None:
    from edge import assemble, outputs, service
    from edge.systemd import Notifier

    settings = load(args, camera__source=args.source, camera__duration=args.duration)
    if args.sheet:
        outputs.check_output(args.sheet, str(settings.camera.source), outputs.PICTURES)
    print_events()
    with service.stop_on_signals() as stop, assemble.runtime(settings, live=True) as runtime, ExitStack() as stack:
        watchers = [stack.enter_context(outputs.sheet(args.sheet))] if args.sheet else []
        counters = service.serve(runtime, Notifier(), stop, args.duration, watchers)
    print(f"{runtime.timers.render()}\n{counters.render()}")
