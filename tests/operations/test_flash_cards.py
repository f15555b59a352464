"""Cards of every shape that people bring: merged, or refused in one line; real cloud-init agrees."""

import os
import re
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edge.core.errors import FlashError, MaskcamError
from edge.operations.flash import cloudinit, firmware, plan, release
from edge.operations.flash.credentials import wifi_key
from edge.operations.flash.host import Host
from edge.operations.flash.release import Release
from edge.operations.flash.target import Folder

pytest.importorskip("ruamel.yaml", reason="needs the extra 'flash'")
yaml = pytest.importorskip("yaml", reason="needs PyYAML, which is what cloud-init reads with")

KERNEL = "console=serial0,115200 console=tty1 root=PARTUUID=5e3da3da-02 rootfstype=ext4 fsck.repair=yes rootwait"
TRIXIE = Release("Raspberry Pi OS Trixie", "cloud-init", "3.13", "2.40", 64)
UBUNTU = Release("Ubuntu for Raspberry Pi", "cloud-init", None, "2.35", 64)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 lab"
EVE = Host(hostname="door", user="eve", password="$6$x", ssh_key=KEY, ssid="Cafe", wifi_key="a" * 64, country="NO")


def read(text):
    """As cloud-init does: YAML 1.1."""
    return yaml.safe_load(text)


@pytest.mark.parametrize(
    ("old", "key", "found"),
    [
        ("bootcmd:\n# - [ls]\n", "bootcmd", [cloudinit.START]),
        ("bootcmd: ''\n", "bootcmd", [cloudinit.START]),
        ("bootcmd:\n- echo hi\n", "bootcmd", ["echo hi", cloudinit.START]),
        ("users:\n# - name: x\n", "users", ["eve"]),
        ("users: default\n", "users", ["default", "eve"]),
        ("users: default, ann\n", "users", ["default", "ann", "eve"]),
        ("users: [default, {name: ann}]\n", "users", ["default", "ann", "eve"]),
        ("users: [eve]\n", "users", ["eve"]),
        ("users:\n  ann:\n    groups: sudo\n", "users", ["ann", "eve"]),
        ("users:\n  eve:\n", "users", ["eve"]),
        ("users:\n- name: eve\n  ssh_authorized_keys:\n", "users", ["eve"]),
        ("users:\n- name: eve\n  ssh_authorized_keys: ssh-ed25519 AAAA old\n", "users", ["eve"]),
        ("packages:\n#- avahi-daemon\n", "packages", ["python3-venv"]),
        ("packages: vim\n", "packages", ["vim", "python3-venv"]),
        ("packages: [[vim, 2]]\n", "packages", [["vim", 2], "python3-venv"]),
    ],
)
def test_user_data_of_any_kind_that_cloud_init_takes_is_merged(old, key, found):
    text = cloudinit.user_data(f"#cloud-config\n{old}", EVE, UBUNTU)
    data = read(text)
    names = [one.get("name") if isinstance(one, dict) else one for one in data[key]]
    assert (names if key == "users" else list(data[key])) == found
    users = data["users"]
    eve = (
        users["eve"]
        if isinstance(users, dict)
        else next(u for u in users if isinstance(u, dict) and u["name"] == "eve")
    )
    assert KEY in eve["ssh_authorized_keys"]
    assert eve["passwd"] == "$6$x"
    assert cloudinit.user_data(text, EVE, UBUNTU) == text, "twice is once"


