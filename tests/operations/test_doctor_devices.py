"""The doctor's checks of cameras, Coral and pins, on made-up machines."""

import errno
import fcntl
import json
import shutil
import struct
import subprocess

import pytest

from edge.backends import coral_check as coral
from edge.operations.doctor import cameras, gpio
from edge.operations.doctor.cameras import Device

LOGITECH = Device("uvcvideo", "HD Pro Webcam C920", ["YUYV", "MJPG"])


@pytest.fixture
def dev(tmp_path):
    (tmp_path / "dev").mkdir()
    return tmp_path / "dev"


def nodes(dev, *names):
    for name in names:
        (dev / name).touch()


def by_id(dev, name, node):
    (dev / "v4l/by-id").mkdir(parents=True, exist_ok=True)
    (dev / "v4l/by-id" / name).symlink_to(f"../../{node}")


def one(findings):
    (finding,) = findings
    return finding


def test_cameras_by_their_stable_name_and_formats(dev):
    nodes(dev, "video0", "video1", "video10", "video19")
    by_id(dev, "usb-C920-index0", "video0")
    known = {"video0": LOGITECH, "video10": Device("bcm2835-codec", "codec", ["H264"]), "video19": None}
    findings = list(cameras.v4l2(dev.parent, "synthetic", lambda path: known.get(path.name)))
    link = dev / "v4l/by-id/usb-C920-index0"
    assert one(findings).found == f"HD Pro Webcam C920: {link}, YUYV MJPG"


def test_a_camera_wanted_by_a_number_that_can_change(dev):
    nodes(dev, "video0")
    by_id(dev, "usb-C920-index0", "video0")
    finding = one(cameras.v4l2(dev.parent, 0, lambda path: LOGITECH))
    assert finding.state == "warn"
    assert finding.remedy == f"set camera.source = '{dev}/v4l/by-id/usb-C920-index0'"
    assert one(cameras.v4l2(dev.parent, "/dev/v4l/by-id/usb-C920-index0", lambda path: LOGITECH)).state == "ok"


@pytest.mark.parametrize("source", [2, "2", "/dev/v4l/by-id/usb-other"])
def test_a_camera_that_is_not_there(dev, source):
    nodes(dev, "video0")
    by_id(dev, "usb-C920-index0", "video0")
    there, missing = cameras.v4l2(dev.parent, source, lambda path: LOGITECH)
    assert (there.state, missing.state) == ("ok", "bad")
    assert "usb-C920-index0" in missing.found


def test_cameras_that_cannot_be_asked(dev):
    nodes(dev, "video0", "video1")

    def refuse(path):
        raise PermissionError(13, "no") if path.name == "video0" else OSError(errno.EIO, "Input/output error")

    refused, broken = cameras.v4l2(dev.parent, 0, refuse)
    assert (refused.state, broken.state) == ("bad", "warn")
    assert "usermod -aG video" in refused.remedy


def test_no_camera(dev):
    assert one(cameras.v4l2(dev.parent, "rtsp://door/1")).state == "absent"


def kernel(capabilities, formats):
    """What the kernel writes into the structures of VIDIOC_QUERYCAP and VIDIOC_ENUM_FMT."""

    def ioctl(number, request, buffer):
        if request == 0x80685600:
            buffer[:] = struct.pack(
                "=16s32s32s6I", b"uvcvideo", b"HD Webcam", b"usb", 0x60000, 0, capabilities, 0, 0, 0
            )
        else:
            index, kind = struct.unpack_from("=II", buffer)
            assert kind == 1
            if index >= len(formats):
                raise OSError(errno.EINVAL, "Invalid argument")
            struct.pack_into("=I32s4s", buffer, 8, 0, b"some format", formats[index])

    return ioctl


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        (0x04200001, Device("uvcvideo", "HD Webcam", ["YUYV", "MJPG"])),
        (0x04A00000, None),  # metadata of the same camera
        (0x04208001, None),  # memory to memory: a codec
    ],
)
def test_what_a_node_says_of_itself(monkeypatch, dev, capabilities, expected):
    nodes(dev, "video0")
    monkeypatch.setattr(fcntl, "ioctl", kernel(capabilities, [b"YUYV", b"MJPG"]))
    assert cameras.query(dev / "video0") == expected


