"""The texts that go onto a card, to the letter, and the sentence for each wish that cannot come true."""

import hashlib
import re
import shlex
import subprocess
import sys

import pytest

from edge.core.errors import FlashError, MissingPackage
from edge.operations.flash import cloudinit, firmware, firstrun, places
from edge.operations.flash.host import Host
from edge.operations.flash.release import Release

pytest.importorskip("ruamel.yaml", reason="needs the extra 'flash'")

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 lab"


def section(*lines, eol="\n"):
    return eol.join(["# maskcam: begin", "[all]", *lines, "# maskcam: end", ""])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", section("gpu_mem=64")),
        ("a=1\n", "a=1\n" + section("gpu_mem=64")),
        ("a=1", "a=1\n" + section("gpu_mem=64")),
        ("a=1\r\nb=2\r\n", "a=1\r\nb=2\r\n" + section("gpu_mem=64", eol="\r\n")),
        ("a=1\r\nb=2", "a=1\r\nb=2\r\n" + section("gpu_mem=64", eol="\r\n")),
        ("a=1\r\nb=2\n", "a=1\r\nb=2\n" + section("gpu_mem=64")),  # of both kinds: ours are plain
        (section("other=1") + "a=1\n", "a=1\n" + section("gpu_mem=64")),
        ("a=1\r\n" + section("x", eol="\r\n") + "b=2\r\n", "a=1\r\nb=2\r\n" + section("gpu_mem=64", eol="\r\n")),
        ("a=1\n" + section("x").rstrip("\n"), "a=1\n" + section("gpu_mem=64")),
        (section("x") + "a=1\n" + section("y"), "a=1\n" + section("gpu_mem=64")),
        ("a=1\n" + section("x") + "gpu_mem=64\n", "a=1\ngpu_mem=64\n"),
        ("gpu_mem=16\n  gpu_mem=64 # mine\n", "gpu_mem=16\n  gpu_mem=64 # mine\n"),
    ],
)
def test_config_txt_to_the_letter(old, new):
    assert firmware.config_txt(old, False) == (new, [])
    assert firmware.config_txt(new, False) == (new, [])


def test_the_ribbons_camera_and_a_remark_stand_in_the_order_of_the_file():
    assert firmware.config_txt("a=1\n", True) == ("a=1\n" + section("gpu_mem=64", "camera_auto_detect=1"), [])
    assert firmware.config_txt("gpu_mem=16\n", True) == (
        "gpu_mem=16\n" + section("camera_auto_detect=1"),
        ["config.txt has gpu_mem=16: it stays; maskcam would set gpu_mem=64"],
    )
    assert firmware.config_txt("gpu_mem=64\ncamera_auto_detect=0\n", True)[1] == [
        'config.txt has camera_auto_detect=0 and no overlay of a camera: it stays, but camera.source = "pi" finds '
        "a camera only with camera_auto_detect=1 or the overlay that its maker names"
    ]


@pytest.mark.parametrize("half", ["# maskcam: begin\n", "# maskcam: end\n"])
def test_half_a_section_is_left_to_its_owner(half):
    with pytest.raises(FlashError) as caught:
        firmware.config_txt(half, False)
    assert str(caught.value) == (
        "config.txt: '# maskcam: begin' and '# maskcam: end' do not frame a section any more: remove these lines"
    )


@pytest.mark.parametrize(
    ("old", "parameters", "new"),
    [
        ("root=/dev/x a=1 quiet\n", {"a": "2"}, "root=/dev/x a=2 quiet\n"),
        ("root=/dev/x a=1 a=3", {"a": "2"}, "root=/dev/x a=2 a=2"),
        ("root=/dev/x xa=1 a.b=2", {"a": "2", "a+b": "3"}, "root=/dev/x xa=1 a.b=2 a=2 a+b=3"),
        ("root=/dev/x  ", {"a": r"\1"}, r"root=/dev/x a=\1"),
        ("a= root=/dev/x\r\n# a=7\r\n", {"a": "2"}, "a=2 root=/dev/x\r\n# a=7\r\n"),
        ("root=/dev/x\rsecond a=1", {"a": "2"}, "root=/dev/x a=2\rsecond a=1"),
        ("root=/dev/x", {}, "root=/dev/x"),
    ],
)
def test_the_command_line_to_the_letter(old, parameters, new):
    assert firmware.cmdline(old, parameters) == new