@pytest.mark.parametrize(
    ("old", "message"),
    [
        ("bootcmd: echo hi\n", "user-data: bootcmd: expected a list, found a text"),
        ("bootcmd: 3\n", "user-data: bootcmd: expected a list, found a number"),
        ("bootcmd: {a: b}\n", "user-data: bootcmd: expected a list, found keys and values"),
        ("users: true\n", "user-data: users: expected a list, found yes or no"),
        ("packages: 1.5\n", "user-data: packages: expected a list, found a number"),
        ("users:\n- name: eve\n  ssh_authorized_keys: {a: b}\n", "ssh_authorized_keys: expected a list, found keys"),
        ("a: 1\na: 2\n", "user-data: not YAML"),
    ],
)
def test_user_data_that_cannot_be_merged_is_one_line_that_names_the_key(old, message):
    with pytest.raises(FlashError, match=re.escape(message)) as caught:
        cloudinit.user_data(f"#cloud-config\n{old}", EVE, UBUNTU)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "first", ["#cloud-config-archive", "#!/bin/sh", "## template: jinja", "#include", "hostname: a"]
)
def test_what_is_no_cloud_config_is_not_touched(first):
    with pytest.raises(FlashError, match="does not begin with #cloud-config"):
        cloudinit.user_data(f"{first}\n- a\n", EVE, TRIXIE)


@pytest.mark.parametrize(
    "old",
    [
        "",
        "# only comments\n",
        "network:\n",
        "network: {}\n",
        "network:\n  version: 2\n  wifis:\n",
        "version: 2\nwifis:\n  wlan0:\n",
        "version: 2\nwifis:\n  wlan0:\n    access-points:\n",
        "version: 2\nwifis:\n  wlan0:\n    dhcp4: true\n    access-points:\n      theirs: {password: abcdefgh}\n",
        "network:\n  ethernets:\n    eth0: {dhcp4: true}\n",
    ],
)
def test_network_config_with_empty_sections_is_merged(old):
    text = cloudinit.network_config(old, EVE)
    data = read(text)
    network = data if "version" in data else data["network"]
    assert network["version"] == 2
    wlan0 = network["wifis"]["wlan0"]
    assert wlan0["access-points"]["Cafe"] == {"password": "a" * 64}
    assert wlan0["dhcp4"] is True
    assert wlan0["regulatory-domain"] == "NO", "Norway, not false"
    assert ("theirs" in old) == ("theirs" in wlan0["access-points"])
    assert cloudinit.network_config(text, EVE) == text


@pytest.mark.parametrize(
    ("old", "message"),
    [
        ("network: none\n", "network-config: network: expected keys and values, found a text"),
        ("version: 2\nwifis: []\n", "network-config: wifis: expected keys and values, found a list"),
        ("version: 2\nwifis: {wlan0: true}\n", "network-config: wifis: wlan0: expected keys and values"),
        ("version: 2\nwifis: {wlan0: {access-points: [Cafe]}}\n", "access-points: expected keys and values"),
        ("version: 1\nconfig: []\n", "not of netplan's version 2"),
        ("network: {config: disabled}\n", "not of netplan's version 2 (or switched off)"),
    ],
)
def test_network_config_that_has_no_place_for_it_is_one_line(old, message):
    with pytest.raises(FlashError, match=re.escape(message)) as caught:
        cloudinit.network_config(old, EVE)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "name", ["no", "on", "y", "null", "1e3", "0x1", "010", "12:30", "1_000", "true", "~", "a: b", "#c", "é", "-", "🙂"]
)
def test_a_name_that_yaml_takes_for_something_else_stays_a_name(name):
    """cloud-init reads YAML 1.1, in which half of these are no texts."""
    host = Host(ssid=name, wifi_key="a" * 64, country="NO")
    points = read(cloudinit.network_config("", host))["network"]["wifis"]["wlan0"]["access-points"]
    assert list(points) == [name]
    if re.fullmatch("[a-z0-9]+", name):
        assert read(cloudinit.user_data("", Host(hostname=name), TRIXIE))["hostname"] == name


def test_a_network_that_was_written_as_a_number_is_not_there_twice():
    text = cloudinit.network_config(
        "version: 2\nwifis: {wlan0: {access-points: {123: {}}}}\n", Host(ssid="123", country="DE")
    )
    assert list(read(text)["wifis"]["wlan0"]["access-points"]) == ["123"]


