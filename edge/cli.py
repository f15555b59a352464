"""The command `maskcam`. Heavy packages are imported by the command that needs them, so `--help` is quick."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from edge import __version__
from edge.errors import ConfigError, DataError, MaskcamError

if TYPE_CHECKING:
    from edge.assemble import Runtime
    from edge.config import Settings
    from edge.metrics import Counters
    from edge.outputs import Watcher


class _Parser(argparse.ArgumentParser):
    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}: see {self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns 0, 2 for a mistake of the caller's or the machine's, 130 when interrupted twice."""
    try:
        args = parser().parse_args(argv)
        args.command(args)
        sys.stdout.flush()
        return 0
    except BrokenPipeError:  # `maskcam config reference | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (MaskcamError, OSError) as error:
        for line in str(error).splitlines():
            print(f"maskcam: error: {line}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    root = _Parser(prog="maskcam", description="Sees faces, knows whether a mask is worn, lights an LED.")
    root.add_argument("--version", action="version", version=f"maskcam {__version__}")
    commands = root.add_subparsers(metavar="command", required=True)

    run = _command(commands, "run", _run, "watch a live camera", "maskcam run --config /etc/maskcam/maskcam.toml")
    _settings(run)
    run.add_argument("--source", help="instead of camera.source: an index, /dev/..., an address, 'synthetic', a video")
    run.add_argument("--duration", type=_positive(float), metavar="S", help="stop after so many seconds")
    run.add_argument("--sheet", type=Path, metavar="PNG", help="write a contact sheet of the run")

    replay = _command(
        commands,
        "replay",
        _replay,
        "go through pictures, a folder or a video, every frame of it",
        "maskcam replay door.mp4 --out annotated.mp4 --events events.jsonl",
    )
    replay.add_argument("source", help="a picture, a folder of pictures, a video file, or 'synthetic'")
    _settings(replay)
    replay.add_argument("--bundle", type=Path, metavar="DIR", help="instead of model.bundle")
    replay.add_argument("--out", type=Path, help="annotated copy: .mp4; for pictures .png, .jpg or a folder")
    replay.add_argument("--events", type=Path, metavar="JSONL", help="write the events as JSON lines")
    replay.add_argument("--sheet", type=Path, metavar="PNG", help="write a contact sheet")
    replay.add_argument("--show", action="store_true", help="show it in a window; q ends it")

    benchmark = _command(
        commands, "benchmark", _benchmark, "p50 and p95 per stage on this machine", "maskcam benchmark --frames 200"
    )
    benchmark.add_argument("source", nargs="?", default="synthetic", help="a recording (default: synthetic)")
    _settings(benchmark)
    benchmark.add_argument("--frames", type=_positive(int), default=300, help="how many to time (default: 300)")
    benchmark.add_argument("--json", action="store_true", help="print JSON instead of a table")

    accuracy = _command(
        commands,
        "accuracy",
        _accuracy,
        "score the bundle on annotated pictures: how right it is at your own door",
        "maskcam accuracy door/coco.json --json",
    )
    accuracy.add_argument(
        "data", type=Path, metavar="COCO", help="annotations (.json), or a folder with one; pictures in images/"
    )
    accuracy.add_argument("--bundle", type=Path, metavar="DIR", help="instead of the shipped one")
    accuracy.add_argument("--backend", choices=("tflite", "opencv"), default="tflite", help="engine (default: tflite)")
    accuracy.add_argument("--threads", type=_positive(int), default=2, help="of the processor (default: 2)")
    accuracy.add_argument("--json", action="store_true", help="print JSON instead of a table")

    config = _command(commands, "config", _config, "show, check or explain settings", "maskcam config check door.toml")
    actions = config.add_subparsers(metavar="action", dest="action", required=True)
    show = actions.add_parser("show", help="print the settings in force, as TOML")
    _settings(show)
    check = actions.add_parser("check", help="check a file: exit code 2 and a line per mistake")
    check.add_argument("file", type=Path)
    actions.add_parser("reference", help="print every setting with its default and meaning, as TOML")
    return root


def _command(commands: Any, name: str, function: Any, purpose: str, example: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=purpose, description=f"{name}: {purpose}.", epilog=f"example:\n  {example}"
    )
    command.set_defaults(command=function)
    return command


def _settings(command: argparse.ArgumentParser) -> None:
    command.add_argument("--config", type=Path, metavar="FILE", help="settings (default: maskcam config reference)")
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, such as camera.width=320"
    )


def _positive(kind: Any) -> Any:
    def number(text: str) -> Any:
        value = kind(text)
        if not value > 0:
            raise ValueError
        return value

    number.__name__ = "positive number"  # argparse names it in its message
    return number


