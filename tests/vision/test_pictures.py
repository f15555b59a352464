"""One reader for training, conversion, accuracy and replay: what it reads, and what it says of what it does not."""

import io
import struct
import zlib

import numpy as np
import pytest

pytest.importorskip("PIL", reason="needs the extra 'cpu'")

from PIL import Image as Pillow

from edge.cameras import files
from edge.core.errors import CameraError, DataError
from edge.vision import pictures

GREY = (np.add.outer(np.arange(48), np.arange(64)) * 2).astype(np.uint8)
COLOUR = np.dstack([GREY, GREY[::-1], GREY[:, ::-1]])


def jpeg(exif=b"", image=COLOUR):
    data = io.BytesIO()
    Pillow.fromarray(image).save(data, "JPEG", quality=95)
    data = data.getvalue()
    return data[:2] + (b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif if exif else b"") + data[2:]


def exif(orientation, *more):
    """EXIF with an orientation and, for damage, further entries as they are."""
    entries = [struct.pack("<HHII", 0x112, 3, 1, orientation), *more]
    return (
        b"Exif\0\0II*\0"
        + struct.pack("<IH", 8, len(entries))
        + b"".join(entries)
        + bytes(4)
        + struct.pack("<ii", -1, 0)
    )


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(image=COLOUR, *after_head):
    data = io.BytesIO()
    Pillow.fromarray(image).save(data, "PNG")
    data = data.getvalue()
    return data[:33] + b"".join(after_head) + data[33:]


def near(path, expected, by=12):
    seen = pictures.read(path)
    assert seen.dtype == np.uint8
    assert seen.shape == expected.shape
    assert np.abs(seen.astype(int) - expected).mean() < by


@pytest.mark.parametrize(
    ("turn", "expected"),
    [
        (1, COLOUR),
        (2, COLOUR[:, ::-1]),
        (3, COLOUR[::-1, ::-1]),
        (4, COLOUR[::-1]),
        (5, COLOUR.swapaxes(0, 1)),
        (6, np.rot90(COLOUR, -1)),
        (7, COLOUR[::-1, ::-1].swapaxes(0, 1)),
        (8, np.rot90(COLOUR)),
        (9, COLOUR),
    ],
)
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_picture_is_turned_as_its_exif_says(turn, expected, form, tmp_path):
    tags = Pillow.Exif()
    tags[0x112] = turn
    Pillow.fromarray(COLOUR).save(tmp_path / "a", form, exif=tags, **({"quality": 95} if form != "TIFF" else {}))
    near(tmp_path / "a", expected)
    assert pictures.size(tmp_path / "a") == (expected.shape[1], expected.shape[0])


@pytest.mark.parametrize(
    "damage",
    [
        struct.pack("<HHII", 0x11A, 10, 1, 38),  # a rational of -1 by 0
        struct.pack("<HHII", 0x11A, 5, 1, 0xFFFFFFF0),  # points behind the end
        struct.pack("<HHII", 0x8769, 4, 1, 8),  # a directory that holds itself
    ],
)
def test_a_damaged_exif_costs_neither_the_picture_nor_its_turn(damage, tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg(exif(6, damage)))
    near(tmp_path / "a.jpg", np.rot90(COLOUR, -1))
    (tmp_path / "b.jpg").write_bytes(jpeg(b"Exif\0\0II*\0\xff"))
    near(tmp_path / "b.jpg", COLOUR)


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_a_long_text_or_profile_does_not_matter(kind, tmp_path):
    head = {b"zTXt": b"Comment\0\0", b"iTXt": b"Comment\0\x01\0\0\0", b"iCCP": b"profile\0\0"}[kind]
    long = chunk(kind, head + zlib.compress(b"x" * (3 << 20)))
    (tmp_path / "a.png").write_bytes(png(COLOUR, long))
    assert (pictures.read(tmp_path / "a.png") == COLOUR).all()


def test_sixteen_bits_become_the_upper_eight(tmp_path):
    deep = GREY.astype(np.uint16) * 257
    for name in ("a.png", "a.tif"):
        Pillow.fromarray(deep).save(tmp_path / name)
        seen = pictures.read(tmp_path / name)
        assert (seen == GREY[..., None]).all()
        assert seen.shape == (48, 64, 3)
    (tmp_path / "a.pgm").write_bytes(b"P5 64 48 65535\n" + deep.astype(">u2").tobytes())
    near(tmp_path / "a.pgm", np.repeat(GREY[..., None], 3, 2), by=1)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr"])
def test_every_mode_becomes_rgb(mode, tmp_path):
    form = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    Pillow.fromarray(COLOUR).convert(mode).save(tmp_path / "a", form)
    assert pictures.read(tmp_path / "a").shape == COLOUR.shape


