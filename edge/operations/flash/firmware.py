"""What the firmware and the kernel read: config.txt and cmdline.txt."""

from __future__ import annotations

import re
from collections.abc import Mapping

BEGIN, END = "# maskcam: begin", "# maskcam: end"


def config_txt(old: str) -> str:
    """With our section, which replaces an earlier one of ours; what stands there already stays, and goes first.

    `gpu_mem`: the 64 MB that boards with little memory have, in place of 76: nothing is drawn on a screen.
    USB cameras, GPIO and the Coral need no overlay; a ribbon camera needs `camera_auto_detect`, the default of every
    system here, which is only added where somebody took it out.
    """
    kept = re.sub(rf"\n?{BEGIN}\n.*?{END}\n", "", old.replace("\r\n", "\n"), flags=re.DOTALL)
    lines = ["[all]", "gpu_mem=64"]
    if not re.search(r"^\s*(camera_auto_detect=1|dtoverlay=(imx|ov)\w+)", kept, flags=re.MULTILINE):
        lines.append("camera_auto_detect=1")
    return kept.rstrip("\n") + "\n\n" + "\n".join([BEGIN, *lines, END]) + "\n"


def cmdline(old: str, parameters: Mapping[str, str]) -> str:
    """The one line of kernel parameters, with some set: those that are there are replaced, others go to the end."""
    words = old.split()
    for name, value in parameters.items():
        setting = f"{name}={value}"
        at = [i for i, word in enumerate(words) if word.partition("=")[0] == name]
        if at:
            words[at[0]] = setting
        else:
            words.append(setting)
    return " ".join(words) + "\n"


def instance(old: str, name: str) -> str:
    """A cloud-init instance that the Imager named on the command line outranks meta-data's: it gets the new name."""
    return re.sub(r"(?<=\bds=nocloud;)(.*?\bi=)[^;\s]+", rf"\g<1>{name}", old)
