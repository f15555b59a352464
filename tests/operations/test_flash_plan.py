"""What is to change on a card, to the letter, and how it is written: a card in memory that remembers what was asked."""

import hashlib

import pytest

from edge.core.errors import FlashError
from edge.operations.flash import plan
from edge.operations.flash.host import Host
from edge.operations.flash.plan import Plan
from edge.operations.flash.release import recognise

pytest.importorskip("ruamel.yaml", reason="needs the extra 'flash'")

KERNEL = "console=tty1 root=PARTUUID=1-02 rootwait\n"
TRIXIE = {
    "config.txt": b"a=1\ngpu_mem=64\n",
    "cmdline.txt": b"root=PARTUUID=1-02 ds=nocloud;i=rpi-imager-1\n",
    "issue.txt": b"Raspberry Pi reference 2025-10-01\n",
    "user-data": b"#cloud-config\nusers:\n- name: ann\n",
    "meta-data": b"dsmode: net\n",
    "network-config": b"network:\n  version: 2\n  ethernets:\n    eth0: {}\n",
}
BOOKWORM = {
    "config.txt": b"auto_initramfs=1\n",
    "cmdline.txt": KERNEL.encode(),
    "issue.txt": b"Raspberry Pi reference 2024-10-01\n",
}
HOST = Host("door", "eve", "$6$secret-hash", None, "Cafe", "k" * 64, "DE", None)


class Card:
    """A boot partition in memory; `events` tells what was done to it."""

    name = "card"

    def __init__(self, files, free=1 << 30):
        self.files, self.events, self.room, self.folders, self.faulty = dict(files), [], free, set(), None

    def _key(self, name):
        return next((key for key in self.files if key.casefold() == name.casefold()), name)

    def read(self, name):
        data = self.files.get(self._key(name))
        return data[:-1] if name == self.faulty and "settled" in self.events else data

    def is_folder(self, name):
        return name in self.folders

    def write(self, name, data):
        self.events.append(name)
        self.files[self._key(name)] = data

    def remove(self, name):
        self.events.append(f"remove {name}")
        del self.files[self._key(name)]

    def names(self, folder=""):
        start = f"{folder}/" if folder else ""
        return sorted({name[len(start) :].partition("/")[0] for name in self.files if name.startswith(start)})

    def free(self):
        return self.room

    def settle(self):
        self.events.append("settled")


def built(card, host=HOST, settings="[camera]\n", files=(), board="pi", offline=True, ribbon=False):
    return plan.build(card, recognise(card), host, settings, dict(files), board, offline, ribbon)