def test_the_older_form_of_a_known_password_goes_too():
    for old in ("chpasswd: {list: 'ubuntu:ubuntu'}\n", "chpasswd: {list: ['ubuntu:ubuntu']}\n"):
        assert "chpasswd" not in read(cloudinit.user_data(f"#cloud-config\n{old}", EVE, UBUNTU))


@pytest.mark.parametrize(
    ("old", "ribbon", "added", "said"),
    [
        ("camera_auto_detect=1\n", True, ["gpu_mem=64"], ""),
        ("# nothing\n", True, ["gpu_mem=64", "camera_auto_detect=1"], ""),
        ("# nothing\n", False, ["gpu_mem=64"], ""),
        ("camera_auto_detect=0\ndtoverlay=arducam-64mp\n", True, ["gpu_mem=64"], ""),
        ("camera_auto_detect=0\ndtoverlay=tc358743\n", True, ["gpu_mem=64"], ""),
        ("dtoverlay=imx519,cam0\n", True, ["gpu_mem=64"], ""),
        ("camera_auto_detect=0\n", True, ["gpu_mem=64"], "camera_auto_detect=0 and no overlay"),
        ("camera_auto_detect=0\n", False, ["gpu_mem=64"], ""),
        ("gpu_mem=256\r\n", False, [], "gpu_mem=256: it stays"),
        ("[pi4]\ngpu_mem_1024=128", False, [], "gpu_mem_1024=128: it stays"),
        ("#gpu_mem=16\n", False, ["gpu_mem=64"], ""),
        ("no newline at the end", False, ["gpu_mem=64"], ""),
        ("windows\r\nlines\r\n", False, ["gpu_mem=64"], ""),
    ],
)
def test_what_somebody_set_in_config_txt_stays_and_is_spoken_of(old, ribbon, added, said):
    new, notes = firmware.config_txt(old, ribbon)
    assert new.startswith(old)
    assert [line for line in new[len(old) :].split() if "=" in line] == added
    assert (said in " ".join(notes)) if said else notes == []
    assert firmware.config_txt(new, ribbon)[0] == new


def test_half_of_our_section_is_one_line():
    with pytest.raises(FlashError, match="do not frame a section"):
        firmware.config_txt("# maskcam: begin\n[all]\ngpu_mem=64\n", False)


@pytest.mark.parametrize(
    "old", [KERNEL, f"{KERNEL}\n", f"{KERNEL}  quiet  \r\n", f'a="b  c" {KERNEL}\n# theirs: ds=x\n\n']
)
def test_of_the_command_line_only_our_words_change(old):
    new = firmware.cmdline(old, {"cfg80211.ieee80211_regdom": "DE"})
    assert new == old.replace(old.splitlines()[0], f"{old.splitlines()[0].rstrip()} cfg80211.ieee80211_regdom=DE", 1)
    assert firmware.cmdline(new, {"cfg80211.ieee80211_regdom": "DE"}) == new
    assert "regdom=GB" in firmware.cmdline(new, {"cfg80211.ieee80211_regdom": "GB"})


@pytest.mark.parametrize("old", ["", "\n", "quiet\n", "\0" * 20, f"\n{KERNEL}\n", "noroot=x\n"])
def test_a_command_line_without_a_root_is_refused(old):
    with pytest.raises(FlashError, match="no root=, so the system would not start"):
        firmware.cmdline(old, {})


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"country": "UK"}, "--wifi-country UK: expected GB"),
        ({"country": "XX"}, "--wifi-country XX: no country"),
        ({"country": "de"}, "expected two capitals"),
        ({"timezone": "Europe/Berlni"}, "did you mean Europe/Berlin?"),
        ({"timezone": "US/Eastern"}, "an old name: did you mean America/New_York?"),
        ({"timezone": "Mars/Olympus"}, "there is no such time zone"),
        ({"ssid": "a\nb", "country": "DE"}, "without line breaks"),
        ({"ssid": "a\r", "country": "DE"}, "without line breaks"),
        ({"ssid": "a\u2028b", "country": "DE"}, "without line breaks"),
        ({"ssid": "a\0", "country": "DE"}, "without line breaks"),
        ({"user": "root", "password": "x"}, "the system has this user"),
        ({"user": "eve", "ssh_key": f"{KEY}\n{KEY}"}, "expected one public key"),
        ({"user": "eve", "ssh_key": f"{KEY}\r# maskcam: end"}, "expected one public key"),
    ],
)
def test_a_wish_that_cannot_come_true_is_said_before_anything_is_written(wishes, message):
    with pytest.raises(FlashError, match=re.escape(message)) as caught:
        Host(**wishes)
    assert len(str(caught.value).splitlines()) == 1


