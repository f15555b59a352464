"""`maskcam flash`: prepare a freshly written SD card as a mask camera."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.cli.arguments import command
from edge.core.errors import FlashError
from edge.core.paths import any_path
from edge.core.progress import Progress
from edge.core.supplied import readable_path

if TYPE_CHECKING:
    from edge.config.settings import Settings
    from edge.operations.flash.host import Host
    from edge.operations.flash.plan import Plan
    from edge.operations.flash.release import Release
    from edge.operations.flash.target import Target


def add(commands: Any) -> None:
    parser = command(
        commands,
        "flash",
        run,
        "prepare a freshly written SD card as a mask camera",
        "maskcam flash --config configs/pi.toml --hostname door --offline --dry-run",
    )
    parser.add_argument(
        "boot",
        type=any_path,
        nargs="?",
        metavar="BOOT",
        help="mounted boot partition, .img or .img.xz (default: the one card that is mounted)",
    )
    settings = "settings file to put onto the card, such as configs/pi.toml, which comes with maskcam"
    parser.add_argument("--config", type=readable_path, metavar="FILE", required=True, help=settings)
    parser.add_argument("--hostname", metavar="NAME", help="host name of the board")
    parser.add_argument("--user", metavar="NAME", help="login user; requires a password or --ssh-key")
    parser.add_argument("--ssh-key", metavar="FILE", type=any_path, help="SSH public key of that user; enables SSH")
    parser.add_argument("--wifi", metavar="SSID", help="Wi-Fi network to join; prompts for the passphrase")
    parser.add_argument("--wifi-country", metavar="CC", help="Wi-Fi country code, such as GB")
    parser.add_argument("--timezone", metavar="ZONE", help="such as Europe/Berlin")
    parser.add_argument(
        "--password-stdin",
        action="store_true",
        help="read the password (with --user), then the passphrase (with --wifi), a line each, from standard input",
    )
    parser.add_argument(
        "--offline", action="store_true", help="put all packages onto the card, so that the first boot needs no network"
    )
    parser.add_argument(
        "--board",
        choices=("cpu", "pi", "coral"),
        help="packages to install (default: pi, or coral if the settings use it)",
    )
    parser.add_argument(
        "--machine", choices=("aarch64", "x86_64"), help="processor, if the card is not for an Arm board"
    )
    parser.add_argument(
        "--page", action="store_true", help="turn the page on for the network; its new password is printed once"
    )
    parser.add_argument(
        "--out", type=any_path, metavar="IMG", help="image to create from an .img.xz (default: beside it)"
    )
    parser.add_argument("--dry-run", action="store_true", help="show the changes without writing")
    parser.add_argument("--yes", action="store_true", help="write the card; without this option nothing is changed")


def run(args: argparse.Namespace) -> None:
    from edge import config
    from edge.core import files
    from edge.operations.flash import wheels

    settings = config.load(args.config)
    host, checkout = _host(args), wheels.source()
    with files.scratch() as scratch:
        if args.boot is not None and args.boot.suffix == ".xz":
            _packed(args, settings, host, checkout, scratch)
        else:
            from edge.operations.flash.target import open_target

            _flash(args, settings, host, checkout, open_target(args.boot), scratch)
    if args.yes and not args.dry_run:
        print(_readable(host, args.page))


def _packed(args: argparse.Namespace, settings: Settings, host: Host, checkout: Path, scratch: Path) -> None:
    """Unpacks an .img.xz beside the new image or, for a dry run, only its boot partition."""
    from edge.operations.flash import image

    out, write = args.out or args.boot.with_suffix(""), args.yes and not args.dry_run
    if out.exists():
        raise FlashError(f"{out}: exists: remove it, or give it as BOOT instead of {args.boot.name}")
    part = out.with_name(f".{out.name}{image.PART}") if write else scratch / out.name
    try:
        with Progress("unpacking", unit="MB") as progress:
            image.unpack(args.boot, part, lambda done: progress.update(done >> 20), whole=write)
        _flash(args, settings, host, checkout, image.Image(part, final=out), scratch, always=True)
    finally:
        part.unlink(missing_ok=True)


def _flash(
    args: argparse.Namespace,
    settings: Settings,
    host: Host,
    checkout: Path,
    card: Target,
    scratch: Path,
    always: bool = False,
) -> None:
    """Plans and prints the changes, and writes them with --yes; `always`: even if there are none."""
    from edge.assemble.requires import board as required_board
    from edge.assemble.requires import packages as required_packages
    from edge.assemble.requires import requires
    from edge.operations.flash import locks, plan, release, wheels

    try:
        system = release.recognise(card)
        print(f"{card.name}: {system.name}, {system.bits} bit")
        board = args.board or required_board(settings) or "pi"
        packages = _packages(args, system, board, checkout, scratch / "wheels")
        lock = locks.path(checkout, board, args.machine or system.machine)
        parts = wheels.parts(required_packages(settings), scratch / "parts", lock, card=True)
        files = plan.payload(checkout, packages, lock, _bundle(settings, args.config), parts)
        ribbon = str(settings.camera.source).partition(":")[0] == "pi"
        text = args.config.read_text("utf-8-sig")
        text, said = _page(args, text, card) if args.page else (text, "")
        planned = plan.build(card, system, host, text, files, board, args.offline, ribbon)
        planned.notes += _from_apt(requires(settings, raspberry_pi=system.raspberry)) if args.offline else []
        for note in planned.notes:
            print(f"note: {note}")
        _write(args, card, planned, always)
        print(said, end="")
    finally:
        card.close()


def _from_apt(needs: list[str]) -> list[str]:
    """A note about the system's packages, which --offline does not put onto the card."""
    names = [word.removeprefix("apt:") for word in needs if word.startswith("apt:")]
    return [f"the settings need {', '.join(names)} in the system; --offline brings none"] if names else []


