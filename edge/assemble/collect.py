"""The collector of pictures for training, if the settings turn it on."""

from __future__ import annotations

import logging
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from edge.assemble.sinks import in_state_folder
from edge.core.errors import SinkError
from edge.runtime.clock import clock_is_set
from edge.runtime.collect import Collector
from edge.runtime.collected import Folder

if TYPE_CHECKING:
    from edge.config.service_sections import Collect
    from edge.config.settings import Settings
    from edge.sinks.buttons import Button

log = logging.getLogger(__name__)


def collecting(settings: Settings, stack: ExitStack) -> Collector | None:
    """None also if the folder cannot be used, which is logged: the camera matters more than its pictures."""
    section = settings.collect
    if section is None:
        return None
    path = in_state_folder(section.path, "collected")
    try:
        folder = Folder(path, section.what, section.most, section.max_bytes, section.keep_days, clock_is_set)
        button = _button(section, stack)
        return stack.enter_context(closing(Collector(folder, section.reasons, section.every, section.sample, button)))
    except SinkError as error:
        log.error("%s; the camera runs without", error)
        return None


def _button(section: Collect, stack: ExitStack) -> Button | None:
    if section.button_pin == "":
        return None
    from edge.sinks.buttons import Button

    button = Button(section.button_pin, section.button_active_high, section.button_driver)
    return stack.enter_context(closing(button))
