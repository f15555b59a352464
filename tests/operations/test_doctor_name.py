"""Whether NAME.local is answered: with made answers, and by the real avahi-daemon."""

import shutil
import socket
import struct
import subprocess
import threading
import time

import pytest

from edge.operations.doctor import name

ANSWER = (
    struct.pack(">6H", 7, 0x8400, 1, 2, 0, 0)
    + b"\4door\5local\0"
    + struct.pack(">HH", 1, 1)
    + b"\xc0\x0c"
    + struct.pack(">HHIH", 28, 1, 10, 16)
    + bytes(16)
    + b"\xc0\x0c"
    + struct.pack(">HHIH4B", 1, 1, 10, 4, 192, 168, 1, 7)
)


def test_an_answer_is_read_and_a_damaged_one_is_none():
    assert name.addresses(ANSWER) == ["192.168.1.7"]
    for length in range(len(ANSWER) - 1):
        assert name.addresses(ANSWER[:length]) == []
    assert name.addresses(bytes([255]) * 40) == []
    question = ANSWER[:2] + b"\0\0" + ANSWER[4:]
    assert name.addresses(question) == [], "a question of somebody else"


def test_what_is_asked_is_what_the_standard_says_and_only_an_answer_to_it_counts():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        heard = []

        def answer():
            question, who = server.recvfrom(1000)
            heard.append(question)
            server.sendto(b"\0\0" + ANSWER[2:] if question[:2] != b"\0\0" else b"\1\1" + ANSWER[2:], who)
            server.sendto(question[:2] + ANSWER[2:], who)

        thread = threading.Thread(target=answer)
        thread.start()
        assert name.ask("door.local", server.getsockname(), wait=20) == ["192.168.1.7"]
        thread.join()
    assert heard[0][2:] == struct.pack(">5H", 0, 1, 0, 0, 0) + b"\4door\5local\0" + struct.pack(">HH", 1, 1)


def test_findings_name_the_way_to_get_it(tmp_path):
    (found,) = name.name("door.example.org", 8765, tmp_path, lambda asked: ["192.168.1.7"])
    assert (found.state, found.found) == ("ok", "door.local leads to 192.168.1.7, port 8765")
    (found,) = name.name("door", 8765, tmp_path, lambda asked: [])
    assert (found.state, found.remedy) == ("warn", "sudo apt-get install avahi-daemon")
    (tmp_path / "usr/sbin").mkdir(parents=True)
    (tmp_path / "usr/sbin/avahi-daemon").touch()
    (found,) = name.name("door", 8765, tmp_path, lambda asked: [])
    assert found.remedy == "sudo systemctl enable --now avahi-daemon"


def test_the_real_avahi_is_heard(tmp_path):
    program = shutil.which("avahi-daemon", path="/usr/sbin:/usr/bin")
    if not program:
        pytest.skip("avahi-daemon is not installed: apt-get install avahi-daemon")
    config = tmp_path / "avahi.conf"
    config.write_text("[server]\nhost-name=maskcam-test\nenable-dbus=no\nallow-interfaces=eth0,lo\nuse-ipv6=no\n")
    command = [program, "--no-drop-root", "--no-chroot", "--no-rlimits", "--no-proc-title", "-f", config]
    daemon = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        said = [next(daemon.stderr, "")]
        while said[-1] and "startup complete" not in said[-1]:
            said.append(next(daemon.stderr, ""))
        if not said[-1]:
            pytest.skip(f"avahi-daemon does not start here: {said[-2:]}")
        end = time.monotonic() + 60
        while not (found := name.ask("maskcam-test.local")) and time.monotonic() < end:
            pass
        assert found
        assert name.ask("nobody-of-this-name.local", wait=0.4) == []
    finally:
        daemon.terminate()
        daemon.wait()
        daemon.stderr.close()