def _page(args: argparse.Namespace, text: str, card: Target) -> tuple[str, str]:
    """The settings with the page, and the text to print when they are on the card. Raises FlashError."""
    from edge.config.service_sections import Web
    from edge.operations.flash import page

    secret = page.password()
    text, new = page.added(text, (card.read("maskcam.toml") or b"").decode("utf-8", "replace"), secret)
    known = f"password (shown once): {secret}" if new else "with the password that was shown before"
    if args.dry_run and new:
        known = "with a password that is created, and shown once, when the card is written"
    return text, f"page: http://{args.hostname or 'NAME'}.local:{Web().port}/ {known}\n"


def _host(args: argparse.Namespace) -> Host:
    """The host from the arguments, with secrets from standard input or the keyboard as hashes and keys."""
    from edge.operations.flash import credentials
    from edge.operations.flash.host import Host

    Host(hostname=args.hostname, country=args.wifi_country, timezone=args.timezone)  # before anything is prompted for
    key = _public_key(args.ssh_key) if args.ssh_key else None
    password = passphrase = None
    if args.user and (args.password_stdin or not key):
        password = credentials.password_hash(_secret(args, f"password of {args.user}"))
    if args.wifi is not None:
        passphrase = credentials.wifi_key(args.wifi, _secret(args, f"passphrase of {args.wifi}"))
    return Host(
        hostname=args.hostname,
        user=args.user,
        password=password,
        ssh_key=key,
        ssid=args.wifi,
        wifi_key=passphrase,
        country=args.wifi_country,
        timezone=args.timezone,
    )


def _public_key(path: Path) -> str:
    """Raises FlashError without any content of the file, which may be the private key by mistake."""
    from edge.operations.flash.host import check_key

    text = path.read_bytes().decode("utf-8", "replace").strip()
    try:
        check_key(text)
    except FlashError as error:
        public = path.with_name(path.name + ".pub")
        remedy = f": {public} is there" if path.suffix != ".pub" and public.is_file() else ""
        raise FlashError(f"{str(error).replace('--ssh-key', f'--ssh-key {path}', 1)}{remedy}") from None
    return text


def _secret(args: argparse.Namespace, what: str) -> str:
    if args.password_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise FlashError(f"the {what} is needed: add --password-stdin")
    return getpass.getpass(f"{what}: ")


def _packages(args: argparse.Namespace, system: Release, board: str, checkout: Path, folder: Path) -> list[Path]:
    from edge.operations.flash import wheels

    folder.mkdir()
    if not args.offline:
        return [wheels.own(checkout, folder)]
    if system.python is None:
        raise FlashError(f"--offline: {system.name} has no python3-venv, which needs the network: leave --offline out")
    return wheels.gather(checkout, folder, board, system.python, args.machine or system.machine, system.glibc)


def _bundle(settings: Settings, config: Path) -> tuple[str, Path] | None:
    """The place of a custom bundle on the card, relative to maskcam.toml as in the settings, and its folder."""
    if not settings.model.bundle:
        return None
    folder = Path(settings.model.bundle).resolve()
    if not folder.is_relative_to(config.parent.resolve()):
        raise FlashError(f"{config}: model.bundle = {folder}: expected a folder beside the file, to come onto the card")
    from edge.vision import bundle

    bundle.load(folder)
    return folder.relative_to(config.parent.resolve()).as_posix(), folder


def _write(args: argparse.Namespace, card: Target, planned: Plan, always: bool) -> None:
    from edge.operations.flash import plan

    plan.check_space(card, planned)
    if not planned.files and not planned.remove and not always:
        print("nothing to do: the card is up to date")
        return
    if args.dry_run or not args.yes:
        print(plan.diff(card, planned))
        if not args.dry_run:
            raise FlashError("nothing was written: add --yes to write the changes above")
        return
    with Progress("writing", unit="MB") as progress:
        backups = plan.write(card, planned, lambda done, total: progress.update(done >> 20, total >> 20))
    print(f"written and read back: {len(planned.files)} files")
    if backups:
        print(f"backups of the previous files: {', '.join(backups)}")


def _readable(host: Host, page: bool) -> str:
    """Lists the secrets that anybody with a card reader can read."""
    parts = ["maskcam.toml and everything in it"]
    parts += [f"the hash of {host.user}'s password"] if host.password else []
    parts += ["the hash of the page's password"] if page else []
    parts += [f"the key of {host.ssid}, which opens that network"] if host.wifi_key else []
    return f"readable for everybody who has the card: {', '.join(parts)}"
