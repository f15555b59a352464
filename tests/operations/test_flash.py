"""`maskcam flash` against images laid out like each system's: MBR, FAT32, the release's files; read back by mtools.

The layouts are those of the published images: Raspberry Pi OS Lite 64-bit (Bookworm 2024-11-19, Trixie 2025-10-01)
and Ubuntu Server 24.04; kernels and firmware are empty here.
"""

import lzma
import re
import shutil
import struct
import subprocess
import sys

import pytest

from edge import cli
from edge.core.errors import FlashError
from edge.operations.flash import image as image_module
from edge.operations.flash import wheels
from edge.operations.flash.target import find
from edge.testing.kill import kill_at

pytest.importorskip("pyfatfs", reason="needs the extra 'flash'")
yaml = pytest.importorskip("ruamel.yaml", reason="needs the extra 'flash'")

FIRMWARE = ("bootcode.bin", "start4.elf", "fixup4.dat", "bcm2711-rpi-4-b.dtb", "kernel8.img", "kernel_2712.img")
CONFIG = "# For more options see http://rptl.io/configtxt\ndtparam=audio=on\ncamera_auto_detect=1\nauto_initramfs=1\n"
KERNEL = "console=serial0,115200 console=tty1 root=PARTUUID=5e3da3da-02 rootfstype=ext4 fsck.repair=yes rootwait"
USER_DATA = """\
#cloud-config
# What an Imager wrote.
hostname: theirs   # a comment
timezone: Europe/London
users:
- name: ann
  passwd: $6$theirs
"""
META = "# Where the data come from.\ndsmode: local\ninstance_id: rpios-image\n"
NETWORK = """\
network:
  version: 2
  # Theirs.
  wifis:
    wlan0:
      dhcp4: true
      access-points:
        theirs: {password: 'abcdefgh'}
"""
FIRSTRUN = """\
#!/bin/sh

set +e

echo theirs >/etc/hostname
rm -f /boot/firstrun.sh
sed -i 's| systemd.run.*||g' /boot/cmdline.txt
exit 0
"""
UBUNTU = """\
#cloud-config
# ubuntu
chpasswd:
  expire: true
  users:
  - name: ubuntu
    password: ubuntu
    type: text
ssh_pwauth: false
"""