@pytest.mark.parametrize("old", ["", "root= quiet", "xroot=/dev/x", "quiet\nroot=/dev/x"])
def test_without_a_root_the_remedy_is_named(old):
    with pytest.raises(FlashError) as caught:
        firmware.cmdline(old, {"a": "1"})
    assert str(caught.value) == (
        "cmdline.txt: no root=, so the system would not start: write the system again with the Imager"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a ds=nocloud;i=old b", "a ds=nocloud;i=new b"),
        ("ds=nocloud;h=x;i=old;s=y i=stays", "ds=nocloud;h=x;i=new;s=y i=stays"),
        ("ds=nocloud b", "ds=nocloud b"),
        ("ads=nocloud;i=old", "ads=nocloud;i=old"),
        ("", ""),
    ],
)
def test_the_imagers_instance_is_renamed_where_it_stands(old, new):
    assert firmware.instance(old, "new") == new


ALL = Host("door", "eve", "$6$salt$hash", KEY, "My Café's", "a" * 64, "DE", "Europe/Berlin")
OURS = f"""\
# maskcam: begin
sh /boot/firmware/maskcam/systemd/first-boot.sh enable
/usr/lib/raspberrypi-sys-mods/imager_custom set_hostname door
/usr/lib/userconf-pi/userconf eve '$6$salt$hash'
/usr/lib/raspberrypi-sys-mods/imager_custom enable_ssh -k '{KEY}'
/usr/lib/raspberrypi-sys-mods/imager_custom set_wlan 'My Café'"'"'s' {"a" * 64} DE
/usr/lib/raspberrypi-sys-mods/imager_custom set_timezone Europe/Berlin
# maskcam: end
"""


