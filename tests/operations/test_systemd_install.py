"""The installer, as far as it can be tried without installing anything."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edge.assemble.requires import requires
from edge.config import load
from edge.web.passwords import hashed

SYSTEMD = Path(__file__).parents[2] / "systemd"
INBOX = ("maskcam-inbox.path", "maskcam-inbox.service")

pytestmark = pytest.mark.skipif(shutil.which("systemctl") is None, reason="systemctl is not installed")


def install(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([SYSTEMD / "install.sh", *arguments], capture_output=True, text=True)


@pytest.mark.skipif(
    shutil.which("shellcheck") is None, reason="shellcheck is not installed: apt-get install shellcheck"
)
def test_shellcheck_finds_no_fault():
    done = subprocess.run(["shellcheck", SYSTEMD / "install.sh"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_dry_run_says_every_step():
    done = install("--dry-run", "--board", "coral")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines
    assert all(line.startswith(("would ", "/etc/maskcam/maskcam.toml stays")) for line in lines)
    for said in ("systemd-sysusers", "[coral]", "60-maskcam.rules", "systemctl enable --quiet maskcam"):
        assert said in done.stdout


def test_a_dry_run_of_the_removal_leaves_configuration_and_state():
    done = install("--dry-run", "--uninstall")
    assert done.returncode == 0, done.stderr
    removed = [line.split()[4:] for line in done.stdout.splitlines() if line.startswith("would run: rm ")]
    assert removed
    assert not any(path.startswith(("/etc/maskcam", "/var")) for paths in removed for path in paths)
    assert "left in place: /etc/maskcam, /var/lib/maskcam" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--board", "toaster"], "--board toaster: expected cpu, pi, coral or jetson"),
        (["--wheels", "/nowhere"], "--wheels /nowhere: no such folder"),
        (["--quickly"], "unknown argument '--quickly'"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(arguments, message):
    done = install(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == f"install.sh: error: {message}"


def test_every_file_it_installs_is_there():
    text = (SYSTEMD / "install.sh").read_text()
    for name in (
        "maskcam.service",
        "maskcam.sysusers",
        "maskcam.rules",
        "network.conf",
        "page.conf",
        "sound.conf",
        *INBOX,
    ):
        assert (SYSTEMD / name).is_file()
        assert name.removesuffix(".conf") in text or name in INBOX
    for name in ("pi", "pi-coral", "jetson"):
        assert (SYSTEMD.parent / "configs" / f"{name}.toml").is_file()


@pytest.mark.parametrize(
    ("web", "peers"),
    [
        ("port = 9000", "localhost"),
        (f'port = 9000\naddress = "0.0.0.0"\ntoken = "{hashed("a token")}"', "localhost link-local 10.0.0.0/8"),
    ],
)
def test_the_page_opens_its_own_port_and_no_other(tmp_path, web, peers):
    """What install.sh makes of what the settings require."""
    script = (SYSTEMD / "install.sh").read_text()
    names = ("words", "fit_drop_in", "fit_page")
    functions = [re.search(rf"^{name}\(\) {{\n.*?^}}", script, re.M | re.S)[0] for name in names]
    config = tmp_path / "m.toml"
    config.write_text(f"[sinks.mqtt]\nport = 1883\n[web]\n{web}\n")
    needs = "\n".join(requires(load(config)))
    code = "\n".join([f"HERE={SYSTEMD} DROP_INS={tmp_path} dry=", *functions, "fit_page"])
    subprocess.run(["bash", "-euc", code], env={**os.environ, "needs": needs}, check=True)
    made = (tmp_path / "page.conf").read_text()
    assert "SocketBindAllow=tcp:9000\n" in made
    assert f"IPAddressAllow={peers}" in made
    subprocess.run(["bash", "-euc", code], env={**os.environ, "needs": "network"}, check=True)
    assert not (tmp_path / "page.conf").exists(), "without a page nothing is open"
