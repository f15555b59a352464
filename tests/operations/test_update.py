"""Updates on a device without systemd or a network: packages are real and signed, environments are a script each.

A power cut is a process that is killed at the n-th thing it does to the disk or the service, for every n.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge import cli
from edge.core.errors import UpdateError
from edge.operations.update import activate, apply, package, stage
from edge.operations.update.service import RESUME, Systemd
from edge.testing.kill import kill_at

minisign = pytest.importorskip("minisign", reason="needs the extra 'update'")


class Board:
    """An installation of release 0.1.0, whose service is whatever its entry says."""

    def __init__(self, root):
        self.home = stage.Installation(root / "opt", root / "opt")
        self.restarts = []
        (self.home.root / "bin").mkdir(parents=True)
        script(self.home.entry, "0.1.0")

    def running(self):
        """What the entry of the unit runs; fails where it is missing or broken."""
        return subprocess.run([self.home.entry], check=True, capture_output=True, text=True).stdout.strip()

    def restart(self):
        self.restarts.append(self.running())
        return "unready" not in self.restarts[-1]

    def healthy(self, seconds):
        return "it failed" if "sick" in self.running() else ""

    def execute(self, command):
        """Stands for venv and pip: the release that is installed is named by its wheel."""
        if "venv" in command:
            (Path(command[-1]) / "bin").mkdir(parents=True)
        elif "install" in command:
            folder = Path(command[0]).parents[1]
            (wheel,) = (folder / "wheels").iterdir()
            script(folder / "bin" / "maskcam", wheel.read_text())
        elif "wrong" in command[0]:
            raise UpdateError("no engine gives the known answer")

    def update(self, path, keys, **options):
        apply.apply(
            path, self.home, keys[1], ("0.1.0", "2026.1.1"), self, lambda: None, 60.0, execute=self.execute, **options
        )

    def resume(self):
        activate.resume(self.home.journal, self, 60.0, print)


def script(path, says):
    path.write_text(f"#!/bin/sh\necho {says}\n")
    path.chmod(0o755)


@pytest.fixture
def board(tmp_path):
    return Board(tmp_path)


def test_a_release_runs_when_it_is_healthy(board, pack, keys, capsys):
    board.update(pack("0.2.0"), keys)
    assert board.running() == "0.2.0"
    assert board.restarts == ["0.2.0"]
    assert os.readlink(board.home.entry) == "../releases/0.2.0/bin/maskcam"
    assert not board.home.journal.exists()
    assert "healthy, kept" in capsys.readouterr().out


@pytest.mark.parametrize("ailment", ["sick", "unready"])
def test_one_that_is_not_is_taken_back(board, pack, keys, ailment):
    board.update(pack("0.2.0"), keys)
    with pytest.raises(UpdateError, match="the previous version runs again"):
        board.update(pack("0.3.0", ailment), keys)
    assert board.running() == "0.2.0"
    assert board.restarts[-1] == "0.2.0"
    assert not board.home.journal.exists()


def test_the_first_one_goes_back_to_what_install_sh_made(board, pack, keys):
    with pytest.raises(UpdateError, match="it failed"):
        board.update(pack("0.2.0", "sick"), keys)
    assert board.running() == "0.1.0"


def test_one_with_wrong_answers_never_runs(board, pack, keys):
    with pytest.raises(UpdateError, match="known answer"):
        board.update(pack("0.2.0+wrong"), keys)
    assert board.running() == "0.1.0"
    assert board.restarts == []


def test_of_many_releases_two_stay(board, pack, keys):
    for version in ("0.2.0", "0.3.0", "0.4.0"):
        board.update(pack(version), keys)
    assert sorted(p.name for p in (board.home.root / "releases").iterdir()) == ["0.3.0", "0.4.0"]
    assert board.running() == "0.4.0"


@pytest.mark.parametrize(
    ("version", "facts", "message"),
    [
        ("0.0.9", {}, "older than 0.1.0, which runs.*--allow-downgrade"),
        ("0.2.0", {"python": "3.9"}, "the package is for Python 3.9"),
        ("0.2.0", {"machine": "riscv"}, "the package is for processor riscv"),
    ],
)
def test_what_does_not_fit_is_refused(board, pack, keys, version, facts, message):
    with pytest.raises(UpdateError, match=message):
        board.update(pack(version, **facts), keys)
    assert board.running() == "0.1.0"
    assert not (board.home.root / "releases").exists()


def test_an_older_one_can_be_allowed(board, pack, keys):
    board.update(pack("0.0.9"), keys, allow_downgrade=True)
    assert board.running() == "0.0.9"


def test_only_the_trusted_key_counts(board, pack, keys, tmp_path):
    path = pack("0.2.0")
    stranger = minisign.KeyPair.generate().public_key.to_base64().decode()
    for key, message in ((stranger, "not signed with"), ("", "update.key is empty"), ("rubbish", "not a public key")):
        with pytest.raises(UpdateError, match=message):
            board.update(path, (None, key))
    assert board.running() == "0.1.0"


def test_a_bundle_replaces_the_environments_own(board, keys, tmp_path, write_bundle):
    from edge.vision import bundle

    folder = write_bundle(tmp_path / "new", created="2026-12-01")
    files = {path.name: path for path in folder.iterdir()}
    out = tmp_path / "bundle.tar"
    package.pack(out, files, keys[0], kind="bundle", version="2026.12.01")
    assert bundle.installed(board.home.environment) is None
    board.update(out, keys)
    found = bundle.installed(board.home.environment)
    assert bundle.load(found).created == "2026-12-01"
    write_bundle(tmp_path / "old", created="2025-12-01")
    package.pack(out, {p.name: p for p in (tmp_path / "old").iterdir()}, keys[0], kind="bundle", version="2025.12.01")
    with pytest.raises(UpdateError, match="older than"):
        board.update(out, keys)


def test_a_damaged_bundle_is_not_placed(board, keys, tmp_path, write_bundle):
    folder = write_bundle(tmp_path / "new")
    (folder / "d.tflite").write_bytes(b"changed before it was signed")
    out = tmp_path / "bundle.tar"
    package.pack(out, {p.name: p for p in folder.iterdir()}, keys[0], kind="bundle", version="2026.12.01")
    with pytest.raises(ValueError, match="wrong digest"):
        board.update(out, keys)
    assert not (board.home.root / "bundles" / "2026.12.01").exists()


def left(board):
    """Everything of the installation but its lock."""
    return sorted(str(p.relative_to(board.home.root)) for p in board.home.root.rglob("*") if p.name != ".update.lock")


@pytest.mark.parametrize(
    "fault",
    ["venv", "pip", "unpacking", "proof", "trial"],
)
def test_a_failure_leaves_nothing_behind(board, pack, keys, monkeypatch, fault):
    board.update(pack("0.2.0"), keys)
    before = left(board)

    def execute(command, known=board.execute):
        if {"venv": "venv", "pip": "install", "proof": "--prove"}.get(fault) in command:
            raise UpdateError("no room")
        known(command)

    if fault == "unpacking":
        monkeypatch.setattr(package, "_copy", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    monkeypatch.setattr(board, "execute", execute)
    with pytest.raises((UpdateError, OSError)):
        board.update(pack("0.3.0", "sick" if fault == "trial" else None), keys)
    assert left(board) == before
    assert board.running() == "0.2.0"


def test_what_an_interrupted_update_left_goes_with_the_next(board, pack, keys):
    root = board.home.root
    for half in ("releases/0.1.5/bin/python", "bundles/2026.1.1.part/d.tflite", ".update-abc"):
        (root / half).parent.mkdir(parents=True, exist_ok=True)
        (root / half).write_text("half")
    with pytest.raises(UpdateError, match="older than"):
        board.update(pack("0.0.1"), keys)
    assert left(board) == ["bin", "bin/maskcam", "bundles", "releases"]


@pytest.mark.parametrize(("free", "fits"), [(4, True), (3.99, False)])
def test_an_update_wants_room_for_four_times_its_size(board, pack, keys, monkeypatch, free, fits):
    """Packed, unpacked with its bytecode, and some to breathe; asked before anything is written."""
    path = pack("0.2.0", "x" * 1000)
    usage = shutil.disk_usage(board.home.root)._replace(free=int(free * 1000))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    before = left(board)
    if fits:
        board.update(path, keys)
        assert board.running() == "x" * 1000
    else:
        with pytest.raises(UpdateError, match="make room first"):
            board.update(path, keys)
        assert left(board) == before


def test_two_at_once_are_one(board, pack, keys):
    """While one watches its trial another comes, and somebody resumes: both are told to wait."""
    second, said = pack("0.3.0"), []

    def healthy(seconds):
        for work in (lambda: board.update(second, keys), board.resume):
            with pytest.raises(UpdateError, match="another update is under way"):
                work()
            said.append("waited")
        return ""

    board.healthy = healthy
    board.update(pack("0.2.0"), keys)
    assert said == ["waited", "waited"]
    assert board.running() == "0.2.0"
    del board.healthy
    board.update(second, keys)
    assert board.running() == "0.3.0"


JUNK = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"\0" * 100,
    b"\xe9",
    b'{"link": "x"}',
    b'{"tries": 1' + b"0" * 5000 + b"}",
    b"[" * 5000,
]
JUNK += [b'{"link": "a", "new": "b", "old": null, "label": "c", "tries": "2"}']
JUNK += [b'{"link": "a", "new": "b", "old": null, "label": "c", "extra": 1}']


@pytest.mark.parametrize("text", JUNK)
def test_a_damaged_journal_is_one_line_and_heals(board, pack, keys, capsys, text):
    board.update(pack("0.2.0"), keys)
    board.home.journal.write_bytes(text)
    with pytest.raises(UpdateError, match="is damaged: repair it with: maskcam update --resume"):
        board.update(pack("0.3.0"), keys)
    capsys.readouterr()
    board.resume()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("update.json was damaged: it is removed")
    assert board.running() == "0.2.0"
    board.update(pack("0.3.0"), keys)
    assert board.running() == "0.3.0"


@pytest.mark.parametrize("journal", [None, b"{", "trial"])
@pytest.mark.parametrize("kept", ["0.2.0", "script", "nothing"])
def test_an_entry_that_names_nothing_is_given_what_is_left(board, pack, keys, capsys, journal, kept):
    board.update(pack("0.2.0"), keys)
    board.update(pack("0.3.0"), keys)
    shutil.rmtree(board.home.root / "releases/0.3.0")  # a disk lost it
    if kept != "0.2.0":
        shutil.rmtree(board.home.root / "releases/0.2.0")
    if kept == "nothing":
        (board.home.root / "bin/maskcam-0.1.0").unlink()
    if journal == "trial":
        old = "../releases/0.2.0/bin/maskcam"
        trial = activate.Trial(str(board.home.entry), "../releases/0.3.0/bin/maskcam", old, "release 0.3.0")
        activate.write(board.home.journal, trial)
    elif journal:
        board.home.journal.write_bytes(journal)
    capsys.readouterr()
    if kept == "nothing":
        with pytest.raises(UpdateError, match=r"nothing else is left: run systemd/install.sh again"):
            board.resume()
        return
    if journal == "trial":
        with pytest.raises(UpdateError, match=r"^release 0.3.0: what it brought is gone: [^\n]*$"):
            board.resume()
    else:
        board.resume()
        assert len(capsys.readouterr().out.splitlines()) == 1
    assert board.running() == {"0.2.0": "0.2.0", "script": "0.1.0"}[kept]
    assert not board.home.journal.exists()


EVENTS = [(os, "replace"), (os, "symlink"), (os, "link"), (os, "sync"), (os, "mkdir"), (os, "unlink"), (os, "rename")]
EVENTS += [(Board, "execute"), (Board, "restart"), (Board, "healthy"), (shutil, "rmtree"), (package, "unpack")]


def killed_at(n, work):
    """Runs `work` in a process that kills itself before the n-th event; whether it got that far."""
    child = os.fork()
    if child == 0:
        try:
            kill_at(n, EVENTS)
            stage.unpack = package.unpack  # imported by name
            with open(os.devnull, "w") as sys.stdout:
                work()
        except UpdateError:
            pass
        finally:
            os._exit(0)  # pytest is in this process, too
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("second", ["0.3.0", "sick", "unready"])
def test_a_power_cut_anywhere_leaves_a_camera_that_runs(tmp_path, pack, keys, second):
    """Then a start-up ends the trial, and the same update can be done again."""
    first, path = pack("0.2.0"), pack("0.3.0", second)
    n, seen = 0, set()
    while True:
        n += 1
        board = Board(tmp_path / str(n))
        board.update(first, keys)
        if not killed_at(n, lambda board=board: board.update(path, keys)):
            break
        assert board.running() in ("0.2.0", second), f"cut at {n}"
        trial = board.home.journal.exists()
        seen.add((board.running(), trial))
        if board.running() != "0.2.0" and not trial:
            assert second == "0.3.0", f"cut at {n}: untried and unwatched"
        for _ in range(3):
            try:
                board.resume()
            except UpdateError:
                assert second != "0.3.0"
        assert not board.home.journal.exists()
        assert board.running() in ("0.2.0", "0.3.0")
        if second == "0.3.0":
            if board.running() == "0.2.0":
                board.update(path, keys)
            assert board.running() == "0.3.0"
        shutil.rmtree(board.home.root)
    assert n > 20
    assert {("0.2.0", False), ("0.2.0", True), (second, True)} <= seen


def test_a_power_cut_while_a_trial_is_ended_is_survived_too(tmp_path, pack, keys):
    path = pack("0.3.0", "sick")
    n = 0
    while True:
        n += 1
        board = Board(tmp_path / str(n))
        manifest = package.verify(path, keys[1])
        new = stage.release(path, manifest, board.home, board.execute)
        trial = activate.begin(board.home.entry, new / "bin" / "maskcam", "release 0.3.0", "0.1.0")
        activate.write(board.home.journal, trial)
        if not killed_at(n, board.resume):
            break
        for _ in range(activate.TRIES + 1):
            if board.home.journal.exists():
                with pytest.raises(UpdateError):
                    board.resume()
        assert board.running() == "0.1.0", f"cut at {n}"
    assert n > 8


def test_what_cuts_every_trial_off_is_taken_back(board, pack, keys):
    path = pack("0.2.0")
    manifest = package.verify(path, keys[1])
    new = stage.release(path, manifest, board.home, board.execute)
    trial = activate.begin(board.home.entry, new / "bin" / "maskcam", "release 0.2.0", "0.1.0")
    activate.write(board.home.journal, activate.replace(trial, tries=2))
    with pytest.raises(UpdateError, match="cut off 2 times"):
        board.resume()
    assert board.running() == "0.1.0"


class Systemctl:
    """What `systemctl show` says, one state after the other; remembers what it was asked."""

    def __init__(self, *states):
        self.states, self.asked, self.now = list(states), [], 0.0

    def __call__(self, arguments):
        self.asked.append(" ".join(arguments))
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return 0, "".join(f"{name}={value}\n" for name, value in state.items())

    def unit(self):
        def sleep(seconds):
            self.now += seconds

        return Systemd(self, lambda: self.now, sleep)


def state(frames, active="active", sub="running", restarts=0):
    found = {"ActiveState": active, "SubState": sub, "NRestarts": restarts, "StatusText": "ok; 30.0 FPS"}
    return found | {"WatchdogTimestampMonotonic": frames}


@pytest.mark.parametrize(
    ("states", "why"),
    [
        ([state(1), state(50), state(99)], ""),
        (
            [state(1), state(1), state(1)],
            "its watchdog was not fed: no frame went through both networks (ok; 30.0 FPS)",
        ),
        ([state(1), state(9, "activating", "auto-restart")], "it is activating (auto-restart) while it should run"),
        ([state(1), state(2, restarts=1)], "it failed and was restarted"),
    ],
)
def test_health_is_frames_and_no_restart(states, why):
    assert Systemctl(*states).unit().healthy(60) == why


def test_a_minute_is_watched_for_a_minute():
    systemctl = Systemctl(state(1), *[state(n) for n in range(2, 40)])
    systemctl.unit().healthy(60)
    assert systemctl.now == 60


def test_the_unit_that_ends_a_trial_is_written_once(board, tmp_path):
    systemctl = Systemctl({})
    for _ in range(2):
        systemctl.unit().arm(board.home, tmp_path)
    assert f"ExecStart={board.home.root}/bin/python -I -m edge update --resume" in (tmp_path / RESUME).read_text()
    assert systemctl.asked.count("daemon-reload") == 1


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_understands_that_unit(board, tmp_path):
    Systemctl({}).unit().arm(board.home, tmp_path)
    text = (tmp_path / RESUME).read_text().replace(f"{board.home.root}/bin/python", sys.executable)
    (tmp_path / RESUME).write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", tmp_path / RESUME], capture_output=True, text=True)
    assert "maskcam" not in done.stderr


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["update"], "FILE or URL: expected a package|not an installation of install.sh"),
        (["update", "nothing.tar", "--health", "5"], "--health 5: expected 20 s at least"),
        (["update", "nothing.tar"], "no such file|not an installation of install.sh"),
        (["pack", "out.tar", "--key", "missing.key"], "--key missing.key: no such file"),
    ],
)
def test_mistakes_are_one_line(argv, message, capsys):
    import re

    assert cli.main(argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(message, line)


def test_networks_are_proven_by_their_known_answers(tmp_path, capsys):
    """The shipped bundle is right on this machine; one whose detector should have answered otherwise is not."""
    pytest.importorskip("cv2", reason="needs the extra 'cpu'")
    import hashlib

    import numpy as np

    from edge.vision import bundle

    folder = shutil.copytree(bundle.shipped(), tmp_path / "lying")
    known = dict(np.load(folder / "detector_known.npz"))
    known["scores"] = known["scores"][::-1]
    np.savez(folder / "detector_known.npz", **known)
    data = (folder / "detector_known.npz").read_bytes()
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest["files"]["detector_known.npz"] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    (folder / "bundle.json").write_text(json.dumps(manifest))
    assert cli.main(["update", "--self-test"]) == 0
    assert cli.main(["update", "--prove"]) == 0  # as releases before this one call it
    assert cli.main(["update", "--prove", "--set", f"model.bundle={folder}"]) == 2
    assert "no engine gives the known answer of the detector:" in capsys.readouterr().err