def test_what_comes_onto_a_card(tmp_path):
    checkout, own = tmp_path / "checkout", tmp_path / "own"
    for name in ("systemd/b.sh", "systemd/a.service", "configs/pi.toml", "systemd/locks/other.txt", "edge/x.py"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(name)
    (own / "folder").mkdir(parents=True)
    for name in ("net.tflite", "bundle.json", "folder/in"):
        (own / name).write_text(name)
    wheel, lock = tmp_path / "w" / "b.whl", tmp_path / "lock" / "pi.txt"
    parts = [tmp_path / "parts" / "p.whl", tmp_path / "parts" / "needed" / "n.whl"]
    assert list(plan.payload(checkout, [wheel], lock, ("nets/mine", own), parts).items()) == [
        ("maskcam/systemd/locks/pi.txt", lock),
        ("maskcam/systemd/a.service", checkout / "systemd" / "a.service"),
        ("maskcam/systemd/b.sh", checkout / "systemd" / "b.sh"),
        ("maskcam/configs/pi.toml", checkout / "configs" / "pi.toml"),
        ("maskcam/wheels/b.whl", wheel),
        ("maskcam/parts/p.whl", parts[0]),
        ("maskcam/parts/needed/n.whl", parts[1]),
        ("nets/mine/bundle.json", own / "bundle.json"),
        ("nets/mine/net.tflite", own / "net.tflite"),
    ]
    assert len(plan.payload(checkout, [], lock, None)) == 4


def test_the_plan_of_a_card_with_cloud_init():
    card = Card(TRIXIE)
    files = {"maskcam/wheels/b.whl": b"b", "maskcam/wheels/a.whl": b"a"}
    found = built(card, files=files)
    assert list(found.files) == [
        "maskcam/wheels/b.whl",
        "maskcam/wheels/a.whl",
        "maskcam/SHA256SUMS",
        "maskcam/first-boot.conf",
        "maskcam.toml",
        "user-data",
        "network-config",
        "cmdline.txt",
        "meta-data",
    ]
    sums = "".join(f"{hashlib.sha256(x.encode()).hexdigest()}  maskcam/wheels/{x}.whl\n" for x in "ab")
    assert found.files["maskcam/SHA256SUMS"].decode() == sums
    name = "maskcam-" + hashlib.sha256(f"{sums}\0pi".encode()).hexdigest()[:12]
    assert found.files["maskcam/first-boot.conf"].decode() == f"ID={name}\nBOARD=pi\nOFFLINE=yes\nPYTHON=3.13\nSSH=no\n"
    assert found.files["maskcam.toml"] == b"[camera]\n"
    texts = {key: value.decode() for key, value in found.files.items()}
    assert "- name: ann\n- name: eve\n" in texts["user-data"]
    assert "Cafe" in texts["network-config"]
    assert "eth0" in texts["network-config"]
    contents = "\0".join((texts["user-data"], texts["network-config"], name))
    instance = "maskcam-" + hashlib.sha256(contents.encode()).hexdigest()[:12]
    assert texts["cmdline.txt"] == f"root=PARTUUID=1-02 ds=nocloud;i={instance} cfg80211.ieee80211_regdom=DE\n"
    assert texts["meta-data"] == f"dsmode: net\ninstance-id: {instance}\n"
    assert found.secrets == ["$6$secret-hash", "k" * 64]
    assert (found.remove, found.notes) == ([], [])


def test_the_plan_of_a_card_with_a_script_for_the_first_boot():
    host = Host("door", "eve", None, "ssh-ed25519 AAAA lab")
    found = built(Card(BOOKWORM), host, offline=False, ribbon=True)
    assert list(found.files) == [
        *("maskcam/SHA256SUMS", "maskcam/first-boot.conf", "maskcam.toml", "config.txt", "firstrun.sh", "cmdline.txt")
    ]
    assert found.files["maskcam/first-boot.conf"].decode().endswith("\nBOARD=pi\nOFFLINE=no\nPYTHON=3.11\nSSH=yes\n")
    assert found.files["cmdline.txt"].decode() == (
        f"{KERNEL.strip()} systemd.run=/boot/firmware/firstrun.sh systemd.run_success_action=reboot "
        "systemd.unit=kernel-command-line.target\n"
    )
    assert b"set_hostname door" in found.files["firstrun.sh"]
    assert b"camera_auto_detect=1" in found.files["config.txt"]
    assert found.secrets == []
    assert found.notes == []
    card = Card(BOOKWORM)
    plain = plan.build(card, recognise(card), host, "", {}, "pi", False)
    assert b"camera_auto_detect" not in plain.files["config.txt"]
    code = Host(ssid="Cafe", wifi_key="k" * 64, country="DE")
    assert b" cfg80211.ieee80211_regdom=DE systemd.run=" in built(Card(BOOKWORM), code).files["cmdline.txt"]
    card = Card(BOOKWORM | {"firstrun.sh": b"#!/bin/bash\nsystemd.run=/x\n"})
    assert built(card, Host()).files["firstrun.sh"].endswith(b"systemd.run=/x\n")
    card = Card(BOOKWORM | {"cmdline.txt": b"root=/dev/x systemd.run=/boot/own.sh\n"})
    with pytest.raises(FlashError, match="at the first boot, whose place"):
        built(card, Host())


def test_ubuntu_tells_no_python_and_needs_no_network():
    files = {name: TRIXIE[name] for name in ("config.txt", "user-data", "meta-data")}
    card = Card(files | {"cmdline.txt": b"root=LABEL=writable\n"})
    found = built(card, Host(), offline=False)
    assert found.files["maskcam/first-boot.conf"].decode().endswith("\nPYTHON=''\nSSH=no\n")
    assert "network-config" not in found.files
    contents = "\0".join((found.files["user-data"].decode(), "", found.files["maskcam/first-boot.conf"].decode()[3:23]))
    assert hashlib.sha256(contents.encode()).hexdigest()[:12].encode() in found.files["meta-data"]


def test_a_card_that_was_flashed_so_has_nothing_to_change_but_what_is_stale():
    card = Card(TRIXIE)
    files = {"maskcam/wheels/a.whl": b"a", "maskcam/parts/needed/n.whl": b"n"}
    plan.write(card, built(card, files=files))
    assert built(card, files=files).files == {}
    card.files |= {"maskcam/wheels/Old.whl": b"x", "maskcam/parts/p.whl": b"x", "maskcam/parts/needed/m.whl": b"x"}
    card.files["maskcam/systemd/mine.sh"] = b"x"
    card.folders = {"maskcam/parts/needed"}
    files = {"maskcam/wheels/A.whl": b"a", "maskcam/parts/needed/n.whl": b"n"}
    found = built(card, files=files)
    assert found.remove == ["maskcam/wheels/Old.whl", "maskcam/parts/p.whl", "maskcam/parts/needed/m.whl"]
    assert "maskcam/wheels/A.whl" not in found.files


def test_what_is_said_before_anything_is_written():
    bare = {"user-data": b"#cloud-config\n", "network-config": b"# nothing\n"}
    card = Card(TRIXIE | bare | {"Maskcam.toml.txt": b"", "maskcam (1).toml": b"", "ISSUE.txt.before-maskcam": b"x"})
    card.files["issue.txt.before-maskcam"], card.files["b.txt"], card.files["a.txt"] = b"R", b" \0\r\n\t", b""
    card.files |= {"b.txt.before-maskcam": b"x", "a.txt.before-maskcam": b"x"}
    card.files |= {"c.txt": b"X", "c.txt.before-maskcam": b"x"}
    cable = "no Wi-Fi: without --wifi NAME --wifi-country CC the board needs "
    login = "nobody will be able to log in: add --user NAME --ssh-key FILE, or go on: the camera needs nobody"
    told = [
        "a.txt is empty: a.txt.before-maskcam takes its place",
        "b.txt is empty: b.txt.before-maskcam takes its place",
        "Maskcam.toml.txt lies on the card, but only maskcam.toml is read: remove it",
        "maskcam (1).toml lies on the card, but only maskcam.toml is read: remove it",
    ]
    assert built(card, Host(), offline=True).notes == [*told, login, cable + "a cable, if it shall be reached at all"]
    assert built(card, Host(), offline=False).notes == [*told, login, cable + "a cable at first boot"]
    assert built(card, HOST).notes == told
    assert built(Card(TRIXIE), Host()).notes == []
    assert built(Card(BOOKWORM), Host()).notes == []
    card = Card(TRIXIE | {"config.txt": b"gpu_mem=16\n", "maskcam.yaml": b""})
    assert built(card).notes == [
        "config.txt has gpu_mem=16: it stays; maskcam would set gpu_mem=64",
        "maskcam.yaml lies on the card, but only maskcam.toml is read: remove it",
    ]


def test_a_diff(tmp_path):
    wheel = tmp_path / "a.whl"
    wheel.write_bytes(b"12345")
    card = Card({"a.txt": b"one\ntwo\xff\n", "b.txt": b"psk=MARKED more\n"})
    files = {"own/a.whl": wheel, "maskcam/x": b"123", "a.txt": b"one\nthree\n", "b.txt": b"s3cret\x1b\xfe\n"}
    found = Plan(files, ["maskcam/old"], ["s3cret"])
    assert plan.diff(card, found).splitlines() == [
        "remove maskcam/old",
        "write own/a.whl (5 bytes)",
        "write maskcam/x (3 bytes)",
        "--- a.txt (now)",
        "+++ a.txt (then)",
        "@@ -1,2 +1,2 @@",
        " one",
        "-two\N{REPLACEMENT CHARACTER}",
        "+three",
        "--- b.txt (now)",
        "+++ b.txt (then)",
        "@@ -1 +1 @@",
        "-psk=(not shown)",
        "+(not shown)\\x1b\N{REPLACEMENT CHARACTER}",
    ]
    said = plan.diff(Card({}), Plan({"a": b"url = http://me:MARKED@h/\n"}))
    assert said == "--- a (now)\n+++ a (then)\n@@ -0,0 +1 @@\n+url = http://(not shown)@h/"


def test_writing_tells_how_far_it_is_and_reads_back(tmp_path):
    wheel = tmp_path / "a.whl"
    wheel.write_bytes(b"12345")
    card = Card({"a.txt": b"old", "b.txt": b"\0\0", "maskcam/c": b"old", "maskcam/gone": b"x"})
    found, told = Plan({"w/a.whl": wheel, "a.txt": b"new", "b.txt": b"1", "maskcam/c": b"22"}, ["maskcam/gone"]), []
    assert plan.write(card, found, lambda done, total: told.append((done, total))) == ["a.txt.before-maskcam"]
    order = ["a.txt.before-maskcam", "remove maskcam/gone", "w/a.whl", "a.txt", "b.txt", "maskcam/c", "settled"]
    assert card.events == order
    assert told == [(5, 11), (8, 11), (9, 11), (11, 11)]
    assert card.files == {
        **{"a.txt": b"new", "b.txt": b"1", "maskcam/c": b"22", "w/a.whl": b"12345", "a.txt.before-maskcam": b"old"}
    }
    card.faulty = "w/a.whl"
    with pytest.raises(FlashError) as caught:
        plan.write(card, found.__class__(found.files))
    said = "card: w/a.whl reads back wrong: the card or its reader is faulty: try another one"
    assert str(caught.value) == said


def test_each_content_that_was_there_is_kept_once():
    card = Card({"a.txt": b"X"})
    backups = []
    for content in (b"2", b"3", b"X", b"4"):
        backups += plan.write(card, Plan({"a.txt": content}))
    assert backups == ["a.txt.before-maskcam", "a.txt.before-maskcam2", "a.txt.before-maskcam3"]
    assert [card.files[name] for name in backups] == [b"X", b"2", b"3"]


def test_the_room_on_a_card():
    files = {"a": b"x" * 100, "b": b"y" * 50}
    need = 150 + (16 << 20)
    for there, free in (({}, need), ({"a": b"1" * 70}, need - 70), ({"gone": b"1" * 30, "a": b"1"}, need - 31)):
        remove = ["gone", "not there"]
        plan.check_space(Card(there, free), Plan(files, remove))
        with pytest.raises(FlashError) as caught:
            plan.check_space(Card(there, free - 1), Plan(files, remove))
    files = {"a": bytes(30_722_794)}
    with pytest.raises(FlashError) as caught:
        plan.write(card := Card({}, 20_500_010), Plan(files))
    assert str(caught.value) == (
        "card: 21 MB can be written, 48 MB are needed: remove what is not the system's, or go without --offline"
    )
    assert card.events == []


def test_a_text_that_is_none(tmp_path):
    """The firmware's own files are kept byte by byte, whatever they hold; in others a BOM goes, and no more."""
    card = Card(TRIXIE | {"config.txt": b"\xef\xbb\xbfa=\xff\n"})
    assert built(card).files["config.txt"].startswith(b"\xef\xbb\xbfa=\xff\n")
    card = Card(TRIXIE | {"cmdline.txt": b"root=\xfe\n"})
    assert built(card).files["cmdline.txt"].startswith(b"root=\xfe ")
    card = Card(TRIXIE | {"user-data": b"\xef\xbb\xbf#cloud-config\nhostname: a\n"})
    assert built(card, Host()).files["user-data"].startswith(b"#cloud-config\nhostname: a\n")
    for name, data, said in (
        ("user-data", b"#cloud-config\n\xff", "not UTF-8 (invalid start byte at byte 14): nothing can be added to it"),
        ("network-config", b"a\0b\0", "not UTF-8, or damaged (a zero at character 1): save it as UTF-8"),
        ("config.txt", b"ab\0", "not UTF-8, or damaged (a zero at character 2): save it as UTF-8"),
    ):
        with pytest.raises(FlashError) as caught:
            built(Card(TRIXIE | {name: data}))
        assert str(caught.value) == f"{name}: {said}"


def test_what_a_cut_left_empty_is_taken_from_its_backup():
    card = Card(TRIXIE | {"cmdline.txt": b"\0\0", "cmdline.txt.before-maskcam": b"root=/dev/mine\n"})
    assert built(card).files["cmdline.txt"].startswith(b"root=/dev/mine")
