"""Interlaced video, which newer releases of OpenCV "read" without converting it: never taken for a picture."""

import base64

import cv2
import numpy as np
import pytest

from edge.cameras import decoded
from edge.cameras.files import VideoFile
from edge.core.errors import CameraError

INTERLACED = """
AAAAAWdkABWscgRGTYCIAAADAAgAAAMAoPihTCMAAAABaPhCg5LIsAAAAQYF//+u3EXpvebZSLeWLNgg2SPu73gyNjQgLSBjb3JlIDE2NCByMz
A5NSBiYWVlNDAwIC0gSC4yNjQvTVBFRy00IEFWQyBjb2RlYyAtIENvcHlsZWZ0IDIwMDMtMjAyMiAtIGh0dHA6Ly93d3cudmlkZW9sYW4ub3Jn
L3gyNjQuaHRtbCAtIG9wdGlvbnM6IGNhYmFjPTEgcmVmPTE2IGRlYmxvY2s9MTowOjAgYW5hbHlzZT0weDM6MHgxMzMgbWU9dW1oIHN1Ym1lPT
EwIHBzeT0xIHBzeV9yZD0xLjAwOjAuMDAgbWl4ZWRfcmVmPTEgbWVfcmFuZ2U9MjQgY2hyb21hX21lPTEgdHJlbGxpcz0yIDh4OGRjdD0xIGNx
bT0wIGRlYWR6b25lPTIxLDExIGZhc3RfcHNraXA9MSBjaHJvbWFfcXBfb2Zmc2V0PS0yIHRocmVhZHM9MiBsb29rYWhlYWRfdGhyZWFkcz0xIH
NsaWNlZF90aHJlYWRzPTAgbnI9MCBkZWNpbWF0ZT0xIGludGVybGFjZWQ9dGZmIGJsdXJheV9jb21wYXQ9MCBjb25zdHJhaW5lZF9pbnRyYT0w
IGJmcmFtZXM9OCBiX3B5cmFtaWQ9MiBiX2FkYXB0PTIgYl9iaWFzPTAgZGlyZWN0PTMgd2VpZ2h0Yj0xIG9wZW5fZ29wPTAgd2VpZ2h0cD0wIG
tleWludD0yNTAga2V5aW50X21pbj0xMCBzY2VuZWN1dD00MCBpbnRyYV9yZWZyZXNoPTAgcmNfbG9va2FoZWFkPTYwIHJjPWNyZiBtYnRyZWU9
MSBjcmY9NDAuMCBxY29tcD0wLjYwIHFwbWluPTAgcXBtYXg9NjkgcXBzdGVwPTQgaXBfcmF0aW89MS40MCBhcT0xOjEuMDAAgAAAAQYBATKAAA
ABZYiAgEG/gag+9ESV30R/sCh5Ee7pE2w+0fPhxP4EioC1Ck/h9AymEN8CLxetSqm98Q9DfEd3/Wgf9fKaUMBklcOWvX8Uy55syz74TrtIw95b
YgiRfGOgj9MrBHS7mmYjT/P/6VofTT2QB4DZ2HxmjCV3DoBcc0pBoj092Q6FJmbU5qHdIwC6A+Yk7wtfLByjkdPQ+YT0h0cp8ymmVEZM13Ae7e
yHWqwzrL8xbWIq005lf0gJbqaJ9hTM9mRyYJfW2QHY7c61fNhuNDvytLjLpvfRM74awysZ07L018SWo6Pz/6fQ4q2/q7EFiA4jChfSfGIcvUcH
E09Mjg9BIWaH38K7ZyuStcmpgfxxcbBwxTN4Q5ouPaLWMMd0hcvmAv6S2LXAwC7/Yok4H1p2+9j3hnWsROUk0WhDqd+c4pLWJUA/Kt4zDyty4U
AQfV9U+d+rZPr/oAMMu7F+7nD5qA+wbvL/ZvuP8VxOJNvVotN8zDf0Z5pxsNkVpkrbx0SBo/56fWu/H5Z0POxaEkDN1feKW+dhQUzqAHQbTtqe
iof4UC88UwXJMxQAJygW1HHBSrhs4CY64C5aSj2iliTklE8pHnJ9EBeuXzkcZp9dSS7qgezC0KFFJIUuaSGirVzM34mrq788rjq/75pnBhB5j4
LYGNQMrNdpuUjl3wAAAAEGAQEygAAAAUGaCFLI7+8VI57OBcZOZ9bzvMuwHPH6oJythw1B1p9Eff4iwdAcY4RdcAM11b2+aORgE/vg8trNc5KC
q5vUnhDQguszxzJX6h0nemm2uJf6JRavLLFDsI6xP2Wmo0z3vp+u+fyMhNdmSAy4N2LZ8DbIV7/pfDthBGKah1E1ZVUlMscIPFP5tCJSsAOkx4
DWpoBrK28zjep/NRPGVhQOlarJuVof/AkKns43/4FZY84H44JhPI3Rt4AAAAABBgEBMoAAAAFBnhAicRX/9veWZP1ulYuz7UzNZDiaZNU2Seyk
CfBzHr2XtX/jkch7dmIuGmWi/IcGcMC0q/CeHXhR37Jj2mFStz4bUIBP4yzoFJCYl2D236Ga5cpNxVfId20vfSJhAAAAAQYBATKAAAABAZ4YEm
iO//ejBqDulXdX7ZS07aNeXZ+/GBybDL2ckAyQrJcX5RabHLTdgKhRY8X2vp0kcW1dKSUAAAABBgEBMoAAAAEBnhgy1I7/tawxAcnPwTAuV4u2
RjQeYIGCDG7y5fsAAAABBgEBMoAAAAEBnhhC1I7/vN/fjw5gIXjXwbmIcD3mCxo27xen2Ox6N4I8F8m/bMwsi5FVdN22dMd46hw8/AvCYc/g+a
uhNJVhWQ==
"""
"""Six frames of a drawn test picture, 96x64, H.264, made by:
ffmpeg -f lavfi -i testsrc2=s=96x64:r=10:d=0.6 -vf setfield=tff -flags +ilme+ildct -c:v libx264 -preset veryslow -crf 40
-x264opts tff=1 -pix_fmt yuv420p -bitexact -f h264 -
"""


