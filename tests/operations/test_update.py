"""Updates on a device without systemd or a network: packages are real and signed, environments are a script each.

A power cut is a process that is killed at the n-th thing it does to the disk or the service, for every n.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge import cli
from edge.core.errors import UpdateError
from edge.operations.update import activate, apply, package, stage
from edge.operations.update.service import RESUME, Systemd

minisign = pytest.importorskip("minisign", reason="needs the extra 'update'")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A secret key in a file, and the public one as settings have it."""
    folder = tmp_path_factory.mktemp("keys")
    pair = minisign.KeyPair.generate()
    (folder / "minisign.key").write_bytes(bytes(pair.secret_key))
    return folder / "minisign.key", pair.public_key.to_base64().decode()


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


@pytest.fixture
def pack(tmp_path, keys):
    def pack(version, says=None, **facts):
        wheel = tmp_path / f"maskcam-{version}.whl"
        wheel.write_text(says or version)
        out = tmp_path / f"{version}.tar"
        package.pack(out, {wheel.name: wheel}, keys[0], kind="release", version=version, **facts)
        return out

    return pack


def test_a_release_runs_when_it_is_healthy(board, pack, keys, capsys):
    board.update(pack("0.2.0"), keys)
    assert board.running() == "0.2.0"
    assert board.restarts == ["0.2.0"]
    assert os.readlink(board.home.entry) == "../releases/0.2.0/bin/maskcam"
    assert not board.home.journal.exists()
    assert "healthy, and stays" in capsys.readouterr().out


@pytest.mark.parametrize("ailment", ["sick", "unready"])
def test_one_that_is_not_is_taken_back(board, pack, keys, ailment):
    board.update(pack("0.2.0"), keys)
    with pytest.raises(UpdateError, match="what ran before runs again"):
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
    for key, message in ((stranger, "not signed with"), ("", "update.key is empty"), ("rubbish", "not signed with")):
        with pytest.raises(UpdateError, match=message):
            board.update(path, (None, key))
    assert board.running() == "0.1.0"


@pytest.mark.parametrize("at", range(0, 4000, 37))
def test_no_byte_of_a_package_can_change_unseen(pack, keys, tmp_path, at):
    path = pack("0.2.0")
    data = bytearray(path.read_bytes())
    at = min(at, len(data) - 1)
    data[at] ^= 0x01
    path.write_bytes(data)
    folder = tmp_path / "out"
    try:
        manifest = package.verify(path, keys[1])
        package.unpack(path, manifest, folder)
    except UpdateError:
        return
    # What is left are the tar's own padding and dates, which nothing reads.
    assert [p.read_text() for p in folder.iterdir()] == ["0.2.0"]
    assert manifest.version == "0.2.0"


def test_a_package_cut_off_anywhere_is_refused(pack, keys, tmp_path):
    path = pack("0.2.0")
    data = path.read_bytes()
    for size in range(0, len(data) - 10240 + 1024, 256):
        path.write_bytes(data[:size])
        with pytest.raises(UpdateError):
            package.unpack(path, package.verify(path, keys[1]), tmp_path / "out")


def test_a_file_cannot_leave_the_package():
    digest = {"sha256": "0" * 64, "bytes": 0}
    for name in ("../x", "/x", "a/../../x", "a\\x"):
        with pytest.raises(ValueError, match="leaves the package"):
            package.Manifest(kind="bundle", version="1", files={name: digest})


@pytest.mark.skipif(not shutil.which("minisign"), reason="needs minisign")
def test_the_signature_is_minisigns(pack, keys, tmp_path):
    """The real tool reads our signature, and we read its key."""
    subprocess.run(["tar", "-xf", pack("0.2.0"), "-C", tmp_path], check=True)
    done = subprocess.run(
        ["minisign", "-V", "-P", keys[1], "-m", "manifest.json"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Trusted comment: maskcam release 0.2.0" in done.stdout
    subprocess.run(
        ["minisign", "-G", "-W", "-p", "a.pub", "-s", "a.key"], cwd=tmp_path, check=True, capture_output=True
    )
    out = tmp_path / "theirs.tar"
    package.pack(out, {"x": tmp_path / "manifest.json"}, tmp_path / "a.key", kind="bundle", version="1")
    key = (tmp_path / "a.pub").read_text().splitlines()[1]
    assert package.verify(out, key).version == "1"


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


EVENTS = [(os, "replace"), (os, "symlink"), (os, "link"), (os, "sync"), (os, "mkdir"), (os, "unlink"), (os, "rename")]
EVENTS += [(Board, "execute"), (Board, "restart"), (Board, "healthy"), (shutil, "rmtree"), (package, "unpack")]


def killed_at(n, work):
    """Runs `work` in a process that kills itself before the n-th event; whether it got that far."""
    child = os.fork()
    if child == 0:
        count = 0

        def counted(function):
            def call(*args, **kwargs):
                nonlocal count
                count += 1
                if count == n:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*args, **kwargs)

            return call

        try:
            for owner, name in EVENTS:
                setattr(owner, name, counted(getattr(owner, name)))
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
        ([state(1), state(2, restarts=1)], "it failed and was started anew"),
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
    assert f"ExecStart={board.home.root}/bin/python -m edge update --resume" in (tmp_path / RESUME).read_text()
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


def test_a_bundle_is_packed_and_fetched_over_http(tmp_path, keys, write_bundle, capsys, monkeypatch):
    import functools
    import http.server
    import io
    import threading

    from edge.cli.update import _fetched

    monkeypatch.setattr(sys, "stdin", io.StringIO())
    folder = write_bundle(tmp_path / "mine")
    out = tmp_path / "mine.tar"
    assert cli.main(["pack", str(out), "--key", str(keys[0]), "--bundle", str(folder)]) == 0
    assert "bundle 2026.01.01, 5 files" in capsys.readouterr().out

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        with _fetched(f"{address}/mine.tar", tmp_path) as path:
            assert json.loads(package.verify(path, keys[1]).model_dump_json())["kind"] == "bundle"
        with pytest.raises(UpdateError, match="cannot be fetched"), _fetched(f"{address}/none.tar", tmp_path):
            pass
    finally:
        server.shutdown()
        server.server_close()


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
    assert cli.main(["update", "--prove"]) == 0
    assert cli.main(["update", "--prove", "--set", f"model.bundle={folder}"]) == 2
    assert "no engine gives the known answer of the detector:" in capsys.readouterr().err