def test_the_first_boot_of_bookworm_to_the_letter():
    assert firstrun.script("", ALL) == f"#!/bin/sh\n{OURS}" + firstrun.OWN.partition("\n")[2]
    assert firstrun.script("#!/bin/bash\r\necho theirs\r\n", ALL) == f"#!/bin/bash\n{OURS}echo theirs\n"
    assert firstrun.script(f"#! /bin/dash\n# maskcam: begin\nold\n# maskcam: end\necho b\n{OURS}", ALL) == (
        f"#! /bin/dash\n{OURS}echo b\n"
    )
    enabled = "# maskcam: begin\nsh /boot/firmware/maskcam/systemd/first-boot.sh enable\n# maskcam: end\n"
    assert firstrun.script("#!/bin/sh\nx\n", Host()) == f"#!/bin/sh\n{enabled}x\n"
    done = subprocess.run(["sh", "-n"], input=firstrun.script("", ALL), text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_open_network_and_a_country_alone():
    open_network = firstrun.script("#!/bin/sh\n", Host(ssid="Cafe", country="NO")).splitlines()[-2]
    assert shlex.split(open_network)[1:] == ["set_wlan", "Cafe", "", "NO"]
    said = firstrun.script("#!/bin/sh\n", Host(country="NO")).splitlines()
    assert said[-2:] == ["/usr/lib/raspberrypi-sys-mods/imager_custom set_wlan_country NO", "# maskcam: end"]
    by_key = firstrun.script("#!/bin/sh\n", Host(user="eve", ssh_key=KEY))
    assert "/usr/lib/userconf-pi/userconf eve ''\n" in by_key


@pytest.mark.parametrize("old", ["echo a\n", "#!/usr/bin/python3\n", " #!/bin/sh\n", "#!/bin/zsh\n"])
def test_a_first_run_that_is_no_shell_script_is_left_alone(old):
    with pytest.raises(FlashError) as caught:
        firstrun.script(old, Host())
    assert str(caught.value) == "firstrun.sh: not a shell script: nothing can be added to it; remove it"


def test_somebody_elses_first_boot_is_named():
    for own in ("", "a systemd.run=/boot/firstrun.sh b", 'systemd.run="/boot/firmware/firstrun.sh"', "asystemd.run=/x"):
        firstrun.check(own)
    for kernel in ("a systemd.run=/boot/own.sh now", 'systemd.run="/boot/own.sh now"'):
        with pytest.raises(FlashError) as caught:
            firstrun.check(kernel)
        assert str(caught.value) == (
            "cmdline.txt: runs /boot/own.sh at the first boot, whose place maskcam's part would take: let firstrun.sh "
            "run it, or remove systemd.run"
        )
    with pytest.raises(FlashError, match=r"^cmdline\.txt: runs x{80} at"):
        firstrun.check("systemd.run=" + "x" * 90)


LETTERS = "letters a to z, digits and '-', at most 63"
WISHES = [
    ({"hostname": "Door"}, f"--hostname 'Door': expected {LETTERS}"),
    ({"hostname": "-door"}, f"--hostname '-door': expected {LETTERS}"),
    ({"hostname": "x" * 64}, f"--hostname '{'x' * 40}': expected {LETTERS}"),
    ({"hostname": ""}, f"--hostname '': expected {LETTERS}"),
    ({"user": "1eve"}, "--user '1eve': expected letters a to z, digits, '-' and '_', at most 32"),
    ({"country": "de"}, "--wifi-country 'de': expected two capitals, such as GB"),
    ({"timezone": "Berlin!"}, "--timezone 'Berlin!': expected an IANA name, such as Europe/Berlin"),
    ({"user": "maskcam"}, "--user maskcam: the system has this user for itself: expected another name"),
    ({"ssid": "a\nb"}, "--wifi 'a\\nb': expected a name without line breaks and control characters"),
    ({"ssid": "a\ud800"}, "--wifi 'a\\ud800': expected a name without line breaks and control characters"),
    ({"ssid": "a\u2029"}, "--wifi 'a\\u2029': expected a name without line breaks and control characters"),
    ({"password": "$6$x"}, "a password or --ssh-key belongs to a user: add --user NAME"),
    ({"ssh_key": KEY}, "a password or --ssh-key belongs to a user: add --user NAME"),
    ({"user": "eve"}, "--user eve: nobody could log in: add --ssh-key or a password"),
    (
        {"ssid": "Cafe"},
        "--wifi needs --wifi-country, such as GB: without it Raspberry Pi OS keeps Wi-Fi off",
    ),
    (
        {"user": "eve", "ssh_key": "-----BEGIN OPENSSH PRIVATE KEY-----"},
        "--ssh-key: that is a private key: expected the public one, in the file that ends in .pub",
    ),
    (
        {"user": "eve", "ssh_key": "PuTTY-User-Key-File-3: x"},
        "--ssh-key: that is a private key: expected the public one, in the file that ends in .pub",
    ),
    (
        {"user": "eve", "ssh_key": "rubbish"},
        "--ssh-key: expected one public key on one line, such as ssh-ed25519 AAAA...",
    ),
    ({"country": "UK"}, "--wifi-country UK: expected GB, the code of ISO 3166 for the United Kingdom"),
    ({"country": "XX"}, "--wifi-country XX: no country has this code (ISO 3166), such as DE, GB or US"),
    (
        {"timezone": "Mars/Olympus"},
        "--timezone Mars/Olympus: there is no such time zone: expected an IANA name, such as Europe/Berlin",
    ),
    (
        {"timezone": "Europe/Berlni"},
        "--timezone Europe/Berlni: there is no such time zone: did you mean Europe/Berlin?",
    ),
    ({"timezone": "US/Eastern"}, "--timezone US/Eastern: an old name: did you mean America/New_York?"),
]


@pytest.mark.parametrize(("wishes", "said"), WISHES, ids=lambda value: re.sub(r"\W+", "-", str(value))[:40])
def test_a_wish_that_cannot_come_true_is_one_sentence(wishes, said):
    if {"country", "timezone"} & set(wishes) and not places.countries():
        pytest.skip("the package tzdata is not installed")
    with pytest.raises(FlashError) as caught:
        Host(**wishes)
    assert str(caught.value) == said


def test_what_every_system_has_needs_no_database(monkeypatch):
    """Without the list of countries and zones nothing is refused that may be right."""
    monkeypatch.setattr(places, "countries", frozenset)
    monkeypatch.setattr(places, "timezones", frozenset)
    assert Host(country="XX", timezone="Mars/Olympus").country == "XX"


def test_a_host_of_nothing_and_a_host_of_everything_are_fine():
    assert Host() == Host(None, None, None, None, None, None, None, None)
    assert ALL.country == "DE"
    assert Host(country="DE").ssid is None
    assert Host(user="eve", password="$6$x").ssh_key is None


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("", False),
        ("# only comments\n", False),
        ("version: 2\n", False),
        ("version: 2\nwifis: {}\n", False),
        ("version: 2\nwifis: {wlan0: {}}\n", True),
        ("version: 2\nmodems: {m: {}}\n", True),
        ("network: {version: 2}\n", False),
        ("network: {ethernets: {eth0: {}}}\n", True),
        ("network: {config: disabled}\n", True),
        ("wifis: {wlan0: {}}\n", False),  # neither of the two forms: netplan reads none of it
        ("network: [wifis]\n", False),
        ("network: {\n", True),  # unknown
    ],
)
def test_whether_a_network_is_named(text, known):
    assert cloudinit.has_network(text) is known


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("", False),
        ("#cloud-config\nhostname: a\n", False),
        ("users:\n", False),
        ("users: [ann]\n", True),
        ("user: ann\n", True),
        ("chpasswd: {list: ['a:b']}\n", True),
        ("password: x\n", True),
        ("users: [\n", True),  # unknown
    ],
)
def test_whether_somebody_will_be_able_to_log_in(text, known):
    assert cloudinit.has_user(text) is known


