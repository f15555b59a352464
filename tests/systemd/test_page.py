"""The page of the service under a real systemd: what its port lets in, and the update button up to root's part of it.

The camera is a recording, so that the unit has no network but the page's.
"""

import json
import shutil
import subprocess

import cv2
import pytest

from edge.operations.update import package
from edge.vision import bundle
from edge.web.passwords import hashed

PASSWORD, PORT = "a password of the test", 8099
CONFIG = """
[camera]
source = "/mnt/recording.avi"

[backend]
detector = "tflite"
classifier = "tflite"

[update]
key = "{key}"

[web]
address = "0.0.0.0"
port = {port}
password = "{password}"
"""
SHORTER = """
[Service]
ExecStart=
ExecStart=/opt/maskcam/bin/maskcam update --inbox /var/lib/maskcam/update.tar --health 20
"""
NEAR, FAR = "10.7.0.1", "203.0.113.5"
"""An address of the local network, and one of the internet (RFC 5737, for documentation)."""
FETCH = """
import http.client, sys
origin, path, secret, body = sys.argv[1:]
link = http.client.HTTPConnection("127.0.0.1" if origin == "127.0.0.1" else "10.7.0.1", {port}, 10, (origin, 0))
headers = {{"Authorization": "Bearer " + secret}} if secret else {{}}
try:
    if body:
        link.request("POST", path, open(body, "rb"), headers)
    else:
        link.request("GET", path, headers=headers)
    answer = link.getresponse()
    print(answer.status, answer.read().decode())
except OSError as error:
    print(type(error).__name__)
"""
INSTALL = ("/mnt/maskcam/systemd/install.sh", "--board", "pi", "--wheels", "/mnt/wheels")


class Page:
    """The container with the page's ways to be asked."""

    def __init__(self, container, key, other):
        self.container, self.key, self.other = container, key, other

    def configure(self, port=PORT):
        text = CONFIG.format(key=self.key, port=port, password=hashed(PASSWORD))
        self.container.path("/etc/maskcam/maskcam.toml").write_text(text)

    def ask(self, path, origin=NEAR, secret=PASSWORD, body=""):
        """The status and the text of an answer; what was raised instead."""
        said = self.container.run("python3", "-c", FETCH.format(port=PORT), origin, path, secret, body)
        return said.partition(" ")[::2]

    def is_ready(self):
        return self.container.show("maskcam", "ActiveState") == "active" and self.ask("/healthz")[0] == "200"


