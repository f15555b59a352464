"""`maskcam replay`: processes every frame of a recording."""

from __future__ import annotations

import argparse
import sys
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.cli.arguments import command, load, overwriting, print_events, settings
from edge.core.errors import DataError
from edge.core.paths import any_path
from edge.core.progress import Progress
from edge.core.supplied import readable_path

if TYPE_CHECKING:
    from edge.assemble import Runtime
    from edge.core.metrics import Counters
    from edge.runtime.outputs import Watcher


def add(commands: Any) -> None:
    parser = command(
        commands,
        "replay",
        run,
        "process every frame of a picture, a folder of pictures or a video",
        "maskcam replay door.mp4 --out annotated.mp4 --events events.jsonl",
    )
    parser.add_argument("source", help="a picture, a folder of pictures, a video file, or 'synthetic'")
    settings(parser)
    parser.add_argument("--bundle", type=readable_path, metavar="DIR", help="bundle to use instead of model.bundle")
    parser.add_argument("--out", type=any_path, help="annotated copy: .mp4; for pictures .png, .jpg or a folder")
    parser.add_argument(
        "--events", type=any_path, metavar="JSONL", help="write the events as JSON lines; -: to standard output"
    )
    parser.add_argument("--sheet", type=any_path, metavar="PNG", help="write a contact sheet")
    overwriting(parser)
    parser.add_argument("--show", action="store_true", help="show the frames in a window; q stops")


def run(args: argparse.Namespace) -> None:
    from edge import assemble
    from edge.core.files import replacing
    from edge.runtime import outputs, replay
    from edge.runtime.signals import stop_on_signals
    from edge.sinks.jsonl import JsonlSink

    settings = load(args, camera__source=args.source, model__bundle=args.bundle and str(args.bundle))
    _check_outputs(args)
    piped = args.events == outputs.STANDARD_OUTPUT
    print_events(sys.stderr if piped else sys.stdout)
    with stop_on_signals() as stop, assemble.runtime(settings, live=False) as runtime, ExitStack() as stack:
        watchers = []
        if args.out:
            watchers.append(stack.enter_context(_annotated(args, runtime)))
        if args.sheet:
            watchers.append(stack.enter_context(outputs.sheet(args.sheet)))
        if args.show:
            watchers.append(stack.enter_context(outputs.window(stop.request)))
        if args.events:
            part = None if piped else stack.enter_context(replacing(args.events))
            jsonl: Any = stack.enter_context(closing(JsonlSink(part)))
            if piped:
                jsonl = outputs.UntilClosed(jsonl, stop.request)
            runtime = replace(runtime, sinks=[*runtime.sinks, jsonl])
        progress = stack.enter_context(Progress("replaying", unit="frames"))
        counters = replay.replay(runtime, stop, watchers, partial(_tell, progress))
    print(f"{runtime.timers.render()}\n{counters.render()}", file=sys.stderr if piped else sys.stdout)


def _check_outputs(args: argparse.Namespace) -> None:
    from edge.core.files import passes_on
    from edge.runtime import outputs

    named = [path.resolve() for path in (args.events, args.sheet, args.out) if path and not passes_on(path)]
    if twice := next((path for path in named if named.count(path) > 1), None):
        raise DataError(f"output '{twice}' is named twice: expected a file for each")
    into_folder = args.out and (args.out.is_dir() or not args.out.suffix)
    for path, suffixes in (
        (args.events, ()),
        (args.sheet, outputs.PICTURES),
        (None if into_folder else args.out, (".mp4", *outputs.PICTURES)),
    ):
        if path:
            outputs.check_output(path, args.source, suffixes, args.overwrite)
    if into_folder and not args.out.parent.is_dir():
        raise DataError(f"output '{args.out}': folder '{args.out.parent}' does not exist: create it first")


def _annotated(args: argparse.Namespace, runtime: Runtime) -> AbstractContextManager[Watcher]:
    """The writer for the source and the given file name."""
    from edge.runtime import outputs

    if args.out.suffix.lower() == ".mp4":
        return outputs.video(args.out, runtime.fps)
    if not runtime.pictures:
        raise DataError(f"output '{args.out}': the source is not a picture: expected a name that ends in .mp4")
    source = Path(args.source)
    root = source if source.is_dir() else source.parent
    return outputs.pictures(args.out, runtime.pictures, root, args.overwrite)


def _tell(progress: Progress, counters: Counters) -> None:
    progress.update(counters.frames, note=f"{counters.fps:.1f} FPS")