def test_what_a_chip_says_of_itself(monkeypatch, dev):
    nodes(dev, "gpiochip0")

    def ioctl(number, request, buffer):
        buffer[:] = struct.pack("=32s32sI", b"gpiochip0", b"pinctrl-rp1", 54)

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    assert gpio.label(dev / "gpiochip0") == ("pinctrl-rp1", 54)


def test_the_kernels_numbers(tmp_path):
    """Of requests, sizes and offsets, as the headers of this machine have them."""
    if not shutil.which("gcc"):
        pytest.skip("no gcc")
    source = """
    #include <stddef.h>
    #include <stdio.h>
    #include <linux/gpio.h>
    #include <linux/videodev2.h>
    int main(void) {
        printf("%u %u %u ", (unsigned)VIDIOC_QUERYCAP, (unsigned)VIDIOC_ENUM_FMT, (unsigned)GPIO_GET_CHIPINFO_IOCTL);
        printf("%zu %zu ", sizeof(struct v4l2_capability), offsetof(struct v4l2_capability, device_caps));
        printf("%zu %zu ", sizeof(struct v4l2_fmtdesc), offsetof(struct v4l2_fmtdesc, pixelformat));
        printf("%zu %u %u", sizeof(struct gpiochip_info), V4L2_CAP_VIDEO_CAPTURE, V4L2_CAP_VIDEO_M2M);
    }"""
    built = subprocess.run(
        ["gcc", "-xc", "-", "-o", tmp_path / "numbers"], input=source, text=True, capture_output=True
    )
    if "No such file" in built.stderr:
        pytest.skip("no kernel headers")
    said = subprocess.run([tmp_path / "numbers"], capture_output=True, text=True, check=True).stdout.split()
    requests = [cameras._QUERYCAP, cameras._ENUM_FMT, gpio._CHIPINFO]
    assert list(map(int, said)) == [*requests, 104, 88, 64, 44, 68, cameras._CAPTURE, cameras._MEMORY_TO_MEMORY]


@pytest.mark.parametrize(
    ("installed", "wanted", "listed", "state"),
    [
        (False, False, None, "absent"),
        (False, True, None, "bad"),
        (True, False, None, "warn"),
        (True, True, None, "bad"),
        (True, True, [], "bad"),
        (True, False, [{"Model": "C920", "Id": "/base/scb/pcie@7d500000/usb@1", "Num": 0}], "absent"),
        (True, True, [{"Model": "imx219", "Id": "/base/soc/i2c0mux/imx219@10", "Num": 0}], "ok"),
    ],
)
def test_pi_camera(installed, wanted, listed, state):
    finding = one(cameras.pi(installed, wanted, lambda *command: None if listed is None else json.dumps(listed)))
    assert finding.state == state
    if state == "ok":
        assert finding.found == "0: imx219"


def stick(root, vendor, product, speed):
    device = root / "sys/bus/usb/devices/2-1"
    device.mkdir(parents=True)
    values = {"idVendor": vendor, "idProduct": product, "speed": speed, "busnum": "2", "devnum": "7"}
    for name, value in values.items():
        (device / name).write_text(f"{value}\n")


def present(*command):
    return ""


@pytest.mark.parametrize(
    ("vendor", "product", "speed", "state", "words"),
    [
        ("1a6e", "089a", "5000", "ok", "before its first inference"),
        ("18d1", "9302", "5000", "ok", "after its first inference"),
        ("18d1", "9302", "480", "warn", "480 Mbit/s"),
    ],
)
def test_coral_stick(tmp_path, vendor, product, speed, state, words):
    stick(tmp_path, vendor, product, speed)
    asked = []
    found, library = coral.coral(tmp_path, True, present, "", lambda path: asked.append(path) is None)
    assert (found.state, library.state) == (state, "ok")
    assert words in found.found
    assert asked == [tmp_path / "dev/bus/usb/002/007"]


def test_coral_without_permission_or_library(tmp_path):
    stick(tmp_path, "1a6e", "089a", "5000")
    found, library = coral.coral(tmp_path, False, lambda *command: None, "", lambda path: False)
    assert (found.state, library.state) == ("bad", "bad")
    assert "usermod -aG plugdev" in found.remedy


