"""Raspberry Pi OS Bookworm's first boot: a script named on the kernel's command line, which runs once.

If the Imager wrote one, our part is inserted before it; the system's `imager_custom` and `userconf` do the work, as
they do for the Imager.
"""

from __future__ import annotations

import re
from shlex import quote

from edge.core.errors import FlashError
from edge.operations.flash.firmware import BEGIN, END, SECTION
from edge.operations.flash.host import Host

NAME = "firstrun.sh"
RUN = {
    "systemd.run": f"/boot/firmware/{NAME}",
    "systemd.run_success_action": "reboot",
    "systemd.unit": "kernel-command-line.target",
}
OWN = f"""#!/bin/sh
set +e
rm -f /boot/firmware/{NAME}
sed -i 's| systemd\\.[^ ]*||g' /boot/firmware/cmdline.txt
exit 0
"""


def check(kernel: str) -> None:
    """Raises FlashError if the command line runs another script on first boot, which ours would replace."""
    found = re.search(r"(?<!\S)systemd\.run=\"?([^\s\"]+)", kernel)
    if found and found[1].rpartition("/")[2] != NAME:
        raise FlashError(
            f"cmdline.txt: runs {found[1][:80]} at the first boot, whose place maskcam's part would take: let {NAME} "
            "run it, or remove systemd.run"
        )


def script(old: str, host: Host) -> str:
    """The script with our part, which replaces an earlier one. Raises FlashError if it is not a shell script."""
    text = old or OWN
    if not re.match(r"#! ?/bin/(ba|da)?sh", text):
        raise FlashError(f"{NAME}: not a shell script: nothing can be added to it; remove it")
    text = SECTION.sub("", text.replace("\r\n", "\n"))
    shebang, _, rest = text.partition("\n")
    return "\n".join([shebang, BEGIN, *_lines(host), END, rest])


def _lines(host: Host) -> list[str]:
    custom = "/usr/lib/raspberrypi-sys-mods/imager_custom"
    lines = ["sh /boot/firmware/maskcam/systemd/first-boot.sh enable"]
    if host.hostname:
        lines.append(f"{custom} set_hostname {quote(host.hostname)}")
    if host.user:
        lines.append(f"/usr/lib/userconf-pi/userconf {quote(host.user)} {quote(host.password or '')}")
    if host.ssh_key:
        lines.append(f"{custom} enable_ssh -k {quote(host.ssh_key)}")
    if host.ssid:
        lines.append(f"{custom} set_wlan {quote(host.ssid)} {quote(host.wifi_key or '')} {quote(host.country or '')}")
    elif host.country:
        lines.append(f"{custom} set_wlan_country {quote(host.country)}")
    if host.timezone:
        lines.append(f"{custom} set_timezone {quote(host.timezone)}")
    return lines