@pytest.fixture(scope="module")
def page(container, tmp_path_factory):
    from edge.cameras.synthetic import SyntheticCamera

    minisign = pytest.importorskip("minisign")
    pair, folder = minisign.KeyPair.generate(), tmp_path_factory.mktemp("page")
    (folder / "key").write_bytes(bytes(pair.secret_key))
    frames = [frame.image for frame in SyntheticCamera(fps=10.0, duration=8.0, realtime=False)]
    size = frames[0].shape[1] // 2, frames[0].shape[0] // 2
    video = cv2.VideoWriter(str(folder / "recording.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, size)
    small = [cv2.cvtColor(cv2.resize(image, size), cv2.COLOR_RGB2BGR) for image in frames]
    for index in range(4000):
        video.write(small[index % len(small)])
    video.release()
    shutil.move(folder / "recording.avi", container.path("/mnt/recording.avi"))

    other = minisign.KeyPair.generate()
    (folder / "other").write_bytes(bytes(other.secret_key))
    for name, year in (("key", 2097), ("other", 2098)):
        newer = shutil.copytree(bundle.shipped(), folder / str(year))
        facts = json.loads((newer / bundle.NAME).read_text()) | {"created": f"{year}-01-01"}
        (newer / bundle.NAME).write_text(json.dumps(facts))
        files = {path.name: path for path in newer.iterdir() if path.name in [bundle.NAME, *facts["files"]]}
        package.pack(folder / "made.tar", files, folder / name, kind="bundle", version=f"{year}.01.01")
        shutil.move(folder / "made.tar", container.path(f"/mnt/{name}.tar"))
    for address in (NEAR, FAR):
        ip = ["nsenter", "-t", str(container.leader), "-n", "ip", "address", "add", f"{address}/32", "dev", "lo"]
        subprocess.run(ip, check=True)
    container.path("/etc/maskcam").mkdir(exist_ok=True)
    drop_in = container.path("/etc/systemd/system/maskcam-inbox.service.d/shorter.conf")
    drop_in.parent.mkdir(parents=True, exist_ok=True)
    drop_in.write_text(SHORTER)
    return Page(container, *(each.public_key.to_base64().decode() for each in (pair, other)))


def test_installed_with_a_page_it_answers_those_who_know_the_password(page):
    page.configure()
    page.container.run(*INSTALL)
    assert not page.container.path("/etc/systemd/system/maskcam.service.d/network.conf").exists()
    page.container.run("systemd-analyze", "verify", "--man=no", "maskcam.service", "maskcam-inbox.path")
    said = page.container.run("systemd-analyze", "security", "--no-pager", "--threshold=20", "maskcam.service")
    print(f"\nwith the page, open to the local network: {said.splitlines()[-1]}")
    page.container.run("systemctl", "restart", "maskcam")
    page.container.until(page.is_ready, 60)
    assert page.ask("/api/status", secret="")[0] == "401"
    assert page.ask("/api/status", secret="a wrong password")[0] == "401"
    status, text = page.ask("/api/status")
    assert (status, json.loads(text)["state"]) == ("200", "ok")
    assert page.ask("/api/status", origin="127.0.0.1")[0] == "200"


def test_nobody_beyond_the_local_network_is_answered(page):
    if page.ask("/healthz", origin=FAR)[0] == "200":
        pytest.skip("this machine's kernel lets no container filter addresses")
    assert page.ask("/healthz", origin=FAR) == ("TimeoutError", "")
    assert page.ask("/healthz")[0] == "200"


def test_a_port_that_was_not_opened_costs_the_page_and_not_the_camera(page):
    """The settings name another port, and install.sh was not run again."""
    page.configure(PORT + 1)
    page.container.run("systemctl", "restart", "maskcam")
    page.container.until(lambda: page.container.show("maskcam", "ActiveState") == "active", 60)
    said = [line for line in page.container.journal("maskcam") if f"port {PORT + 1}" in line]
    page.configure()
    page.container.run("systemctl", "restart", "maskcam")
    page.container.until(page.is_ready, 60)
    if "+BPF_FRAMEWORK" not in page.container.run("systemctl", "--version"):
        pytest.skip("this systemd is built without BPF_FRAMEWORK: it filters addresses, and no ports")
    assert "the page cannot be opened" in said[0]
    assert "the camera runs without" in said[0]


def test_a_package_from_the_page_is_installed_by_root(page):
    container = page.container
    assert container.run("systemctl", "is-active", "maskcam-inbox.path") == "active"
    status, text = page.ask("/api/update", body="/mnt/key.tar")
    assert (status, json.loads(text)) == ("202", {"taken": "bundle 2097.01.01", "installs": True})

    def over():
        status, text = page.ask("/api/update")
        last = json.loads(text)["last"] if status == "200" else None
        return last if last and last["state"] != "installing" else None

    last = container.until(over, 120)
    print("\n" + "\n".join(last["said"]))
    assert last["state"] == "installed"
    assert "the signature is right" in last["said"][0]
    assert container.path("/opt/maskcam/bundle").readlink().name == "2097.01.01"
    assert not container.path("/var/lib/maskcam/update.tar").exists()
    container.until(page.is_ready, 60)


def test_what_was_put_there_past_the_page_is_refused_by_root(page):
    """By a service that was taken over: a newer package of another key, and that key in the page's settings."""
    container, state = page.container, "/var/lib/maskcam"
    container.path(f"{state}/page.toml").write_text(f'[update]\nkey = "{page.other}"\n')
    container.run("cp", "/mnt/other.tar", f"{state}/part.tar")
    container.run("mv", f"{state}/part.tar", f"{state}/update.tar")
    container.until(lambda: container.show("maskcam-inbox.service", "Result") == "exit-code", 60)
    last = json.loads(container.path("/opt/maskcam/received.json").read_text())
    print(f"\n{last['said'][0]}")
    assert last["state"] == "failed"
    assert not container.path(f"{state}/update.tar").exists()
    assert container.path("/opt/maskcam/bundle").readlink().name == "2097.01.01"
    container.path(f"{state}/page.toml").unlink()


def test_uninstalled_nothing_of_it_is_left(page):
    page.container.run(INSTALL[0], "--uninstall")
    assert not page.container.path("/etc/systemd/system/maskcam-inbox.path").exists()
    assert page.container.ask("systemctl", "is-active", "maskcam-inbox.path") == "inactive"
