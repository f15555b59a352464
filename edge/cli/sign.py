"""`maskcam sign`: the door sign on the board's own display."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from edge.cli.arguments import command, load, settings
from edge.core.errors import ConfigError, MaskcamError

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
KIOSK = ("--kiosk", "--noerrdialogs", "--disable-infobars", "--no-first-run", "--incognito", "--password-store=basic")


def add(commands: Any) -> None:
    parser = command(
        commands, "sign", run, "show the door sign on this board's display", "maskcam sign --lang en,fr --dry-run"
    )
    parser.description = (
        f"{parser.description}\nStarts Chromium in full screen: on the running desktop, otherwise with cage.\n"
        "It needs the page (a section [web]) and, to do without a login, web.sign_public = true."
    )
    settings(parser)
    parser.add_argument(
        "--lang", metavar="CODES", help="languages in turn, such as en,fr (default: web.sign_languages)"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the command instead of running it")


def run(args: argparse.Namespace) -> None:
    from edge.web.assembly import address

    web = load(args).web
    if web is None:
        raise ConfigError("the page is off: expected a section [web] in the settings, with sign_public = true")
    if (web.password or web.token) and not web.sign_public:
        raise ConfigError("web.sign_public = false: expected true, so that the sign needs no password")
    url = f"{address(web)}sign" + (f"?lang={args.lang}" if args.lang else "")
    line = kiosk(url, os.environ)
    print(shlex.join(line), flush=True)
    if args.dry_run:
        return
    if os.geteuid() == 0:
        raise MaskcamError("neither cage nor Chromium runs as root: start it as the user of the display, without sudo")
    if not _answers(url):
        print("waiting for the page: is maskcam running?", file=sys.stderr)
    while not _answers(url):
        time.sleep(2)
    os.execvp(line[0], line)  # nosec B606: found by shutil.which, no shell on purpose


def kiosk(url: str, environ: Mapping[str, str]) -> list[str]:
    """The command that shows `url` in full screen. Raises MaskcamError if a program has to be installed first."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    desktop = bool(environ.get("WAYLAND_DISPLAY") or environ.get("DISPLAY"))
    cage = None if desktop else shutil.which("cage")
    missing = [*([] if browser else ["chromium"]), *([] if desktop or cage else ["cage"])]
    if missing or not browser:
        raise MaskcamError(f"{' and '.join(missing)} missing: sudo apt-get install {' '.join(missing)}")
    return [*([cage, "--"] if cage else []), browser, *KIOSK, url]


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=3):  # nosec B310: http or https, from the settings
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except OSError:
        return False