def film(path, images):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, images[0].shape[1::-1])
    for image in images:
        writer.write(image)
    writer.release()
    return path


@pytest.mark.fault("interlaced video with OpenCV >= 4.13", "a drawn H.264 recording", "refused with the word", "-")
def test_interlaced_video_is_refused_with_the_word_or_shown(tmp_path):
    path = tmp_path / "interlaced.h264"
    path.write_bytes(base64.b64decode("".join(INTERLACED.split())))
    if decoded.VERSION < decoded.SINCE:
        frames = list(VideoFile(path))
        assert min(frame.image.std() for frame in frames) > 20
        return
    with pytest.raises(CameraError, match=r"interlaced video, which OpenCV 4\.\d+\.\d+ does not convert.*progressive"):
        list(VideoFile(path))


@pytest.mark.parametrize("level", [0, 16, 90, 255])
def test_a_recording_that_stands_still_or_begins_black_is_read(tmp_path, level):
    flat = np.full((64, 96, 3), level, np.uint8)
    flat[:, :40] //= 2
    assert len(list(VideoFile(film(tmp_path / "still.mp4", [flat] * 12)))) == 12
    moving = [np.roll(np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8), i, 0) for i in range(5)]
    assert len(list(VideoFile(film(tmp_path / "begins.mp4", [flat] * 5 + moving)))) == 10


class Video:
    """A capture that says what it decodes."""

    def get(self, key):
        return int.from_bytes(b"I420" if key == cv2.CAP_PROP_CODEC_PIXEL_FORMAT else b"h264", "little")


class Plane:
    """The same source, asked for brightness."""

    def __init__(self, plane):
        self.plane = plane

    def read(self):
        return True, self.plane

    def release(self):
        pass


NOISE = np.random.default_rng(1).integers(0, 255, (64, 96, 3), np.uint8)
GREY = NOISE[..., 0].astype(np.uint8)


@pytest.mark.fault("a buffer that was never decoded", "memory instead of pictures", "camera lost, with the reason", "-")
@pytest.mark.skipif(decoded.VERSION < decoded.SINCE, reason="this OpenCV converts interlaced video")
@pytest.mark.parametrize(
    ("image", "plane", "frames", "refused"),
    [
        (NOISE, GREY, 2, True),  # memory of two kinds
        (np.repeat(GREY[..., None], 3, 2), GREY, 30, False),  # a picture that stands still
        (NOISE * 0, GREY * 0, 9, False),  # perhaps the lens is covered
        (NOISE * 0, GREY * 0, 10, True),
        (NOISE * 0, GREY * 0 + 16, 30, False),  # video's own black
        (NOISE * 0 + 200, GREY * 0 + 188, 30, False),
        (NOISE * 0 + 200, GREY * 0, 2, True),
    ],
)
def test_a_stream_whose_pictures_do_not_change_is_asked_for_its_brightness(image, plane, frames, refused):
    asked = []

    def again(parameters):
        asked.append(parameters)
        return Plane(plane)

    check = decoded.Decoded(Video(), "stream", again, patience=10).check

    def watch():
        for _ in range(frames):
            check(image)

    if refused:
        with pytest.raises(CameraError, match="interlaced"):
            watch()
    else:
        watch()
    assert len(asked) <= 3


def test_a_living_stream_is_not_asked():
    check = decoded.Decoded(Video(), "stream", lambda parameters: pytest.fail("opened again")).check
    for i in range(5):
        check(np.roll(NOISE, i, 0))
