"""Reads pictures: the one reader of training, conversion, `accuracy` and `replay`, so all see the same pixels.

Pillow decodes, because it raises an error for a truncated file; OpenCV fills the rest with grey and only warns.
"""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from edge.core.errors import DataError, MissingPackage, install
from edge.core.records import Image

JPEG, OTHER = ".jfif .jpe .jpeg .jpg .mpo", ".avif .bmp .gif .heic .heif .pgm .png .ppm .tif .tiff .webp"
SUFFIXES = frozenset(f"{JPEG} {OTHER}".split())
"""Extensions that `find` takes for pictures. Those that cannot be read are included, so that they are reported."""
FORMATS = ("AVIF", "BMP", "DIB", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""The decoders of Pillow that are used; others, such as PostScript, are never tried."""
LFS_POINTER = b"version https://git-lfs"
APPLE_DOUBLE = b"\x00\x05\x16\x07"
MOST_BYTES, MOST_PIXELS = 300_000_000, 120_000_000
"""A picture of 120 megapixels takes 360 MB; a small file can claim any size."""
TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
"""EXIF orientation (tag 274 of TIFF 6.0) -> the transposition of Pillow that corrects it."""
PNG, PNG_ANIMATED = b"\x89PNG\r\n\x1a\n", b"acTL"
PNG_NEEDED = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"eXIf"}
"""PNG chunks that define the pixels. Pillow refuses a picture with a long text or colour profile in it."""


def find(folder: Path) -> list[Path]:
    """All picture files under `folder` by their extensions, sorted, without hidden ones (and macOS's `._*`)."""
    return sorted(
        p
        for p in Path(folder).rglob("*")
        if p.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in p.relative_to(folder).parts)
        and p.is_file()
    )


def read(path: Path | str) -> Image:
    """The pixels, RGB uint8 (H, W, 3), rotated according to EXIF. Raises DataError, one line: file, reason, remedy.

    Sixteen bits per channel become eight by dropping the lower ones. Transparency is dropped.
    """
    path = Path(path)
    with _opened(path) as opened:
        frames = _frames(opened)
        if frames > 1:
            raise DataError(f"{path}: holds {frames} pictures (an animation or pages), expected one")
        return _pixels(path, opened)


def frames(path: Path | str) -> int:
    """Number of pictures in a file; 0 if it is no picture. Raises only MissingPackage."""
    try:
        with _opened(Path(path)) as opened:
            return _frames(opened)
    except DataError:
        return 0


def animation(path: Path | str) -> Iterator[tuple[float, Image]]:
    """Time since the start (s) and pixels, as of `read`, of every picture in a file. Raises DataError."""
    path, t = Path(path), 0.0
    with _opened(path) as opened:
        for k in range(_frames(opened)):
            try:
                with _quiet():
                    opened.seek(k)
            except Exception as error:
                raise DataError(f"{path}: picture {k + 1} is damaged ({error})") from error
            yield t, _pixels(path, opened)
            t += float(opened.info.get("duration") or 100) / 1000


def size(path: Path | str) -> tuple[int, int]:
    """Width and height of the picture that `read` returns. Raises DataError."""
    with _opened(Path(path)) as opened:
        width, height = opened.size
        swapped = _orientation(opened) >= 5 and opened.format != "TIFF"  # Pillow rotates a TIFF itself
        return (height, width) if swapped else (width, height)


def _opened(path: Path) -> Any:
    """Pillow's picture with only its header read. Raises DataError for every error of Pillow."""
    try:
        import PIL.Image
    except ImportError as error:
        remedy = install("Pillow", "cpu") + " (32-bit Arm: sudo apt install python3-pil)"
        raise MissingPackage("Pillow", remedy=remedy) from error
    try:
        if not path.is_file():
            raise DataError(f"{path}: {'is no file' if path.exists() else 'no such file'}")
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path}: {path.stat().st_size / 1e6:.0f} MB, at most {MOST_BYTES / 1e6:.0f} are read")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    if reason := _no_picture(data):
        raise DataError(f"{path}: {reason}")
    PIL.Image.init()
    known = [form for form in FORMATS if form in PIL.Image.OPEN]
    try:
        with _quiet():
            opened = PIL.Image.open(BytesIO(_bare_png(data)), formats=known)
    except PIL.Image.DecompressionBombError as error:
        raise DataError(f"{path}: too many pixels ({MOST_PIXELS / 1e6:.0f} million are read)") from error
    except Exception as error:  # a decoder may raise anything for a damaged file
        said = re.sub(r"<.*?>", "", str(error)) or type(error).__name__
        raise DataError(f"{path}: not a picture, damaged or cut short ({said.strip()})") from error
    _bounded(path, opened)
    return opened


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Pillow's warnings about sizes and tags: what matters is checked."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _bounded(path: Path, opened: Any) -> None:
    if opened.width * opened.height > MOST_PIXELS:
        raise DataError(
            f"{path}: {opened.width} x {opened.height} is too large, {MOST_PIXELS / 1e6:.0f} million pixels are read"
        )