TRIXIE = Release("Raspberry Pi OS Trixie", "cloud-init", "3.13", "2.40", 64)
UBUNTU = Release("Ubuntu for Raspberry Pi", "cloud-init", None, "2.35", 64)
EVE = Host(user="eve", password="$6$x")
NEW = """- name: eve
  groups: adm,dialout,audio,video,plugdev,input,gpio,spi,i2c,netdev,render,users,sudo
  shell: /bin/bash
  sudo: ALL=(ALL) NOPASSWD:ALL
  lock_passwd: false
  passwd: $6$x
"""
BOOT = """bootcmd:
- - sh
  - /boot/firmware/maskcam/systemd/first-boot.sh
  - enable
"""


def test_user_data_to_the_letter():
    everything = Host(hostname="door", user="eve", password="$6$x", ssh_key=KEY, timezone="Europe/Berlin")
    ours = f"#cloud-config\nhostname: door\nmanage_etc_hosts: true\ntimezone: Europe/Berlin\nusers:\n{NEW}"
    keys = f"  ssh_authorized_keys:\n  - {KEY}\n"
    assert cloudinit.user_data("", everything, TRIXIE) == f"{ours}{keys}enable_ssh: true\n{BOOT}"
    assert cloudinit.user_data("", everything, UBUNTU) == f"{ours}{keys}packages:\n- python3-venv\n{BOOT}"
    assert cloudinit.user_data("", Host(), TRIXIE) == f"#cloud-config\n{BOOT}"
    assert cloudinit.user_data("#cloud-config\n# a  \n\n\n", Host(), TRIXIE) == f"#cloud-config\n# a  \n{BOOT}"
    assert cloudinit.user_data("#cloud-config\n# X\n", Host(), TRIXIE) == f"#cloud-config\n# X\n{BOOT}"
    assert cloudinit.user_data("\n", Host(), TRIXIE) == f"#cloud-config\n{BOOT}"
    had = "#cloud-config \n# theirs\na: 'b'\nbootcmd:\n- \"x\"  # said\npackages: git\n"
    assert cloudinit.user_data(had, Host(), UBUNTU) == (
        "#cloud-config \n# theirs\na: 'b'\nbootcmd:\n- \"x\"  # said\n"
        f"{BOOT.partition(chr(10))[2]}packages:\n- git\n- python3-venv\n"
    )
    assert cloudinit.user_data(f"#cloud-config\nlong: {'word ' * 1000}\n", Host(), TRIXIE).count("\n") == 6
    for other in ("#cloud-config more\na: 1\n", "X#cloud-config\n", "#!/bin/sh\n#cloud-config\n"):
        with pytest.raises(FlashError) as caught:
            cloudinit.user_data(other, Host(), TRIXIE)
        assert str(caught.value) == (
            "user-data: does not begin with #cloud-config: a script or archive cannot be merged; remove it"
        )
    assert cloudinit.user_data("\ufeff#cloud-config\na: 1\n", Host(), TRIXIE).startswith("#cloud-config\na: 1\n")


