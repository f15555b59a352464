"""config.txt and cmdline.txt, which firmware and kernel read. Everything that is not ours stays unchanged."""

from __future__ import annotations

import re
from collections.abc import Mapping

from edge.core.errors import FlashError

BEGIN, END = "# maskcam: begin", "# maskcam: end"
SECTION = re.compile(rf"^{BEGIN}\r?\n.*?^{END}(\r?\n|\Z)", re.MULTILINE | re.DOTALL)
CAMERAS = r"dtoverlay=(imx|ov|arducam|tc358743|adv728|vc-mipi|vc_mipi|irs1125|veye|mira|camera-mux|cam)[\w-]*"
"""Prefixes of the names of known overlays of ribbon cameras."""


def config_txt(old: str, ribbon: bool) -> tuple[str, list[str]]:
    """The text with our section, which replaces an earlier one; and remarks about existing settings.

    `gpu_mem`: 64 MB instead of 76 on boards with little memory, since nothing is drawn on a screen. A camera at the
    `ribbon` needs `camera_auto_detect`, the default of every supported system. Settings made by the user are kept.
    """
    kept, eol = SECTION.sub("", old), "\r\n" if old.count("\r\n") == old.count("\n") > 0 else "\n"
    if BEGIN in kept or END in kept:
        raise FlashError(f"config.txt: '{BEGIN}' and '{END}' do not frame a section any more: remove these lines")
    lines, notes = [], []
    if memory := _set(kept, r"gpu_mem(_\d+)?=\d+"):
        notes += [f"config.txt has {memory}: it stays; maskcam would set gpu_mem=64"] * (memory != "gpu_mem=64")
    else:
        lines.append("gpu_mem=64")
    detect, overlay = _set(kept, r"camera_auto_detect=\d"), _set(kept, CAMERAS)
    if ribbon and detect == "camera_auto_detect=0" and not overlay:
        notes.append(
            'config.txt has camera_auto_detect=0 and no overlay of a camera: it stays, but camera.source = "pi" finds '
            "a camera only with camera_auto_detect=1 or the overlay that its maker names"
        )
    if ribbon and not detect and not overlay:
        lines.append("camera_auto_detect=1")
    if not lines:
        return kept, notes
    gap = "" if kept.endswith("\n") or not kept else eol
    return kept + gap + eol.join([BEGIN, "[all]", *lines, END, ""]), notes


def _set(text: str, pattern: str) -> str:
    """The last assignment of a setting, without what follows it; empty if there is none."""
    found = [match[0].strip() for match in re.finditer(rf"^[ \t]*{pattern}", text, re.MULTILINE)]
    return found[-1] if found else ""


def cmdline(old: str, parameters: Mapping[str, str]) -> str:
    """The first line, the only one that counts, with parameters replaced or appended.

    Raises FlashError for a line without a root file system, with which nothing would start.
    """
    line = re.match(r"[^\r\n]*", old)[0]  # type: ignore[index]
    if not re.search(r"(?<!\S)root=\S", line):
        raise FlashError("cmdline.txt: no root=, so the system would not start: write the system again with the Imager")
    rest = old[len(line) :]
    for name, value in parameters.items():
        setting = f"{name}={value}"
        line, count = re.subn(rf"(?<!\S){re.escape(name)}=\S*", lambda _, text=setting: text, line)
        if not count:
            line = f"{line.rstrip()} {setting}"
    return line + rest


def instance(old: str, name: str) -> str:
    """Renames a cloud-init instance that the Imager put on the command line, because it overrides meta-data's."""
    return re.sub(r"(?<=\bds=nocloud;)(.*?\bi=)[^;\s]+", rf"\g<1>{name}", old)
