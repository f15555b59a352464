"""What collects pictures for training, where the settings ask for it."""

from __future__ import annotations

import logging
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from edge.assemble.sinks import in_state_folder
from edge.core.errors import SinkError
from edge.runtime import identity
from edge.runtime.collect import Collector, Folder

if TYPE_CHECKING:
    from edge.config.settings import Settings

log = logging.getLogger(__name__)


def collecting(settings: Settings, stack: ExitStack) -> Collector | None:
    """None also where the folder cannot be used, which is said: the camera is worth more than its pictures."""
    section = settings.collect
    if section is None:
        return None
    path = in_state_folder(section.path, "collected")
    try:
        folder = Folder(path, section.what, section.most, section.max_bytes, section.keep_days, identity.clock_is_set)
        return stack.enter_context(closing(Collector(folder, section.reasons, section.every, section.sample)))
    except SinkError as error:
        log.error("%s; the camera runs without", error)
        return None