def test_without_its_package_cloud_init_s_files_are_not_read(monkeypatch):
    monkeypatch.setitem(sys.modules, "ruamel.yaml", None)
    with pytest.raises(MissingPackage) as caught:
        cloudinit.user_data("", Host(), TRIXIE)
    said = str(caught.value)
    assert said.startswith("package 'ruamel.yaml' is not installed: ")
    assert "'.[flash]'" in said


def test_a_file_that_is_no_yaml_is_refused_with_the_place():
    said = "user-data: not YAML, so nothing can be added to it: "
    for text, problem in (
        ("a: [\n  b\n", "expected ',' or ']', but got '<stream end>' in line 4, column 1"),
        ("passwd: SECRET\npasswd: SECRET\n", 'found duplicate key "passwd" in line 3, column 1'),
        (f"a: {'9' * 5000}\n", "a value in it cannot be read"),
        ("passwd: *SECRET\n", "found undefined alias in line 2, column 9"),
        (f"{'k' * 900}: SECRET\n{'k' * 900}: 1\n", f'found duplicate key "{"k" * 179} in line 3, column 1'),
    ):
        with pytest.raises(FlashError) as caught:
            cloudinit.user_data(f"#cloud-config\n{text}", Host(), TRIXIE)
        assert str(caught.value) == said + problem


@pytest.mark.parametrize("blank", ["\r\n\n\r\n\n", "\n\n", " \n \n", "\r\r"])
def test_blank_lines_at_the_beginning_change_nothing(blank):
    for text in ("", "version: 2\n", "# a\r\n\r\n# b\r\n", "# a\n\n\nversion: 2\n"):
        once = cloudinit.network_config(blank + "&a" * (not text) + blank + text, CAFE)
        assert once == cloudinit.network_config(text, CAFE)
        assert cloudinit.network_config(once, CAFE) == once


@pytest.mark.parametrize("old", [":\n\n\n\n", "\r:\n\n\n", "a: 1\n\n# mine\n\n", "version: 2\nwifis:\n\n\n"])
def test_what_follows_the_network_stays_at_every_flash(old):
    once = cloudinit.network_config(old, CAFE)
    assert cloudinit.network_config(once, CAFE) == once
    assert ("# mine" in once) == ("# mine" in old)


