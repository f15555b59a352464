"""What may be said of settings, addresses and commands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.core import secrets


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("rtsp://10.0.0.2:554/live", "rtsp://10.0.0.2:554/..."),
        ("rtsp://10.0.0.2", "rtsp://10.0.0.2"),
        ("rtsp://admin:S3CRET@10.0.0.2/live", "rtsp://10.0.0.2/..."),
        ("rtsp://admin:S3C/RET@10.0.0.2/live", "rtsp://..."),
        ("rtsp://admin:S3C#RET@10.0.0.2/live", "rtsp://..."),
        ("rtsp://admin:S3CRET/live", "rtsp://..."),
        ("rtsp://cam:554/user=admin_password=S3CRET_channel=1_stream=0.sdp?real_stream", "rtsp://cam:554/..."),
        ("http://cam/11?user=admin&pw=S3CRET", "http://cam/..."),
        ("http://cam/S3CRET@x", "http://..."),
        ("http://[fe80::1]:8080/v", "http://[fe80::1]:8080/..."),
        ("S3CRET://cam/v", "://..."),
    ],
)
def test_of_an_address_the_host_is_said(url, said):
    assert secrets.address(url) == said


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12))
def test_nothing_after_the_host_or_before_it_is_ever_said(user, path, query):
    said = secrets.address(f"rtsp://{user}:S3CRET{path}@10.0.0.2/{path}/S3CRET?{query}=S3CRET")
    assert "S3CRET" not in said


@pytest.mark.parametrize("source", [0, "0", "pi:1", "csi", "synthetic", "/dev/v4l/by-id/usb-x", "door.mp4"])
def test_a_device_or_a_file_is_said_by_its_name(source):
    assert secrets.source(source) == str(source)


@pytest.mark.parametrize("source", ["rtsp:/me:S3CRET@cam/1", "me:S3CRET@cam", "cam?pw=S3CRET", "rtsp//me:S3CRET@cam"])
def test_a_mistyped_address_is_not_said(source):
    assert "S3CRET" not in secrets.source(source)


def test_a_recording_named_by_its_time_is_said(tmp_path):
    path = tmp_path / "2026-11-20T08:15:00.mp4"
    path.touch()
    assert secrets.source(str(path)) == str(path)


def test_values_of_harmless_settings_are_said_and_others_only_by_their_kind():
    assert secrets.value("big", True) == '"big"'
    assert secrets.value(-1, True) == "-1"
    assert secrets.value([1, "x"], True) == '[1, "x"]'
    assert secrets.value(10**5000, True) == "a number of many digits"
    for given_ in ("S3CRET", 4711, ["S3CRET"], {"S3CRET": "S3CRET"}):
        assert "S3CRET" not in secrets.value(given_, False)
        assert "4711" not in secrets.value(given_, False)
    assert "S3CRET" not in secrets.value("rtsp://me:S3CRET@cam", True)


def test_of_a_command_the_program_is_said():
    assert secrets.command(["curl -u me:S3CRET http://x", "y"]) == "curl"
    assert secrets.without("curl: (6) me:S3CRET refused", ["-u", "me:S3CRET"]) == "curl: (6) *** refused"
