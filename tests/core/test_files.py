"""A file appears whole or not at all."""

import os
import stat
import tempfile
from pathlib import Path

import pytest

from edge.core import files
from edge.core.errors import MaskcamError


def test_what_was_there_stays_until_the_new_content_is_complete(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")

    def fail():
        with files.replacing(path) as part:
            part.write_text("half of it")
            assert path.read_text() == "old"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    with files.replacing(path) as part:
        part.write_text("new")
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_block_that_writes_nothing_leaves_nothing(tmp_path):
    with files.replacing(tmp_path / "a"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_error_names_the_file_and_not_the_temporary_one(tmp_path):
    path = tmp_path / "gone" / "a.txt"
    with pytest.raises(FileNotFoundError) as caught:
        files.write(path, "text")
    assert str(caught.value) == f"[Errno 2] No such file or directory: '{path}'"


def test_without_a_place_for_temporary_files(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with files.scratch() as folder:
        (folder / "a").touch()
        assert folder.parent == tmp_path
    assert not folder.exists()
    monkeypatch.setattr(tempfile, "tempdir", "/dev/null")
    with pytest.raises(MaskcamError, match=r"can be made \(Not a directory\): mount .*, or name .*: TMPDIR=FOLDER"):
        files.scratch().__enter__()


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_the_permissions_are_those_asked_for_whatever_the_umask(tmp_path, mode):
    before = os.umask(0o027)
    try:
        files.write(tmp_path / "a", "é", mode=mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode
    assert (tmp_path / "a").read_bytes() == b"\xc3\xa9"


def test_durable_content_is_on_the_disk_before_its_name(tmp_path, monkeypatch):
    done = []

    def watched(name, real):
        monkeypatch.setattr(os, name, lambda *arguments: (done.append(name), real(*arguments))[1])

    watched("fsync", os.fsync)
    watched("replace", os.replace)
    files.write(tmp_path / "a", b"x", durable=True)
    assert done == ["fsync", "replace", "fsync"]


def test_a_pipe_is_not_waited_for_and_one_of_the_shell_is_read(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="is a pipe, not a file"):
        files.readable(tmp_path / "fifo")
    read, write = os.pipe()
    os.write(write, b"text")
    os.close(write)
    assert files.readable(Path(f"/dev/fd/{read}")).read_bytes() == b"text"
    os.close(read)
    assert files.readable(tmp_path / "absent") == tmp_path / "absent"