def _load(args: argparse.Namespace, **overrides: Any) -> Settings:
    """Settings of --config and --set; `overrides` (section__key) come from the command's own options, where given."""
    from edge import config

    own = [f"{key.replace('__', '.')}={json.dumps(value)}" for key, value in overrides.items() if value is not None]
    return config.load(args.config, [*args.set, *own])


def _run(args: argparse.Namespace) -> None:
    from edge import assemble, outputs, service
    from edge.systemd import Notifier

    settings = _load(args, camera__source=args.source, camera__duration=args.duration)
    if args.sheet:
        outputs.check_output(args.sheet, str(settings.camera.source), outputs.PICTURES)
    _print_events()
    with service.stop_on_signals() as stop, assemble.runtime(settings, live=True) as runtime, ExitStack() as stack:
        watchers = [stack.enter_context(outputs.sheet(args.sheet))] if args.sheet else []
        counters = service.serve(runtime, Notifier(), stop, args.duration, watchers)
    print(f"{runtime.timers.render()}\n{counters.render()}")


def _replay(args: argparse.Namespace) -> None:
    from edge import assemble, outputs, service
    from edge.systemd import Notifier

    settings = _load(args, camera__source=args.source, model__bundle=args.bundle and str(args.bundle))
    _check_outputs(args)
    _print_events()
    with service.stop_on_signals() as stop, assemble.runtime(settings, live=False) as runtime, ExitStack() as stack:
        watchers = []
        if args.out:
            watchers.append(stack.enter_context(_annotated(args, runtime)))
        if args.sheet:
            watchers.append(stack.enter_context(outputs.sheet(args.sheet)))
        if args.show:
            watchers.append(stack.enter_context(outputs.window(stop.request)))
        if args.events:
            part = stack.enter_context(outputs.replacing(args.events))
            journal = stack.enter_context(closing(assemble.resolve(assemble.SINKS["journal"])(part)))
            runtime = replace(runtime, sinks=[*runtime.sinks, journal])
        progress = _progress if sys.stderr.isatty() else None
        counters = service.serve(runtime, Notifier({}), stop, watchers=watchers, progress=progress)
    print(f"{runtime.timers.render()}\n{counters.render()}")


def _check_outputs(args: argparse.Namespace) -> None:
    from edge import outputs

    into_folder = args.out and (args.out.is_dir() or not args.out.suffix)
    for path, suffixes in (
        (args.events, ()),
        (args.sheet, outputs.PICTURES),
        (None if into_folder else args.out, (".mp4", *outputs.PICTURES)),
    ):
        if path:
            outputs.check_output(path, args.source, suffixes)
    if into_folder and not args.out.parent.is_dir():
        raise DataError(f"output '{args.out}': folder '{args.out.parent}' does not exist: create it first")


def _annotated(args: argparse.Namespace, runtime: Runtime) -> AbstractContextManager[Watcher]:
    """The writer that suits the source and the name given."""
    from edge import outputs

    if args.out.suffix.lower() == ".mp4":
        return outputs.video(args.out, runtime.fps)
    if not runtime.pictures:
        raise DataError(f"output '{args.out}': the source is no picture: expected a name that ends in .mp4")
    source = Path(args.source)
    return outputs.pictures(args.out, runtime.pictures, source if source.is_dir() else source.parent)


def _benchmark(args: argparse.Namespace) -> None:
    from edge import assemble, benchmark
    from edge.config import Sinks

    settings = _load(args, camera__source=args.source).model_copy(update={"sinks": Sinks(log=False)})
    with assemble.runtime(settings, live=False) as runtime:
        report = benchmark.measure(runtime.camera, runtime.pipeline, args.frames)
    print(report.json() if args.json else report.render())


def _accuracy(args: argparse.Namespace) -> None:
    from edge import accuracy, evaluation

    def tell(done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done} of {total} pictures ", end="\n" if done == total else "", file=sys.stderr, flush=True)

    result = accuracy.run(args.data, args.bundle, args.backend, args.threads, tell)
    print(json.dumps(evaluation.without_nan(result), indent=1) if args.json else evaluation.table(result))


def _config(args: argparse.Namespace) -> None:
    from edge import config

    if args.action == "reference":
        print(config.reference())
    elif args.action == "check":
        config.load(args.file)
        print(f"{args.file}: no mistakes")
    else:
        print(config.show(_load(args)), end="")


def _print_events() -> None:
    """Events and warnings, one line each, on standard output."""
    import logging

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout, force=True)


def _progress(counters: Counters) -> None:
    """One line on the terminal, written over and over."""
    if counters.frames % 10 == 0:
        print(f"\r{counters.frames} frames, {counters.fps:.1f} FPS ", end="", file=sys.stderr, flush=True)