def test_values_of_32_bits_are_refused(tmp_path):
    Pillow.fromarray(GREY.astype(np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match=r"a.tif: grey values of 32 bits.*save it with 8 or 16"):
        pictures.read(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the file is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"\0\5\26\7\0\2\0\0Mac OS X", "AppleDouble"),
        (b"\0\0\0\x18ftypheic" + bytes(99), "HEIC is not read: save it as JPEG"),
        (b"\0\0\0\x18ftypmif1" + bytes(99), "HEIC is not read"),
        (b"  <!doctype html><html>quota exceeded", "a web page"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not a picture"),
        (b"\xff\xd8\xff", "damaged or cut short"),
        (b"\x89PNG\r\n\x1a\n", "cut short"),
        (jpeg()[:-400], "damaged or cut short"),
        (png()[:-20], "cut short"),
        (png().replace(struct.pack(">II", 64, 48), struct.pack(">II", 40000, 40000)), "pixels|damaged"),
        (png().replace(struct.pack(">II", 64, 48), struct.pack(">II", 12000, 12000)), "120 million pixels|damaged"),
        (png().replace(struct.pack(">II", 64, 48), struct.pack(">II", 0, 48)), "damaged"),
    ],
)
def test_what_is_no_picture_is_one_line_that_names_it(data, says, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    with pytest.raises(DataError, match=says) as caught:
        pictures.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_small_file_that_claims_many_pixels_is_not_unpacked(tmp_path):
    head = struct.pack(">IIBBBBB", 12000, 12000, 8, 2, 0, 0, 0)
    (tmp_path / "a.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    )
    with pytest.raises(DataError, match="12000 x 12000 is too large, 120 million pixels are read"):
        pictures.read(tmp_path / "a.png")


def test_what_is_not_there_or_no_file_is_said(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        pictures.read(tmp_path / "gone.png")
    with pytest.raises(DataError, match="is no file"):
        pictures.read(tmp_path)


def test_hidden_files_and_those_of_macos_are_no_pictures(tmp_path):
    for name in ("b.JPG", "sub/a.png", "._b.jpg", ".hidden/c.jpg", "__MACOSX/._d.jpg", "notes.txt", "e.heic"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert [p.name for p in pictures.find(tmp_path)] == ["b.JPG", "e.heic", "a.png"]


@pytest.mark.parametrize(("name", "form"), [("a.gif", "GIF"), ("a.png", "PNG"), ("a.webp", "WEBP")])
def test_an_animation_is_replayed_whole_and_is_no_picture_of_a_set(name, form, tmp_path):
    shown = [Pillow.fromarray(np.full((48, 64, 3), 60 * k, np.uint8)) for k in range(4)]
    shown[0].save(tmp_path / name, form, save_all=True, append_images=shown[1:], duration=200)
    with pytest.raises(DataError, match=r"holds 4 pictures \(an animation or pages\), expected one"):
        pictures.read(tmp_path / name)
    with files.open_recording(tmp_path / name) as camera:
        frames = list(camera)
        assert camera.fps == pytest.approx(5)
    assert [f.t for f in frames] == pytest.approx([0, 0.2, 0.4, 0.6])
    assert [int(f.image.mean()) for f in frames] == pytest.approx([0, 60, 120, 180], abs=3)


def test_one_frame_of_a_gif_is_a_picture(tmp_path):
    Pillow.fromarray(COLOUR).save(tmp_path / "a.gif")
    assert pictures.read(tmp_path / "a.gif").shape == COLOUR.shape


def test_each_page_has_a_size_of_its_own_and_none_is_decoded_that_is_too_large(tmp_path, monkeypatch):
    small, large = Pillow.new("RGB", (20, 10)), Pillow.new("RGB", (60, 50))
    small.save(tmp_path / "a.tif", save_all=True, append_images=[large])
    monkeypatch.setattr(pictures, "MOST_PIXELS", 2500)
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", 2000)  # Pillow warns from here on, which would end this test
    shown = pictures.animation(tmp_path / "a.tif")
    assert next(shown)[1].shape == (10, 20, 3)
    with pytest.raises(DataError, match="60 x 50 is too large"):
        next(shown)
    assert pictures.frames(tmp_path / "a.tif") == 2


def test_the_second_picture_that_a_phone_stores_is_no_animation(tmp_path):
    first, second = Pillow.fromarray(COLOUR), Pillow.fromarray(COLOUR[::2, ::2])
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second], quality=95)
    near(tmp_path / "a.jpg", COLOUR)
    assert pictures.frames(tmp_path / "a.jpg") == 1


def test_training_and_device_see_the_same_pixels(tmp_path):
    data = pytest.importorskip("train.data.dataset", reason="needs the extra 'train'")
    for name, content in (("a.jpg", jpeg(exif(6))), ("b.png", png(GREY.astype(np.uint16) * 257))):
        (tmp_path / name).write_bytes(content)
        assert (data.picture(tmp_path / name) == files.read(tmp_path / name)).all()
    with pytest.raises(CameraError):
        files.read(tmp_path / "none.jpg")
    assert data.picture(tmp_path / "none.jpg") is None