def _no_picture(data: bytes) -> str:
    """What a file is if it should not be given to a decoder; "" otherwise."""
    if not data:
        return "the file is empty"
    if data.startswith(LFS_POINTER):
        return "a Git-LFS pointer, not the picture: fetch it with 'git lfs pull'"
    if data.startswith(APPLE_DOUBLE):
        return "macOS's description of another file (AppleDouble), not a picture"
    if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc", b"ftypmsf1", b"ftypheim", b"ftypheis"):
        return "HEIC is not read: save it as JPEG (on an iPhone: Settings, Camera, Formats, Most Compatible)"
    if data[4:12] in (b"ftypavif", b"ftypavis") and not _reads_avif():
        return "AVIF is not read by this Pillow: save it as JPEG, or install Pillow 11.3 or newer"
    if re.match(rb"\s*(<!DOCTYPE|<html)", data[:64], re.IGNORECASE):
        return "a web page, not a picture: the download failed"
    return ""


def _reads_avif() -> bool:
    from PIL import features

    with _quiet():  # an older Pillow does not have this option
        return bool(features.check("avif"))


def _bare_png(data: bytes) -> bytes:
    """A still PNG without its texts and colour profiles; other data unchanged. Raises EOFError for a truncated PNG."""
    if not data.startswith(PNG):
        return data
    kept, at = [PNG], len(PNG)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == PNG_ANIMATED:
            return data
        if kind in PNG_NEEDED:
            kept.append(data[at : at + 12 + length])
        at += 12 + length
        if kind == b"IEND" and at <= len(data):
            return b"".join(kept)
    raise EOFError("the picture is cut short")


def _frames(opened: Any) -> int:
    """Phones store a second picture (depth, a preview) in a JPEG, which is no animation."""
    if opened.format == "MPO":
        return 1
    try:
        with _quiet():
            return int(getattr(opened, "n_frames", 1))
    except Exception:  # damaged after the first picture: reading reports it
        return 1


def _pixels(path: Path, opened: Any) -> Image:
    """The current picture of an open file."""
    import PIL.Image

    _bounded(path, opened)  # each page has a size of its own
    try:
        with _quiet():
            opened.load()
            turn = TURNS.get(_orientation(opened))
            picture = opened if turn is None else opened.transpose(PIL.Image.Transpose(turn))
    except Exception as error:  # including too little memory
        raise DataError(
            f"{path}: the picture is damaged or cut short ({str(error) or type(error).__name__})"
        ) from error
    if picture.mode.startswith("I;16") or (picture.mode == "I" and opened.format in ("PNG", "PPM")):
        grey = (np.asarray(picture).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, 2)
    if picture.mode in ("I", "F"):
        raise DataError(f"{path}: grey values of 32 bits, whose range nothing tells: save it with 8 or 16 bits")
    return np.asarray(picture.convert("RGB"))


def _orientation(opened: Any) -> int:
    """1 to 8; 1 if the EXIF is missing or damaged, since the picture itself is fine."""
    try:
        with _quiet():
            said = int(opened.getexif().get(274, 1))
        return said if said in TURNS else 1
    except Exception:
        return 1
