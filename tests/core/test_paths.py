"""Paths as people write them."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from edge import config
from edge.cli import main
from edge.core import paths


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("~/door.jpg", "/home/ada/door.jpg"),
        ("file:///tmp/my%20door.jpg", "/tmp/my door.jpg"),
        ("FILE:///tmp/door.jpg", "/tmp/door.jpg"),
        ("file:///C:/door.jpg", "C:/door.jpg"),
        ("file://localhost/tmp/door.jpg", "/tmp/door.jpg"),
        ("door~/a.jpg", "door~/a.jpg"),
        ("~backup.jpg", "~backup.jpg"),
        ("a:b.jpg", "a:b.jpg"),
        (r"C:\door.jpg", r"C:\door.jpg"),
    ],
)
def test_what_is_meant(monkeypatch, text, path):
    monkeypatch.setenv("HOME", "/home/ada")
    assert paths.any_path(text) == Path(path)


def test_an_address_is_said_to_be_one_without_its_password():
    with pytest.raises(argparse.ArgumentTypeError) as raised:
        paths.any_path("https://ada:s3cret@host/door.jpg")
    assert str(raised.value) == "https://... is an address: expected a file or folder on this machine"


@pytest.mark.parametrize("option", [[], ["--bundle"], ["--out"]])
def test_a_command_refuses_an_address_in_one_line(capsys, option):
    assert main(["detect", "a.jpg", *option, "http://ada:s3cret@host/door"]) == 2
    said = capsys.readouterr().err
    assert "http://... is an address: expected a file or folder on this machine" in said
    assert "s3cret" not in said


@pytest.mark.parametrize("command", ["replay", "clips", "accuracy"])
def test_no_command_that_reads_files_shows_the_password_of_an_address(capsys, command):
    assert main([command, "rtsp://ada:s3cret@host/door.mp4"]) == 2
    said = capsys.readouterr().err
    assert "rtsp://... is an address: expected a file or folder on this machine" in said
    assert "s3cret" not in said


def test_paths_in_settings(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/ada")
    (tmp_path / "m.toml").write_text("[sinks.jsonl]\npath = '~/events.jsonl'\n[camera]\nsource = 'file:///door.mp4'\n")
    settings = config.load(tmp_path / "m.toml", ["model.bundle=~/bundle"])
    assert settings.sinks.jsonl.path == "/home/ada/events.jsonl"
    assert settings.camera.source == "/door.mp4"
    assert settings.model.bundle == "/home/ada/bundle"
    assert config.load(None, ["device.name=~/ada"]).device.name == "~/ada", "no path"
