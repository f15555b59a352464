"""`maskcam run`: watch a live camera."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.cli.arguments import command, loaded, overwriting, positive, settings
from edge.core.paths import any_path

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from edge.config import Loaded


def add(commands: Any) -> None:
    parser = command(commands, "run", run, "run on a live camera", "maskcam run --config /etc/maskcam/maskcam.toml")
    settings(parser)
    parser.add_argument(
        "--source", help="overrides camera.source: an index, /dev/..., 'pi', 'csi', a URL, 'synthetic' or a video"
    )
    parser.add_argument("--duration", type=positive(float), metavar="S", help="stop after S seconds")
    parser.add_argument("--sheet", type=any_path, metavar="PNG", help="write a contact sheet of the run")
    overwriting(parser)


def run(args: argparse.Namespace) -> None:
    from edge import config
    from edge.assemble import Assembly
    from edge.config import strays
    from edge.runtime import outputs
    from edge.runtime.controls import Controls
    from edge.runtime.lines import logged_apart
    from edge.runtime.service import Service
    from edge.runtime.signals import Flag, reload_on_signal, stop_on_signals
    from edge.runtime.systemd import Notifier, state_directory
    from edge.web.assembly import opened
    from edge.web.hub import Hub

    options = {"camera__source": args.source, "camera__duration": args.duration}
    state = state_directory()
    page = config.page_file(state, named=True)

    def read(unusable: str = "") -> Loaded:
        return loaded(args, True, unusable, page, **options)

    def read_with(path: Path | None) -> Loaded:
        return loaded(args, page=path, **options)

    if args.sheet:
        outputs.check_output(args.sheet, str(read().settings.camera.source), outputs.PICTURES, args.overwrite)
    with ExitStack() as stack:
        stack.enter_context(logged_apart())
        if args.config is None:
            for path in strays.lying():
                log.warning("%s is not read: the settings are %s", path, strays.remedy(path)[0])
        notifier = stack.enter_context(closing(Notifier()))
        stop = stack.enter_context(stop_on_signals())
        # On a terminal SIGHUP means that the terminal is gone, and ends the run like any other program.
        reload = stack.enter_context(reload_on_signal()) if notifier.supervised else Flag()
        controls = Controls()
        assembly = stack.enter_context(closing(Assembly(live=True, controls=controls)))
        watchers = [stack.enter_context(outputs.sheet(args.sheet))] if args.sheet else []
        hub = None
        if read().settings.web:
            hub, lasting = Hub(), page is not None
            page = page or stack.enter_context(_page_folder()) / config.PAGE
            address = stack.enter_context(opened(hub, read_with, page, lasting, state, reload.request, controls))
        service = Service(assembly, read, notifier, _runtime_folder(), watchers, hub, controls=controls)
        counters = service.run(stop, reload, args.duration)
        if hub and address:
            log.info("the page was at %s", address)
        log.info("%s\n%s", service.runtime.timers.render(), counters.render())


@contextmanager
def _page_folder() -> Iterator[Path]:
    """Where the page keeps its changes until the end of a run without a state directory."""
    from edge.core.errors import MaskcamError
    from edge.core.files import scratch

    with ExitStack() as stack:
        try:
            folder = stack.enter_context(scratch("maskcam-page-"))
        except MaskcamError as error:
            log.warning("settings cannot be changed on the page: %s", error)
            folder = Path(os.devnull)  # nothing can be in it
        yield folder


def _runtime_folder() -> Path | None:
    """The runtime directory of the service; None without systemd."""
    folder = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return Path(folder) if folder else None
