"""The notify protocol over a real datagram socket, and the unit file."""

import configparser
import shutil
import socket
import subprocess
import threading
import uuid
from pathlib import Path

import pytest

from edge.runtime.systemd import Notifier, state_directory

UNIT = Path(__file__).parents[2] / "systemd" / "maskcam.service"


class Supervisor:
    """systemd's end of the socket."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        messages = []
        while True:
            try:
                messages.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return messages


@pytest.fixture(params=["path", "abstract"])
def address(request, tmp_path):
    """The address as the environment names it, and as the kernel does."""
    if request.param == "path":
        return str(tmp_path / "notify"), str(tmp_path / "notify")
    name = f"maskcam-{uuid.uuid4()}"
    return "@" + name, "\0" + name


@pytest.fixture
def supervisor(address):
    supervisor = Supervisor(address[1])
    yield supervisor
    supervisor.socket.close()


def test_a_life_in_messages(address, supervisor):
    notifier = Notifier({"NOTIFY_SOCKET": address[0]}, clock=lambda: 0.0)
    notifier.ready()
    notifier.alive("12 frames")
    notifier.stopping()
    notifier.close()
    assert supervisor.heard() == ["READY=1", "WATCHDOG=1\nSTATUS=12 frames", "STOPPING=1"]


def test_without_a_supervisor_nothing_is_opened(monkeypatch):
    notifier = Notifier({})
    monkeypatch.setattr(Notifier, "_send", lambda *anything: None)
    assert (notifier.supervised, notifier._socket) == (False, None)
    notifier.close()


def test_a_supervisor_that_does_not_listen_holds_nobody_up(address, supervisor):
    notifier = Notifier({"NOTIFY_SOCKET": address[0]})
    assert notifier.supervised

    def speak():
        for number in range(5000):  # many times what the kernel keeps
            notifier.status(str(number))

    thread = threading.Thread(target=speak, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    notifier.close()


@pytest.mark.parametrize("environ", [{}, {"WATCHDOG_USEC": "4000000"}, {"WATCHDOG_USEC": "\u00b2"}])
def test_the_watchdog_is_fed_at_a_quarter_of_its_time_or_every_second(address, supervisor, environ):
    now = [0.0]
    notifier = Notifier({"NOTIFY_SOCKET": address[0], **environ}, clock=lambda: now[0])
    for now[0] in (0.0, 0.9999999, 1.0, 1.9999999, 2.0):
        notifier.alive(str(now[0]))
    notifier.close()
    assert [message.partition("STATUS=")[2] for message in supervisor.heard()] == ["0.0", "1.0", "2.0"]


def test_the_state_directory_is_the_first_that_the_unit_names():
    assert state_directory({}) is None
    assert state_directory({"STATE_DIRECTORY": ""}) is None
    assert state_directory({"STATE_DIRECTORY": "/var/lib/a"}) == Path("/var/lib/a")
    assert state_directory({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}) == Path("/var/lib/a")


def test_a_status_is_said_at_once_and_feeds_no_watchdog(address, supervisor):
    notifier = Notifier({"NOTIFY_SOCKET": address[0]}, clock=lambda: 0.0)
    notifier.status("camera lost")
    notifier.status("ok")
    notifier.close()
    assert supervisor.heard() == ["STATUS=camera lost", "STATUS=ok"]


def test_a_reload_begins_at_a_time_and_ends_with_ready(address, supervisor):
    notifier = Notifier({"NOTIFY_SOCKET": address[0]}, clock=lambda: 12.5)
    notifier.reloading()
    notifier.ready()
    notifier.close()
    assert supervisor.heard() == ["RELOADING=1\nMONOTONIC_USEC=12500000", "READY=1"]


def test_the_watchdog_is_fed_four_times_per_deadline(address, supervisor):
    clock = iter(range(100))
    notifier = Notifier({"NOTIFY_SOCKET": address[0], "WATCHDOG_USEC": "40000000"}, clock=lambda: next(clock))
    for _ in range(40):
        notifier.alive("")
    notifier.close()
    assert supervisor.heard() == ["WATCHDOG=1\nSTATUS="] * 4


def test_without_a_socket_nothing_happens():
    notifier = Notifier({})
    assert not notifier.supervised
    notifier.ready()
    notifier.alive("")
    notifier.stopping()
    notifier.close()


def test_a_supervisor_that_is_gone_does_no_harm(tmp_path):
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    notifier.ready()
    notifier.close()


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(UNIT)
    return parser


def test_the_unit_runs_the_command_as_its_own_user_under_a_watchdog():
    service = unit()["Service"]
    assert service["Type"] == "notify"
    assert service["ExecStart"] == "/opt/maskcam/bin/maskcam run"
    assert service["ExecStopPost"] == "-/opt/maskcam/bin/maskcam alerts off"
    assert service["Restart"] == "on-failure"
    assert int(service["WatchdogSec"]) >= 20  # more than the 10 s for which OpenCV's read can block
    assert service["User"] == "maskcam"
    assert set(service["SupplementaryGroups"].split()) == {"video", "gpio", "plugdev"}
    assert service["WorkingDirectory"] == f"%t/{service['RuntimeDirectory']}"
    assert service["ProtectSystem"] == "strict"
    assert service["RestrictAddressFamilies"] == "AF_UNIX AF_NETLINK"


def test_what_heals_by_restarts_never_meets_the_start_limit():
    """The quickest row of restarts that a camera can cause: seen once, lost for the watchdog's time, over and over."""
    settings, service = unit()["Unit"], unit()["Service"]
    assert settings["StartLimitIntervalSec"] == "10min"
    assert 600 / (int(service["WatchdogSec"]) + int(service["RestartSec"])) < int(settings["StartLimitBurst"])


needs_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed: apt-get install systemd"
)


@pytest.fixture(params=["maskcam.service", "network.conf", "page.conf", "sound.conf"])
def installed(request, tmp_path):
    """The unit, alone or with a drop-in, with a command that exists, since the device's does not exist here."""
    path = tmp_path / "maskcam.service"
    path.write_text(UNIT.read_text().replace("/opt/maskcam/bin/maskcam", shutil.which("true")))
    if request.param != path.name:
        (tmp_path / "maskcam.service.d").mkdir()
        text = (UNIT.parent / request.param).read_text().replace("@PORT@", "8765").replace("@PEERS@", "localhost")
        (tmp_path / "maskcam.service.d" / request.param).write_text(text)
    return path


def analyze(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True)


@needs_analyze
def test_systemd_finds_no_fault_in_the_unit(installed):
    done = analyze("verify", "--man=no", str(installed))
    faults = [line for line in done.stderr.splitlines() if "maskcam.service" in line]
    assert (done.returncode, faults) == (0, [])


@needs_analyze
def test_systemd_finds_no_fault_in_what_installs_the_pages_packages(tmp_path):
    for name in ("maskcam-inbox.path", "maskcam-inbox.service"):
        text = (UNIT.parent / name).read_text().replace("/opt/maskcam/bin/maskcam", shutil.which("true"))
        (tmp_path / name).write_text(text)
    done = analyze("verify", "--man=no", str(tmp_path / "maskcam-inbox.path"), str(tmp_path / "maskcam-inbox.service"))
    assert (done.returncode, [line for line in done.stderr.splitlines() if "maskcam" in line]) == (0, [])


@needs_analyze
def test_the_unit_is_exposed_to_little(installed):
    done = analyze("security", "--offline=yes", "--threshold=20", "--no-pager", str(installed))
    assert done.returncode == 0, done.stdout.splitlines()[-1:]
