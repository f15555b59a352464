"""The Python blocks of the documents run as they stand.

Two things are not as a reader has them: photo.jpg is a picture of the synthetic camera, and `maskcam.watch(0)` watches
that camera for a few frames instead of the first USB camera.
"""

import re

import pytest

from tests.docs.pages import blocks

EXAMPLES = [block for block in blocks("python") if re.search(r"^(import|from) maskcam\b", block.text, flags=re.M)]


@pytest.fixture
def folder(tmp_path, portrait):
    import cv2

    cv2.imwrite(str(tmp_path / "photo.jpg"), cv2.cvtColor(portrait, cv2.COLOR_RGB2BGR))
    return tmp_path


@pytest.fixture
def short_watch(monkeypatch):
    import maskcam

    watch = maskcam.watch

    def short(source, settings=None, **options):
        assert source == 0, "an example watches another camera than 0: say here what stands in for it"
        scene = {"camera.duration": 3.0, "camera.fps": 6.0, "alerts.raise_after": 0.3}
        return watch("synthetic", settings={**(settings or {}), **scene}, **{**options, "live": False})

    monkeypatch.setattr(maskcam, "watch", short)


def test_there_are_examples():
    assert len(EXAMPLES) >= 6


@pytest.mark.parametrize("block", EXAMPLES, ids=str)
def test_example(block, folder, short_watch, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    exec(compile(block.text, str(block), "exec"), {"__name__": "example"})
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_every_block_of_python_compiles(block):
    compile(block.text, str(block), "exec")