def test_a_file_of_brackets_is_refused_in_words():
    with pytest.raises(FlashError) as caught:
        cloudinit.user_data("#cloud-config\na: " + "[" * 5000, Host(), TRIXIE)
    said = "user-data: nested too deep, so nothing can be added to it: expected what cloud-init reads"
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("users:\n- ann\n- eve\n", f"users:\n- ann\n{NEW}"),
        ("users: ann, eve,,\n", f"users:\n- ann\n{NEW}"),
        ("users:\n- name: eve\n  passwd: old\n", "users:\n- name: eve\n  passwd: $6$x\n  lock_passwd: false\n"),
        (
            "users:\n- name: eve\n  plain_text_passwd: a\n  hashed_passwd: b\n",
            "users:\n- name: eve\n  lock_passwd: false\n  passwd: $6$x\n",
        ),
        (
            "users:\n- name: ann\n  shell: x\n- [a, b]\n- 7\n",
            f"users:\n- name: ann\n  shell: x\n- [a, b]\n- 7\n{NEW}",
        ),
        (
            "users:\n  eve:\n    shell: x\n  ann: {}\n",
            "users:\n  eve:\n    shell: x\n    lock_passwd: false\n    passwd: $6$x\n  ann: {}\n",
        ),
        (
            "users:\n  ann: true\n  eve:\n",
            "users:\n  ann: true\n  eve:\n" + "".join(f"    {line[2:]}\n" for line in NEW.splitlines()[1:]),
        ),
    ],
)
def test_a_user_among_others_to_the_letter(old, new):
    assert cloudinit.user_data(f"#cloud-config\n{old}", EVE, TRIXIE) == f"#cloud-config\n{new}{BOOT}"


@pytest.mark.parametrize(
    ("old", "locked"),
    [
        ("", True),
        ("passwd: a", False),
        ("plain_text_passwd: a", False),
        ("hashed_passwd: a", False),
        ("shell: a", True),
    ],
)
def test_who_has_no_password_is_locked_out_of_it(old, locked):
    host = Host(user="eve", ssh_key=KEY)
    text = cloudinit.user_data(f"#cloud-config\nusers:\n- name: eve\n  gecos: x\n  {old}\n", host, UBUNTU)
    assert f"lock_passwd: {str(locked).lower()}\n" in text
    assert text.count(f"- {KEY}\n") == 1
    again = cloudinit.user_data(text, host, UBUNTU)
    assert again == text
    assert old in again
    had = cloudinit.user_data(f"#cloud-config\nusers:\n- name: eve\n  ssh_authorized_keys: {KEY}\n", host, UBUNTU)
    assert had.count(KEY) == 1
    with pytest.raises(FlashError, match=r"^user-data: users: ssh_authorized_keys: expected a list, found a number"):
        cloudinit.user_data("#cloud-config\nusers:\n- name: eve\n  ssh_authorized_keys: 5\n", host, UBUNTU)


UBUNTUS = "chpasswd:\n  expire: true\n"


@pytest.mark.parametrize(
    ("old", "left"),
    [
        (f"{UBUNTUS}  list:\n  - ubuntu:ubuntu\n  - eve:x\n", f"{UBUNTUS}  list:\n  - eve:x\n"),
        (f"{UBUNTUS}  list: |\n    ubuntu:ubuntu\n    eve:x\n", f"{UBUNTUS}  list:\n  - eve:x\n"),
        (f"{UBUNTUS}  list:\n  - eve:a:b\n", f"{UBUNTUS}  list:\n  - eve:a:b\n"),
        (f"{UBUNTUS}  list:\n  - 7\n", f"{UBUNTUS}  list:\n  - 7\n"),
        (f"{UBUNTUS}  list:\n  - ubuntu:ubuntu\n", ""),
        (f"{UBUNTUS}  users:\n  - name: ubuntu\n    password: a\n", ""),
        (
            f"{UBUNTUS}  users:\n  - name: ubuntu\n    password: a\n  - name: eve\n    password: b\n",
            f"{UBUNTUS}  users:\n  - name: eve\n    password: b\n",
        ),
        (f"{UBUNTUS}  users:\n  - 7\n", f"{UBUNTUS}  users:\n  - 7\n"),
        (f"{UBUNTUS}  users:\n  - name: eve\n  list: x\n", f"{UBUNTUS}  users:\n  - name: eve\n  list: []\n"),
        (f"{UBUNTUS}  users: []\n  list:\n  - eve:x\n", f"{UBUNTUS}  users: []\n  list:\n  - eve:x\n"),
        ("chpasswd: theirs\n", "chpasswd: theirs\n"),
    ],
)
def test_known_passwords_of_users_that_are_not_made_to_the_letter(old, left):
    assert cloudinit.user_data(f"#cloud-config\n{old}", EVE, TRIXIE) == f"#cloud-config\n{left}users:\n{NEW}{BOOT}"
    for users in ("users: [default]\n", "users: [[default]]\n", "users:\n- name: default\n", "users: {default: }\n"):
        assert old in cloudinit.user_data(f"#cloud-config\n{users}{old}", EVE, TRIXIE)


