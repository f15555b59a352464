"""Pixels on a shelf: in memory as far as there is some, else in files without a name."""

import errno
import gc
import io
import os

import numpy as np
import pytest

from train.data import shelf


def pictures(count, shape=(20, 30, 3)):
    return [np.random.default_rng(k).integers(0, 256, shape).astype(np.uint8) for k in range(count)]


def anonymous():
    """Bytes of this process that are of no file: what must not grow."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon"))


def test_what_is_kept_comes_back_whole_from_memory_and_from_files(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    kept = shelf.Shelf(megabytes=0.004, size=5000)  # two pictures in memory, two in each file
    images = [*pictures(7), *pictures(1, (100, 60, 3)), *pictures(1, (1, 1, 3))]
    back = [kept.keep(image) for image in images]
    for image, one in zip(images, back, strict=True):
        np.testing.assert_array_equal(one, image)
        assert one.dtype == np.uint8
    assert [one is image for image, one in zip(images, back, strict=True)] == [True, True] + [False] * 6 + [True]
    assert not list(tmp_path.iterdir()), "the files have no names"


def test_memory_does_not_grow_with_the_pictures(tmp_path, monkeypatch):
    if not os.path.exists("/proc/self/status"):
        pytest.skip("this system does not tell how much memory belongs to no file")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    kept = shelf.Shelf(megabytes=1)
    image = np.zeros((500, 500, 3), np.uint8)
    gc.collect()
    before = anonymous()
    back = [kept.keep(image + np.uint8(k)) for k in range(200)]  # 150 MB
    assert anonymous() - before < 30_000_000
    assert [int(one[499, 499, 2]) for one in back] == list(range(200))


def test_a_full_disk_is_one_line_with_a_remedy(tmp_path, monkeypatch):
    class Full(io.FileIO):
        """A file on a disk without space."""

        def write(self, pixels):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shelf.tempfile, "TemporaryFile", lambda **options: Full(tmp_path / "full", "w+"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with pytest.raises(OSError, match=r"No space left on device, for decoded faces; .*TMPDIR") as caught:
        shelf.Shelf(megabytes=0).keep(pictures(1)[0])
    assert str(tmp_path) in str(caught.value)
