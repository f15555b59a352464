"""Marked secrets are sent through every way out: log, events, status, supervisor, doctor, errors, process list."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge import cli, config
from edge.core.errors import ConfigError

SECRET = "S3cR3tMark"

WRONG = {
    "the scheme of a webhook mistyped": f'[sinks.webhook]\nurl = "htps://door:{SECRET}@example.org/hook"\n',
    "a password where there is no such key": f'[sinks.mqtt]\npassword = "{SECRET}"\n',
    "a list where a text belongs": f'[sinks.mqtt]\nusername = ["u", "{SECRET}"]\n',
    "an address in a list": f'[camera]\nsource = ["rtsp://u:{SECRET}@cam/1"]\n',
    "a text where a section belongs": f'[sinks]\nwebhook = "https://u:{SECRET}@h/"\n',
    "a command in one text": f'[sinks.command]\nargv = "curl -u door:{SECRET} http://x"\n',
    "an address in the wrong place": f'[camera]\nformat = "rtsp://u:{SECRET}@cam/1"\n',
    "a number sign in a password": f'[camera]\nsource = "http://admin:{SECRET}#x@127.0.0.1:18086/v"\n',
    "a slash in a password": f'[camera]\nsource = "http://admin:{SECRET}/x@127.0.0.1:18086/v"\n',
    "a secret key for a public one": f'[update]\nkey = ["{SECRET}"]\n',
    "a device that is none": f'[backend]\ndevice = "{SECRET}"\n',
    "a pin that is an address": f'[sinks.gpio]\npin = ["u:{SECRET}@h"]\n',
}
LOST = [
    f"rtsp://127.0.0.1:9/user=admin_password={SECRET}_channel=1_stream=0.sdp?real_stream",
    f"rtsp://127.0.0.1:9/11?user=admin&pw={SECRET}",
    f"rtsp://admin:{SECRET}@127.0.0.1:9/live",
    f"http://127.0.0.1:9/{SECRET}/video",
]


@pytest.mark.fault("a value with a password fails validation", "twelve mistakes in settings", "it is never said", "-")
@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_a_value_that_is_wrong_is_not_said(tmp_path, capsys, text):
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert SECRET not in str(caught.value)
    assert cli.main(["config", "check", str(path)]) == 2
    assert SECRET not in "".join(capsys.readouterr())
    loaded = config.load_or_last_good([path], [], {}, tmp_path)
    assert SECRET not in (loaded.fallback or "")


@pytest.mark.parametrize(
    "option", [f"camera.source={SECRET}:x@y", f"{SECRET}", f"x={SECRET}", f"camera.width={SECRET}@"]
)
def test_neither_is_one_of_the_command_line(capsys, option):
    cli.main(["config", "show", "--set", option])
    assert SECRET not in "".join(capsys.readouterr())


def test_config_show_cuts_what_may_hold_a_password(tmp_path, capsys):
    path = tmp_path / "a.toml"
    text = f'camera.source = "{LOST[0]}"\n[sinks.webhook]\nurl = "https://u:{SECRET}@h/{SECRET}"\n'
    path.write_text(text + f'[sinks.command]\nargv = ["curl", "-u", "me:{SECRET}"]\n')
    assert cli.main(["config", "show", "--config", str(path)]) == 0
    said = "".join(capsys.readouterr())
    assert SECRET not in said
    assert 'source = "rtsp://127.0.0.1:9/..."' in said
    assert cli.main(["config", "show", "--config", str(path), "--with-secrets"]) == 0
    assert said.count("cut short") == 3
    assert SECRET in capsys.readouterr().out


def test_a_run_that_loses_its_camera_says_no_secret(tmp_path):
    """Four forms of address, one run each; log, events, status file, supervisor and the children's arguments."""
    for number, source in enumerate(LOST):
        folder = tmp_path / str(number)
        folder.mkdir()
        said = lost_run(folder, source)
        assert "camera lost" in said
        assert SECRET not in said


def lost_run(folder: Path, source: str) -> str:
    file = folder / "a.toml"
    events = folder / "events.jsonl"
    file.write_text(
        f"[camera]\nsource = {json.dumps(source)}\ntimeout = 1.0\nlost_after = 1.0\n"
        f"[backend]\ndetector = 'tflite'\nclassifier = 'tflite'\n[sinks.jsonl]\npath = '{events}'\n"
        f"[sinks.webhook]\nurl = 'http://u:{SECRET}@127.0.0.1:9/{SECRET}'\nkinds = ['state']\n"
        f"[sinks.command]\nargv = ['/no-such-program', '{SECRET}']\nkinds = ['state']\n"
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(folder / "notify"))
        supervisor.setblocking(False)
        environ = os.environ | {
            "NOTIFY_SOCKET": str(folder / "notify"),
            "RUNTIME_DIRECTORY": str(folder),
            "STATE_DIRECTORY": str(folder),
        }
        command = [sys.executable, "-m", "edge", "run", "--config", str(file), "--duration", "4"]
        root = Path(__file__).parents[2]
        with open(folder / "log", "wb") as log:
            run = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environ, cwd=root)
        said = ""
        while run.poll() is None:
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    arguments = process.read_bytes()
                    if str(file).encode() in arguments or b"edge.backends" in arguments:
                        said += arguments.decode(errors="replace")
            with contextlib.suppress(BlockingIOError):
                while True:
                    said += supervisor.recv(65536).decode()
            time.sleep(0.2)
    return said + "".join(
        path.read_text(errors="replace") for path in (folder / "log", events, folder / "status.json") if path.exists()
    )