@pytest.mark.parametrize("users", ["users: [[ubuntu]]\n", "users: [ubuntu]\n", "users: {ubuntu: }\n"])
def test_a_password_of_a_user_that_is_made_stays(users):
    old = f"{UBUNTUS}  list:\n  - ubuntu:mine\n"
    assert old in cloudinit.user_data(f"#cloud-config\n{users}{old}", EVE, TRIXIE)


CAFE = Host(ssid="Cafe", wifi_key="a" * 64, country="DE")


def test_a_network_to_the_letter():
    assert cloudinit.network_config("version: 2\n", CAFE) == (
        "version: 2\nwifis:\n  wlan0:\n    dhcp4: true\n    optional: true\n    regulatory-domain: DE\n"
        f"    access-points:\n      Cafe:\n        password: {'a' * 64}\n"
    )
    for empty in ("wifis: ''", "wifis:", "wifis: {wlan0: ''}"):
        assert "Cafe:" in cloudinit.network_config(f"version: 2\n{empty}\n", CAFE)
    for known in ("dhcp4: false", "dhcp6: true", "addresses: [10.0.0.2/24]"):
        text = cloudinit.network_config(f"version: 2\nwifis: {{wlan0: {{{known}, optional: false}}}}\n", CAFE)
        assert "dhcp4: true" not in text
        assert "optional: false" in text
    numbers = "version: 2\nwifis: {wlan0: {access-points: {123: {}, 5: {}}}}\n"
    assert "5: {}" in cloudinit.network_config(numbers, Host(ssid="123", country="DE"))


def test_an_instance_is_new_when_anything_changes():
    digest = hashlib.sha256(b"a" + bytes(1) + b"b").hexdigest()[:12]
    assert cloudinit.meta_data("# theirs\ninstance_id: x\n", "a", "b") == (
        f"# theirs\ninstance_id: x\ndsmode: local\ninstance-id: maskcam-{digest}\n"
    )
    assert cloudinit.meta_data("dsmode: net\n", "a").startswith("dsmode: net\ninstance-id: maskcam-")
    assert cloudinit.instance("a", "b") != cloudinit.instance("ab")


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (
            lambda: cloudinit.network_config("version: 1\n", CAFE),
            "network-config: not of netplan's version 2 (or switched off), so there is no place for --wifi: remove the "
            "file, or write the Wi-Fi into it and leave --wifi out",
        ),
        (
            lambda: cloudinit.network_config("version: 2\nwifis: {wlan0: {access-points: 2026-01-01}}\n", CAFE),
            "network-config: wifis: wlan0: access-points: expected keys and values, found something else: nothing can "
            "be added to it",
        ),
        (
            lambda: cloudinit.network_config("- a\n", CAFE),
            "network-config: expected keys and values, found a list",
        ),
        (lambda: cloudinit.meta_data("- a\n", "x"), "meta-data: expected keys and values, found a list"),
    ],
)
def test_a_file_of_cloud_init_that_cannot_be_added_to_is_named(work, said):
    with pytest.raises(FlashError) as caught:
        work()
    assert str(caught.value) == said