PRIVATE = (
    "-----BEGIN OPENSSH PRIVATE KEY-----\nMARKEDb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\n-----END OPENSSH PRIVATE KEY-----"
)


@pytest.mark.parametrize(
    "text", [PRIVATE, "PuTTY-User-Key-File-3: MARKED", "MARKED", f"{KEY} \x1b[2J\nMARKED", "\x00MARKED"]
)
def test_what_is_given_as_a_public_key_and_is_none_is_never_repeated(text):
    with pytest.raises(FlashError) as caught:
        Host(user="eve", ssh_key=text)
    assert "MARKED" not in str(caught.value)
    assert ("private key" in str(caught.value)) == ("PRIVATE" in text or "PuTTY" in text)


# Any boot partition: lists, words, numbers and nothing in every place.
WORDS = st.sampled_from(["", "default", "eve", "no", "x: y", "#"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), WORDS)
KEYS = st.sampled_from(["name", "eve", "wlan0", "passwd"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
USER_DATA = st.dictionaries(st.sampled_from(["users", "bootcmd", "packages", "chpasswd", "hostname", "theirs"]), VALUES)
NETWORK = st.dictionaries(st.sampled_from(["version", "wifis", "ethernets", "network", "config", "theirs"]), VALUES)
QUICK = settings(max_examples=int(os.environ.get("TEST_FUZZ", "60")), suppress_health_check=[HealthCheck.too_slow])


def merged(function, *arguments):
    """The text, or None where it was refused in one line."""
    try:
        return function(*arguments)
    except MaskcamError as caught:
        error = caught
    assert len(str(error).splitlines()) == 1
    return None


@QUICK
@example({"users": [{"name": []}], "chpasswd": {"users": [{"name": {}}]}}, TRIXIE)
@given(USER_DATA, st.sampled_from([TRIXIE, UBUNTU]))
def test_any_user_data_is_merged_once_or_refused_in_one_line(data, system):
    old = "#cloud-config\n" + yaml.safe_dump(data)
    new = merged(cloudinit.user_data, old, EVE, system)
    if new is None:
        return
    found = read(new)
    assert cloudinit.START in found["bootcmd"]
    assert found.get("theirs") == data.get("theirs")
    assert cloudinit.user_data(new, EVE, system) == new


@QUICK
@given(NETWORK)
def test_any_network_config_is_merged_once_or_refused_in_one_line(data):
    new = merged(cloudinit.network_config, yaml.safe_dump(data), EVE)
    if new is None:
        return
    found = read(new)
    network = found if "version" in found else found["network"]
    assert network["wifis"]["wlan0"]["access-points"]["Cafe"] == {"password": "a" * 64}
    assert found.get("theirs") == data.get("theirs")
    assert cloudinit.network_config(new, EVE) == new


@QUICK
@given(
    st.binary(max_size=200).filter(lambda data: b"\0" not in data and b"maskcam" not in data),
    st.sampled_from([b"\n", b"\r\n", b""]),
    st.booleans(),
)
def test_config_txt_keeps_every_byte_that_is_not_ours(data, end, ribbon):
    old = (b"x=1" + data + end).decode("utf-8", "surrogateescape")
    new, _ = firmware.config_txt(old, ribbon)
    assert new.startswith(old)
    assert firmware.config_txt(new, ribbon)[0] == new


@pytest.fixture
def card(tmp_path):
    files = {
        "config.txt": "camera_auto_detect=1\nauto_initramfs=1\n",
        "cmdline.txt": f"{KERNEL} ds=nocloud;i=rpi-imager-1\n",
        "issue.txt": "Raspberry Pi reference 2025-10-01\n",
        "user-data": "#cloud-config\nhostname: theirs\n",
        "meta-data": "dsmode: local\n",
        "network-config": "# only comments\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def flash(folder, host=EVE):
    card = Folder(folder)
    planned = plan.build(card, release.recognise(card), host, "[camera]\n", {}, "pi", False)
    plan.write(card, planned)
    return planned


@pytest.mark.parametrize("rest", [None, b"", b"\0" * 512, b"\n"])
@pytest.mark.parametrize("name", ["config.txt", "cmdline.txt", "user-data"])
def test_what_a_cut_left_empty_comes_back_from_its_backup(card, name, rest):
    """A boot partition that lost power has such files: the second flash must not build on nothing."""
    flash(card)
    (card / name).unlink() if rest is None else (card / name).write_bytes(rest)
    notes = flash(card).notes
    assert (f"{name} is empty: {name}.before-maskcam takes its place" in notes) == (rest is not None)
    assert "root=PARTUUID=5e3da3da-02" in (card / "cmdline.txt").read_text()
    assert "auto_initramfs=1" in (card / "config.txt").read_text()
    assert read((card / "user-data").read_text())["hostname"] == "door"


@pytest.mark.parametrize("name", ["config.txt", "cmdline.txt"])
def test_without_a_backup_it_is_an_error(card, name):
    (card / name).write_text("")
    with pytest.raises(FlashError):
        flash(card)
    assert not (card / "maskcam.toml").exists()


def test_what_is_missing_or_lies_there_for_nothing_is_said(card):
    (card / "maskcam.toml.txt").write_text("[camera]\n")
    notes = "\n".join(flash(card, Host()).notes)
    for said in ("nobody will be able to log in", "no Wi-Fi", "maskcam.toml.txt lies on the card"):
        assert said in notes
    (card / "maskcam.toml.txt").unlink()
    assert flash(card).notes == []


def test_a_diff_shows_nobodys_secret(card):
    (card / "network-config").write_text("version: 2\nwifis: {wlan0: {access-points: {x: {password: MARKED}}}}\n")
    (card / "user-data").write_text("#cloud-config\nhostname: a\nusers: [{name: ann, plain_text_passwd: MARKED}]\n")
    target = Folder(card)
    host = Host(hostname="door", ssid="Cafe", wifi_key=wifi_key("Cafe", "correct horse"), country="DE")
    planned = plan.build(target, release.recognise(target), host, 'url = "http://a:MARKED@b/"\n', {}, "pi", False)
    said = plan.diff(target, planned)
    assert "MARKED" not in said
    assert host.wifi_key not in said
    assert "+hostname: door" in said


def test_a_folder_in_a_files_place_is_one_line(card):
    (card / "user-data").unlink()
    (card / "user-data").mkdir()
    with pytest.raises(FlashError, match="user-data: is a folder on the card"):
        flash(card)


CLOUD_INIT = pytest.mark.skipif(not shutil.which("cloud-init"), reason="needs cloud-init: apt-get install cloud-init")


@CLOUD_INIT
@pytest.mark.parametrize("old", ["", "#cloud-config\nusers: default\n", "#cloud-config\nbootcmd:\nusers:\n"])
@pytest.mark.parametrize("system", [TRIXIE, UBUNTU])
def test_real_cloud_init_accepts_what_we_wrote(tmp_path, old, system):
    """Its own schema; `enable_ssh` is Raspberry Pi OS's addition to it."""
    text = cloudinit.user_data(old, EVE, system).replace("enable_ssh: true\n", "")
    (tmp_path / "user-data").write_text(text)
    done = subprocess.run(
        ["cloud-init", "schema", "--config-file", tmp_path / "user-data"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Valid" in done.stdout
