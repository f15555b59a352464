"""The package that the page took in, up to where it is installed like any other."""

import json
import os

import pytest

from edge.core.errors import UpdateError
from edge.operations.update import inbox


@pytest.fixture
def place(tmp_path):
    """The service's folder and that of the installation."""
    folders = tmp_path / "state", tmp_path / "opt"
    for folder in folders:
        folder.mkdir()
    return folders


def test_what_is_installed_is_a_copy_out_of_the_services_reach(place):
    state, root = place
    given = state / inbox.INBOX
    given.write_bytes(b"signed")
    seen = []

    def apply(path, say):
        given.write_bytes(b"swapped")  # what a service that was taken over would try
        seen.append((path.parent, path.read_bytes()))
        say("the signature is right")
        assert inbox.outcome(root)["state"] == "installing"

    inbox.install(given, root, apply)
    assert seen == [(root, b"signed")]
    assert inbox.outcome(root)["state"] == "installed"
    assert inbox.outcome(root)["said"] == ["the signature is right"]
    assert not (root / inbox.INBOX).exists()


def test_a_failure_is_told_and_tried_once(place):
    state, root = place
    (state / inbox.INBOX).write_bytes(b"not signed")

    def apply(path, say):
        raise UpdateError(f"{path}: not signed")

    with pytest.raises(UpdateError):
        inbox.install(state / inbox.INBOX, root, apply)
    assert inbox.outcome(root)["state"] == "failed"
    assert inbox.outcome(root)["said"] == ["the package: not signed"]
    assert not (state / inbox.INBOX).exists()


@pytest.mark.parametrize("kind", ["link", "pipe", "folder's link", "large"])
def test_only_a_plain_file_of_bounded_size_is_taken(place, kind, monkeypatch):
    state, root = place
    given, secret = state / inbox.INBOX, root / "secret"
    secret.write_text("root's")
    if kind == "link":
        given.symlink_to(secret)
    elif kind == "pipe":
        os.mkfifo(given)
    elif kind == "folder's link":
        given.symlink_to(root)
    else:
        monkeypatch.setattr(inbox, "LARGEST", 10)
        given.write_bytes(bytes(11))

    def apply(path, say):
        raise AssertionError("nothing to install")

    with pytest.raises(UpdateError, match=r"update\.tar"):
        inbox.install(given, root, apply)
    assert secret.read_text() == "root's"
    assert not os.path.lexists(given)
    assert inbox.outcome(root)["state"] == "failed"


def test_root_takes_no_key_from_what_the_page_wrote(tmp_path, keys, monkeypatch):
    """The state directory is the service's: a key there would let whoever took the service over sign for root."""
    from edge import config
    from edge.cli import main
    from edge.operations.update import apply, stage

    etc, state, root = tmp_path / "maskcam.toml", tmp_path / "state", tmp_path / "opt"
    etc.write_text('[update]\nkey = ""\n')
    for folder in (state, root):
        folder.mkdir()
    (state / config.PAGE).write_text(f'[update]\nkey = "{keys[1]}"\n')
    (state / inbox.INBOX).write_bytes(b"package")
    monkeypatch.setattr(config, "SYSTEM_FILES", (etc,))
    monkeypatch.setattr(config, "STATE", state)
    monkeypatch.setattr(stage, "here", lambda: stage.Installation(root, root))
    trusted = []
    monkeypatch.setattr(apply, "apply", lambda package, home, key, *rest: trusted.append(key))
    assert main(["update", "--inbox", str(state / inbox.INBOX)]) in (0, None)
    assert trusted == [""]
    assert json.loads((root / inbox.OUTCOME).read_text())["state"] == "installed"