@pytest.mark.parametrize(
    ("package", "runtime", "state"),
    [
        ("libedgetpu1-std 16.0", "LiteRT 2.3.0", "warn"),
        ("libedgetpu1-std 16.0", "", "ok"),
        ("libedgetpu1-std 16.0tf2.19.1-1.bookworm", "LiteRT 2.3.0", "ok"),
        ("", "LiteRT 2.3.0", "ok"),
    ],
)
def test_the_build_of_corals_library_is_told_and_a_pair_that_crashes_is_warned_of(tmp_path, package, runtime, state):
    stick(tmp_path, "1a6e", "089a", "5000")

    def run(*command):
        return f"{package}\nlibedgetpu1-max" if command[0] == "dpkg-query" else "BuildLabel(X)"

    _, library = coral.coral(tmp_path, True, run, runtime, lambda path: True)
    assert library.state == state
    assert package in library.found
    assert "BuildLabel(X)" in library.found
    if state == "warn":
        assert f"crash with {runtime} (google-coral/edgetpu#812)" in library.found
        assert "feranick/libedgetpu" in library.remedy


def test_since_jetpack_6_a_pin_wants_its_pinmux(tmp_path):
    (tmp_path / "etc").mkdir()
    release = tmp_path / "etc/nv_tegra_release"
    release.write_text("# R36 (release), REVISION: 4.3, GCID: 1")
    assert one(gpio.pinmux("NVIDIA Jetson Orin Nano", tmp_path, True)).state == "warn"
    assert not list(gpio.pinmux("NVIDIA Jetson Orin Nano", tmp_path, False))
    assert not list(gpio.pinmux("Raspberry Pi 5", tmp_path, True))
    release.write_text("# R35 (release), REVISION: 4.1, GCID: 1")
    assert not list(gpio.pinmux("NVIDIA Jetson Xavier", tmp_path, True))


def test_other_sticks_are_no_coral(tmp_path):
    stick(tmp_path, "18d1", "4ee7", "480")
    assert one(coral.coral(tmp_path, False, present)).state == "absent"
    assert one(coral.coral(tmp_path, True, present)).state == "bad"


@pytest.mark.parametrize(("may", "state"), [(True, "ok"), (False, "bad")])
def test_coral_on_pcie(dev, may, state):
    nodes(dev, "apex_0")
    board, _ = coral.coral(dev.parent, True, present, "", lambda path: may)
    assert (board.state, "apex_0" in board.found) == (state, True)


def test_pins(dev):
    assert one(gpio.chips(dev.parent, False)).state == "absent"
    assert one(gpio.chips(dev.parent, True)).state == "bad"
    nodes(dev, "gpiochip0", "gpiochip10")
    labels = {"gpiochip0": ("pinctrl-bcm2711", 58), "gpiochip10": ("gpio-brcmstb@107d508500", 32)}
    found = one(gpio.chips(dev.parent, True, lambda path: labels[path.name])).found
    assert found == "gpiochip0 pinctrl-bcm2711 (58 lines), gpiochip10 gpio-brcmstb@107d508500 (32 lines)"
    found = one(gpio.chips(dev.parent, True, lambda path: ("tegra234-gpio", 164))).found
    assert found.endswith("driver = 'gpiod'")


@pytest.mark.parametrize(("wanted", "state"), [(True, "bad"), (False, "warn")])
def test_pins_without_permission(dev, wanted, state):
    nodes(dev, "gpiochip0")

    def refuse(path):
        raise PermissionError

    finding = one(gpio.chips(dev.parent, wanted, refuse))
    assert (finding.state, "usermod -aG gpio" in finding.remedy) == (state, True)


def test_groups(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/group").write_text("root:x:0:\nvideo:x:44:pi,maskcam\ngpio:x:993:pi\nplugdev:x:46:pi\n")
    assert one(gpio.groups(tmp_path, "root")).state == "ok"
    assert one(gpio.groups(tmp_path, "pi")).state == "ok"
    finding = one(gpio.groups(tmp_path, "maskcam"))
    assert (finding.state, finding.remedy.partition(",")[0]) == ("warn", "sudo usermod -aG gpio")
    assert one(gpio.groups(tmp_path, "maskcam", ["gpio", "plugdev"])).state == "ok"
    (tmp_path / "etc/group").write_text("video:x:44:pi\n")
    assert one(gpio.groups(tmp_path, "pi")).found == "pi: video"