LAYOUTS = {
    "trixie": (
        16384,
        "bootfs",
        {
            "config.txt": CONFIG,
            "cmdline.txt": f"{KERNEL} ds=nocloud;i=rpi-imager-1760000000\n",
            "issue.txt": "Raspberry Pi reference 2025-10-01\n",
            "user-data": USER_DATA,
            "meta-data": META,
            "network-config": NETWORK,
        },
    ),
    "bookworm": (
        8192,
        "bootfs",
        {
            "config.txt": CONFIG,
            "cmdline.txt": f"{KERNEL} systemd.run=/boot/firstrun.sh systemd.run_success_action=reboot\n",
            "issue.txt": "Raspberry Pi reference 2024-11-19\n",
            "initramfs8": "",
            "firstrun.sh": FIRSTRUN,
        },
    ),
    "ubuntu": (
        2048,
        "system-boot",
        {
            "config.txt": "[all]\nkernel=vmlinuz\ncamera_auto_detect=1\n",
            "cmdline.txt": "console=tty1 root=LABEL=writable rootfstype=ext4 rootwait fixrtc\n",
            "user-data": UBUNTU,
            "meta-data": "dsmode: local\ninstance_id: cloud-image\n",
            "network-config": "# only comments\n# here\n",
            "vmlinuz": "",
        },
    ),
}
HOST = [
    "--hostname",
    "door",
    "--user",
    "eve",
    "--wifi",
    "CafeNet",
    "--wifi-country",
    "DE",
    "--timezone",
    "Europe/Berlin",
]
HOST += ["--password-stdin"]
SECRETS = "correct horse\nbattery staple\n"
MTOOLS = pytest.mark.skipif(
    not all(shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") for name in ("mcopy", "mkfs.fat", "fsck.fat")),
    reason="needs mtools and dosfstools",
)


OLD = {"issue.txt": "Raspberry Pi reference 2021-10-30\n", "config.txt": "dtparam=audio=on\n"}
OLD |= {"user-data": None, "meta-data": None}


def tool(*command, **options):
    return subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        env={"MTOOLS_SKIP_CHECK": "1", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        **options,
    ).stdout


MEGABYTES = 96
"""Of the boot partition. The systems have 512, with clusters eight times as large: there are about as many."""


def make_image(folder, layout):
    """An image with FAT32 where the release has it, an empty second partition behind it."""
    start, label, files = LAYOUTS[layout]
    image, fat = folder / f"{layout}.img", folder / "fat"
    sectors = MEGABYTES << 11
    with image.open("wb") as file:
        file.truncate((start + sectors + 8192) * 512)
    with image.open("r+b") as file:  # the partition table: FAT32 by block, then Linux
        file.seek(446)
        file.write(struct.pack("<4xB3xII", 0x0C, start, sectors) + struct.pack("<4xB3xII", 0x83, start + sectors, 8192))
        file.seek(510)
        file.write(b"\x55\xaa")
    with fat.open("wb") as file:
        file.truncate(sectors * 512)
    tool("mkfs.fat", "-F", "32", "-s", "1", "-n", label.upper(), fat)
    tree = folder / "tree"
    tree.mkdir()
    for name, text in {**dict.fromkeys(FIRMWARE, ""), **files}.items():
        (tree / name).write_text(text)
    (tree / "overlays").mkdir()
    (tree / "overlays" / "README").write_text("overlays")
    tool("mcopy", "-s", "-i", fat, *sorted(tree.iterdir()), "::/")
    tool("dd", f"if={fat}", f"of={image}", "bs=1M", f"seek={start >> 11}", "conv=notrunc,sparse")
    fat.unlink()
    return image


def on_card(image, name):
    start = LAYOUTS[image.stem][0]
    return tool("mtype", "-i", f"{image}@@{start * 512}", f"::/{name}")


def fsck(image):
    """What fsck.fat finds wrong, but for a count of free clusters that is said to be unknown."""
    start = LAYOUTS[image.stem][0]
    part = image.with_suffix(".fat")
    tool("dd", f"if={image}", f"of={part}", "bs=1M", f"skip={start >> 11}", f"count={MEGABYTES}", "conv=sparse")
    done = subprocess.run(["/usr/sbin/fsck.fat", "-n", part], capture_output=True, text=True)
    part.unlink()
    return [
        line
        for line in done.stdout.splitlines()[1:]
        if line.strip()
        and "uninitialized" not in line
        and "Auto-setting" not in line
        and "unchanged" not in line
        and "clusters" not in line
    ]


@pytest.fixture(autouse=True)
def _small_wheels(monkeypatch):
    """Building and downloading take a network: here a wheel is a few bytes."""

    def own(checkout, folder):
        (folder / "maskcam-0.1.0-py3-none-any.whl").write_bytes(b"maskcam" * 1000)
        return folder / "maskcam-0.1.0-py3-none-any.whl"

    def gather(checkout, folder, board, python, machine, glibc):
        name = f"numpy-2.5.5-cp{python.replace('.', '')}-cp{python.replace('.', '')}-manylinux_2_27_{machine}.whl"
        (folder / name).write_bytes(bytes(range(256)) * 20_000)
        return [own(checkout, folder), folder / name]

    monkeypatch.setattr(wheels, "own", own)
    monkeypatch.setattr(wheels, "gather", gather)


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "door.toml"
    path.write_text("[alerts]\nraise_after = 2.0\n")
    return path


@pytest.fixture
def flash(monkeypatch, capsys, settings):
    def flash(*argv, secrets=SECRETS):
        import io

        monkeypatch.setattr(sys, "stdin", io.StringIO(secrets))
        code = cli.main(["flash", "--config", str(settings), *map(str, argv)])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return flash


def image_or_folder(kind, layout, tmp_path):
    if kind == "image":
        return make_image(tmp_path, layout)
    folder = tmp_path / "bootfs"
    folder.mkdir()
    for name, text in LAYOUTS[layout][2].items():
        (folder / name).write_text(text)
    return folder


def reader(path):
    return (lambda name: (path / name).read_text()) if path.is_dir() else (lambda name: on_card(path, name))


def load(text):
    return yaml.YAML(typ="safe").load(text)


@pytest.mark.parametrize("kind", ["folder", pytest.param("image", marks=MTOOLS)])
def test_trixie_is_merged_with_what_the_imager_wrote(flash, tmp_path, kind):
    boot = image_or_folder(kind, "trixie", tmp_path)
    code, said = flash(boot, *HOST, "--offline", "--yes")
    assert code == 0, said
    assert "Raspberry Pi OS Trixie, 64 bit" in said
    assert "correct horse" not in said
    assert "battery staple" not in said
    read = reader(boot)
    user = load(read("user-data"))
    assert read("user-data").startswith("#cloud-config\n# What an Imager wrote.\n")
    assert user["hostname"] == "door"
    assert [u["name"] for u in user["users"]] == ["ann", "eve"]
    assert user["users"][0] == {"name": "ann", "passwd": "$6$theirs"}
    assert user["users"][1]["passwd"].startswith("$6$rounds=")
    assert user["bootcmd"] == [["sh", "/boot/firmware/maskcam/systemd/first-boot.sh", "enable"]]
    network = load(read("network-config"))["network"]["wifis"]["wlan0"]
    # The key of this passphrase and network, by wpa_passphrase(8).
    assert network["access-points"]["CafeNet"] == {"password": wpa("CafeNet", "battery staple")}
    assert network["access-points"]["theirs"] == {"password": "abcdefgh"}
    assert network["regulatory-domain"] == "DE"
    instance = load(read("meta-data"))["instance-id"]
    assert f"ds=nocloud;i={instance}" in read("cmdline.txt")
    assert read("cmdline.txt").count("\n") == 1
    assert read("maskcam.toml") == "[alerts]\nraise_after = 2.0\n"
    assert read("user-data.before-maskcam") == USER_DATA
    assert "gpu_mem=64" in read("config.txt")
    assert CONFIG in read("config.txt")
    assert "PYTHON=3.13" in read("maskcam/first-boot.conf")
    assert "correct horse" not in "".join(map(read, ("user-data", "network-config", "maskcam/first-boot.conf")))


def wpa(ssid, passphrase):
    import hashlib

    return hashlib.pbkdf2_hmac("sha1", passphrase.encode(), ssid.encode(), 4096, 32).hex()


def test_the_wifi_key_is_the_standards():
    """IEEE 802.11i-2004, H.4.3: the test vectors of passphrase to key."""
    from edge.operations.flash.credentials import wifi_key

    assert wifi_key("IEEE", "password") == "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"
    assert (
        wifi_key("ThisIsASSID", "ThisIsAPassword") == "0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af"
    )


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
def test_the_password_hash_is_what_openssl_makes_of_it():
    from edge.operations.flash.credentials import password_hash

    found = password_hash("correct horse")
    _, six, rounds, salt, _ = found.split("$")
    if rounds == "rounds=656000":
        theirs = tool("openssl", "passwd", "-6", "-salt", f"{rounds}${salt}", "correct horse").strip()
        assert found == theirs
    assert six == "6"


@MTOOLS
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_image_stays_sound_and_carries_the_payload(flash, tmp_path, layout):
    image = make_image(tmp_path, layout)
    offline = [] if layout == "ubuntu" else ["--offline"]
    assert flash(image, *HOST, *offline, "--yes")[0] == 0
    assert fsck(image) == []
    start = LAYOUTS[layout][0]
    out = tmp_path / "out"
    out.mkdir()
    tool("mcopy", "-s", "-n", "-i", f"{image}@@{start * 512}", "::/", out)
    done = subprocess.run(
        ["sha256sum", "--check", "--quiet", "maskcam/SHA256SUMS"], cwd=out, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (out / "overlays" / "README").read_text() == "overlays"
    assert sum(1 for _ in (out / "maskcam" / "wheels").iterdir()) == 2 if offline else 1
    code, said = flash(image, "--yes", *offline)  # a second time, with fewer wishes: what is there stays
    assert code == 0, said
    assert fsck(image) == []
    assert "eve" in on_card(image, "firstrun.sh" if layout == "bookworm" else "user-data") or layout == "bookworm"


def test_bookworm_keeps_the_imagers_script_behind_ours(flash, tmp_path):
    boot = image_or_folder("folder", "bookworm", tmp_path)
    assert flash(boot, *HOST, "--yes")[0] == 0
    script = (boot / "firstrun.sh").read_text()
    assert script.startswith("#!/bin/sh\n# maskcam: begin\nsh /boot/firmware/maskcam/systemd/first-boot.sh enable\n")
    assert FIRSTRUN.split("\n", 1)[1] in script
    assert "set_hostname door" in script
    assert subprocess.run(["sh", "-n", boot / "firstrun.sh"]).returncode == 0
    line = (boot / "cmdline.txt").read_text()
    assert line.count("systemd.run=/boot/firmware/firstrun.sh ") == 1
    assert "/boot/firstrun.sh" not in line
    assert "cfg80211.ieee80211_regdom=DE" in line
    assert flash(boot, *HOST, "--yes")[0] == 0
    assert (boot / "firstrun.sh").read_text().count("# maskcam: begin") == 1


@pytest.mark.parametrize("written", ["systemd.run=/boot/own.sh", 'systemd.run="/boot/firmware/own.sh now"'])
def test_a_first_boot_of_somebody_else_is_not_replaced(flash, tmp_path, written):
    boot = image_or_folder("folder", "bookworm", tmp_path)
    line = boot / "cmdline.txt"
    line.write_text(line.read_text().replace("systemd.run=/boot/firstrun.sh", written))
    before = {path.name: path.read_bytes() for path in boot.iterdir() if path.is_file()}
    code, said = flash(boot, *HOST, "--yes")
    assert code == 2
    assert "own.sh at the first boot, whose place maskcam's part would take" in said
    assert {path.name: path.read_bytes() for path in boot.iterdir() if path.is_file()} == before


def test_bookworm_without_the_imager_gets_a_script_that_removes_itself(flash, tmp_path):
    boot = image_or_folder("folder", "bookworm", tmp_path)
    (boot / "firstrun.sh").unlink()
    (boot / "cmdline.txt").write_text(KERNEL + "\n")
    assert flash(boot, "--yes")[0] == 0
    # Run it where /boot/firmware is this folder: the line and the script are as before.
    script = (boot / "firstrun.sh").read_text().replace("/boot/firmware", str(boot)).replace("sh " + str(boot), "true ")
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not (boot / "firstrun.sh").exists()
    assert (boot / "cmdline.txt").read_text() == KERNEL + "\n"


def test_ubuntu_gets_no_user_with_a_known_password(flash, tmp_path):
    boot = image_or_folder("folder", "ubuntu", tmp_path)
    assert flash(boot, *HOST, "--yes")[0] == 0
    user = load((boot / "user-data").read_text())
    assert "chpasswd" not in user
    assert user["packages"] == ["python3-venv"]
    assert "enable_ssh" not in user
    assert "# only comments" in (boot / "network-config").read_text()


def test_ubuntu_cannot_be_prepared_offline(flash, tmp_path):
    boot = image_or_folder("folder", "ubuntu", tmp_path)
    code, said = flash(boot, "--offline", "--yes")
    assert code == 2
    assert "python3-venv" in said


@pytest.mark.parametrize("option", [[], ["--dry-run"], ["--dry-run", "--yes"]])
@pytest.mark.parametrize("kind", ["folder", pytest.param("image", marks=MTOOLS)])
def test_nothing_is_written_without_yes(flash, tmp_path, kind, option):
    boot = image_or_folder(kind, "trixie", tmp_path)
    files = [boot] if boot.is_file() else sorted(boot.rglob("*"))
    before = [path.read_bytes() for path in files]
    code, said = flash(boot, *HOST, *option)
    assert code == (0 if option else 2)
    assert "-hostname: theirs   # a comment" in said
    assert "+hostname: door" in said
    assert "(not shown)" in said
    assert wpa("CafeNet", "battery staple") not in said
    if boot.is_dir():
        assert files == sorted(boot.rglob("*"))
        assert before == [path.read_bytes() for path in files]
    else:
        assert boot.read_bytes() == before[0]


def test_flashing_again_changes_nothing(flash, tmp_path):
    boot = image_or_folder("folder", "trixie", tmp_path)
    (boot / "network-config").unlink()
    wishes = ["--hostname", "door", "--timezone", "Europe/Berlin", "--yes"]
    assert flash(boot, *wishes)[0] == 0
    before = {path: path.read_bytes() for path in boot.rglob("*") if path.is_file()}
    assert not (boot / "network-config").exists()
    code, said = flash(boot, *wishes)
    assert code == 0
    assert "nothing to do" in said
    assert before == {path: path.read_bytes() for path in boot.rglob("*") if path.is_file()}


def test_other_settings_leave_the_earlier_ones_beside_them(flash, tmp_path, settings):
    boot = image_or_folder("folder", "trixie", tmp_path)
    for value in ("2.0", "3.0", "4.0"):
        settings.write_text(f"[alerts]\nraise_after = {value}\n")
        assert flash(boot, "--yes")[0] == 0
    kept = [(boot / f"maskcam.toml.before-maskcam{n}").read_text() for n in ("", "2")]
    assert ["2.0" in kept[0], "3.0" in kept[1], "4.0" in (boot / "maskcam.toml").read_text()] == [True] * 3


def test_packages_of_an_earlier_flash_go(flash, tmp_path):
    boot = image_or_folder("folder", "trixie", tmp_path)
    assert flash(boot, "--offline", "--yes")[0] == 0
    assert len(list((boot / "maskcam" / "wheels").iterdir())) == 2
    assert flash(boot, "--yes")[0] == 0
    assert len(list((boot / "maskcam" / "wheels").iterdir())) == 1


def test_a_part_of_another_package_comes_onto_the_card_and_goes_with_its_setting(
    flash, tmp_path, settings, monkeypatch
):
    """What the settings choose, by its wheel; the package itself is tried in test_supply."""
    from edge.assemble import requires

    made = {"maskcam_bell": "parts", "clapper": "parts/needed"}

    def parts(names, folder, lock, card):
        paths = [tmp_path / folder_ / f"{name}-1.0-py3-none-any.whl" for name, folder_ in made.items() if names]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"wheel")
        return paths

    monkeypatch.setattr(wheels, "parts", parts)
    boot = image_or_folder("folder", "trixie", tmp_path)
    there = [boot / "maskcam" / folder / f"{name}-1.0-py3-none-any.whl" for name, folder in made.items()]
    monkeypatch.setattr(requires, "packages", lambda settings: ["maskcam-bell"])
    assert flash(boot, "--yes")[0] == 0
    sums = (boot / "maskcam/SHA256SUMS").read_text()
    assert all(path.is_file() and path.name in sums for path in there)
    monkeypatch.setattr(requires, "packages", lambda settings: [])
    assert flash(boot, "--yes")[0] == 0
    assert not any(path.exists() for path in there)


def test_what_a_card_without_a_network_cannot_bring_is_said(flash, tmp_path, settings):
    settings.write_text('[camera]\nsource = "pi"\n[sinks.gpio]\n')
    boot = image_or_folder("folder", "trixie", tmp_path)
    needs = "note: the settings need python3-lgpio, python3-picamera2 in the system; --offline brings none"
    assert needs in flash(boot, "--offline", "--yes")[1]
    assert needs not in flash(boot, "--yes")[1], "the installer brings them"


@pytest.mark.parametrize(
    ("change", "argv", "message"),
    [
        ({"config.txt": None}, [], "not the boot partition of a Raspberry Pi"),
        ({"issue.txt": "LibreELEC\n"}, [], "a system that maskcam does not know"),
        (OLD, [], "older than Bookworm"),
        ({"kernel7.img": ""}, ["--offline"], "32-bit"),
        ({"user-data": "#!/bin/sh\necho hello\n"}, [], "user-data: does not begin with #cloud-config"),
        ({"user-data": "#cloud-config\nusers: [\n"}, [], "user-data: not YAML"),
        ({"user-data": "#cloud-config\n- a\n"}, [], "user-data: expected keys and values"),
        ({"config.txt": b"\xff\xfe\x00"}, [], "config.txt: not UTF-8"),
        ({}, ["--hostname", "a;reboot"], "--hostname 'a;reboot': expected letters"),
        ({}, ["--wifi", "Net", "--password-stdin"], "--wifi needs --wifi-country"),
        ({}, ["--wifi", "N" * 33, "--wifi-country", "GB", "--password-stdin"], "1 to 32"),
        ({}, ["--user", "eve"], "the password of eve is needed: add --password-stdin"),
        ({}, ["--timezone", "Mars; rm"], "an IANA name"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_sentence_and_nothing_is_written(
    flash, tmp_path, monkeypatch, change, argv, message
):
    if "--offline" in argv:
        monkeypatch.undo()
    boot = image_or_folder("folder", "trixie", tmp_path)
    for name, content in change.items():
        if content is None:
            (boot / name).unlink()
        else:
            (boot / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    before = {path: path.read_bytes() for path in boot.rglob("*") if path.is_file()}
    code, said = flash(boot, *argv, "--yes")
    assert code == 2
    assert message in said
    assert said.strip().count("maskcam: error:") == 1
    assert before == {path: path.read_bytes() for path in boot.rglob("*") if path.is_file()}


def test_a_full_card_is_noticed_before_anything_is_written(flash, tmp_path, monkeypatch):
    from edge.operations.flash.target import Folder

    boot = image_or_folder("folder", "trixie", tmp_path)
    monkeypatch.setattr(Folder, "free", lambda self: 18 << 20)
    code, said = flash(boot, "--offline", "--yes")
    assert code == 2
    assert "MB can be written" in said
    assert not (boot / "maskcam.toml").exists()


def test_a_card_that_reads_back_wrong_is_an_error(flash, tmp_path, monkeypatch):
    from edge.operations.flash.target import Folder

    boot = image_or_folder("folder", "trixie", tmp_path)
    monkeypatch.setattr(Folder, "settle", lambda self: (boot / "maskcam.toml").write_text("rotten"))
    code, said = flash(boot, "--yes")
    assert code == 2
    assert "maskcam.toml reads back wrong" in said


@MTOOLS
def test_a_packed_image_becomes_a_new_file(flash, tmp_path):
    image = make_image(tmp_path, "trixie")
    if not shutil.which("xz"):
        pytest.skip("needs xz")
    tool("xz", "-0", "-T0", image)
    packed = tmp_path / "trixie.img.xz"
    for option, code in (([], 2), (["--dry-run"], 0)):  # only the boot partition is unpacked to be looked at
        done, said = flash(packed, "--hostname", "door", *option)
        assert done == code, said
        assert "+hostname: door" in said
    assert sorted(path.name for path in tmp_path.glob("*.img*")) == [packed.name]
    assert flash(packed, "--yes")[0] == 0
    assert fsck(image) == []
    assert "raise_after" in on_card(image, "maskcam.toml")
    code, said = flash(packed, "--yes")
    assert code == 2
    assert "exists" in said


def test_a_packed_image_that_fills_the_disk_is_one_line_that_names_it(tmp_path, monkeypatch):
    """A few kilobytes may unpack to gigabytes."""
    packed, target = tmp_path / "card.img.xz", tmp_path / "card.img"
    packed.write_bytes(lzma.compress(bytes(100_000)))

    def full(source, file, go_on):
        file.write(source.read(1000))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(image_module, "_stream", full)
    with pytest.raises(FlashError, match=r"card\.img: .*\.xz cannot be unpacked there \(No space left on device\)"):
        image_module.unpack(packed, target, lambda done: None)
    assert not target.exists()


@pytest.mark.parametrize(
    ("content", "message"), [(b"\0" * 1024, "no partition table"), (b"\0" * 510 + b"\x55\xaa", "no FAT partition")]
)
def test_a_file_that_is_no_image_is_refused(flash, tmp_path, content, message):
    (tmp_path / "some.img").write_bytes(content)
    code, said = flash(tmp_path / "some.img", "--yes")
    assert code == 2
    assert message in said


def test_the_card_is_found_where_exactly_one_is_mounted(tmp_path):
    cards = [tmp_path / name for name in ("camera", "bootfs", "other")]
    for card in cards:
        card.mkdir()
    with pytest.raises(FlashError, match="no mounted boot partition found"):
        find(cards)
    for name in ("config.txt", "issue.txt"):
        (cards[1] / name).write_text("")
    assert find(cards) == cards[1]
    for name in ("config.txt", "user-data"):
        (cards[2] / name).write_text("")
    with pytest.raises(FlashError, match="name the one you mean"):
        find(cards)


def test_a_bundle_of_ones_own_goes_where_the_settings_say(flash, tmp_path, settings, write_bundle):
    write_bundle(tmp_path / "nets" / "mine")
    settings.write_text('[model]\nbundle = "nets/mine"\n')
    boot = image_or_folder("folder", "trixie", tmp_path)
    code, said = flash(boot, "--yes")
    assert code == 0, said
    assert (boot / "nets" / "mine" / "bundle.json").exists()
    settings.write_text(f'[model]\nbundle = "{tmp_path.parent}"\n')
    code, said = flash(boot, "--yes")
    assert code == 2
    assert "expected a folder beside the file" in said


def finished(image):
    """What a card that was flashed has to say."""
    return [on_card(image, name) for name in ("cmdline.txt", "config.txt", "user-data", "meta-data", "maskcam.toml")]


@MTOOLS
def test_killed_anywhere_an_image_is_the_old_one_or_the_new_one(flash, tmp_path, monkeypatch):
    """A process that dies at the n-th thing it does to the disk, for every n; then the owner flashes again."""
    import os
    from pathlib import Path

    from edge.operations.flash import image as images

    base = make_image(tmp_path, "trixie")
    image, n = tmp_path / "again" / "trixie.img", 0
    image.parent.mkdir()
    events = [(images, "_copy"), (images, "_put"), (images, "_forget_hints"), (Path, "replace"), (os, "fsync")]
    wishes = ["--hostname", "door", "--timezone", "Europe/Berlin", "--yes"]
    shutil.copy(base, image)
    before = image.read_bytes()
    assert flash(image, *wishes)[0] == 0
    wanted, n = finished(image), 0
    while True:
        n += 1 if os.environ.get("TEST_ALL") else 5
        shutil.copy(base, image)
        child = os.fork()
        if child == 0:
            try:
                kill_at(n, events)
                flash(image, *wishes)
            finally:
                os._exit(0)  # pytest is in this process, too
        if not os.WIFSIGNALED(os.waitpid(child, 0)[1]):
            break
        assert image.read_bytes() == before or finished(image) == wanted, f"killed at {n}"
        assert flash(image, *wishes)[0] == 0
        assert fsck(image) == []
        assert finished(image) == wanted
        assert [path.name for path in image.parent.iterdir()] == [image.name], f"killed at {n}"
    assert n > 20


@MTOOLS
def test_a_writer_that_errs_is_found_out_before_the_image_changes(flash, tmp_path, monkeypatch):
    from edge.operations.flash import image as images

    image = make_image(tmp_path, "trixie")
    before, put = image.read_bytes(), images._put
    monkeypatch.setattr(images, "_put", lambda fat, name, data: put(fat, name, data and data[:-1] + b"?"))
    code, said = flash(image, "--yes")
    assert code == 2
    assert "reads back wrong" in said
    assert image.read_bytes() == before
    assert not list(tmp_path.glob(".*"))


@MTOOLS
@pytest.mark.parametrize("damage", ["chain", "copies", "cut off", "lost"])
def test_a_file_system_that_does_not_add_up_is_refused(flash, tmp_path, damage):
    """The first cluster of the root folder's table leads astray, in one copy or in both; or the end is missing."""
    image = make_image(tmp_path, "trixie")
    data = bytearray(image.read_bytes())
    at = LAYOUTS["trixie"][0] * 512
    reserved, per_table = struct.unpack_from("<H", data, at + 14)[0], struct.unpack_from("<I", data, at + 36)[0]
    tables = [at + reserved * 512, at + (reserved + per_table) * 512]
    if damage == "cut off":
        data = data[: at + (MEGABYTES << 20) - 512]
    else:
        cluster = 50000 if damage == "lost" else 2  # 2: the root folder
        for table in tables[: 1 if damage == "copies" else 2]:
            struct.pack_into("<I", data, table + 4 * cluster, 0x0FFFFFFF if damage == "lost" else 0x01000000)
    image.write_bytes(data)
    code, said = flash(image, "--yes")
    assert code == 2
    assert "boot partition is damaged" in said
    assert len(said.strip().splitlines()) == 1
    assert image.read_bytes() == data


@MTOOLS
def test_a_link_to_an_image_stays_a_link(flash, tmp_path):
    image = make_image(tmp_path, "trixie")
    link = tmp_path / "latest.img"
    link.symlink_to(image)
    image.chmod(0o640)
    assert flash(link, "--yes")[0] == 0
    assert link.is_symlink()
    assert "raise_after" in on_card(image, "maskcam.toml")
    assert image.stat().st_mode & 0o777 == 0o640


@MTOOLS
def test_a_page_comes_with_a_password_that_is_said_once_and_kept_as_a_hash(flash, tmp_path, settings):
    from edge import config
    from edge.web.passwords import verify

    image = make_image(tmp_path, "trixie")
    code, said = flash(image, "--page", "--hostname", "door", "--dry-run")
    assert (code, "shown once, when the card is written" in said, "scrypt:" in said) == (0, True, False)
    code, said = flash(image, "--page", "--hostname", "door", "--yes")
    assert code == 0, said
    secret = re.search(r"page: http://door\.local:8765/ password \(shown once\): ([a-z2-9-]{19})\n", said)[1]
    assert "the hash of the page's password" in said
    text = on_card(image, "maskcam.toml")
    assert secret not in text
    (tmp_path / "card.toml").write_text(text)
    web = config.load(tmp_path / "card.toml").web
    assert (web.local, verify(secret, web.password)) == (False, True)

    code, said = flash(image, "--page", "--hostname", "door", "--yes")
    assert "with the password that was shown before" in said
    assert on_card(image, "maskcam.toml") == text, "flashing twice is flashing once"

    settings.write_text("[alerts]\nraise_after = 3.0\n")
    assert "shown once" in flash(image, "--page", "--yes")[1]
    settings.write_text("[web]\n")
    code, said = flash(image, "--page", "--yes")
    assert (code, "have a section [web] already" in said) == (2, True)
