"""The update button: what the page takes, and what it tells of what became of it."""

from types import SimpleNamespace

import pytest

from edge.operations.update import inbox, package
from edge.web import update


@pytest.fixture
def pair():
    return pytest.importorskip("minisign", reason="needs the extra 'update'").KeyPair.generate()


@pytest.fixture
def packed(tmp_path, pair):
    """A signed package's bytes."""
    key, wheel, out = (tmp_path / name for name in ("minisign.key", "maskcam-9.0.whl", "9.0.tar"))
    key.write_bytes(bytes(pair.secret_key))
    wheel.write_text("a release")
    package.pack(out, {wheel.name: wheel}, key, kind="release", version="9.0")
    return out.read_bytes()


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def test_what_the_trusted_key_signed_is_kept_and_nothing_else(stand, pair, packed, state):
    trusted = pair.public_key.to_base64().decode()
    client = stand(overrides=[f"update.key={trusted}"], state=state).client
    refused = client.post("/api/update", content=packed.replace(b"9.0", b"9.1", 1))
    assert refused.status_code == 422
    assert "the file" in refused.json()["error"] or "signed" in refused.json()["error"]
    assert list(state.iterdir()) == []
    taken = client.post("/api/update", content=packed)
    assert (taken.status_code, taken.json()["taken"]) == (202, "release 9.0")
    assert package.verify(state / inbox.INBOX, trusted).version == "9.0"


def test_without_a_key_nothing_is_taken(stand, packed, state):
    refused = stand(state=state).client.post("/api/update", content=packed)
    assert (refused.status_code, list(state.iterdir())) == (422, [])
    assert "update.key" in refused.json()["error"]


def test_what_fills_the_disk_is_refused_and_nothing_of_it_stays(stand, pair, packed, state, monkeypatch):
    trusted = pair.public_key.to_base64().decode()
    monkeypatch.setattr(update.shutil, "disk_usage", lambda folder: SimpleNamespace(free=inbox.RESERVE + 1000))
    refused = stand(overrides=[f"update.key={trusted}"], state=state).client.post("/api/update", content=packed)
    assert refused.status_code == 422
    assert "too little room" in refused.json()["error"]
    assert list(state.iterdir()) == []


def test_what_a_killed_process_had_received_goes_at_the_next_start(state):
    for name in (".update-dead", "history.db"):
        (state / name).touch()
    update.sweep(state)
    assert [path.name for path in state.iterdir()] == ["history.db"]


def test_it_tells_what_became_of_the_last_one(state, tmp_path):
    unit = tmp_path / "maskcam-inbox.path"
    assert update.report(state, unit, tmp_path) == {"waits": False, "installs": False, "last": None}
    unit.touch()
    (state / inbox.INBOX).write_bytes(b"signed")
    assert update.report(state, unit, tmp_path) == {"waits": True, "installs": True, "last": None}
    inbox.install(state / inbox.INBOX, tmp_path, lambda path, say: say("healthy, kept"))
    said = update.report(state, unit, tmp_path)
    assert (said["waits"], said["last"]["state"], said["last"]["said"]) == (False, "installed", ["healthy, kept"])
    (tmp_path / inbox.OUTCOME).write_text("[")
    assert update.report(state, unit, tmp_path)["last"] is None


def test_a_checkout_says_that_nothing_installs(stand):
    assert stand().client.get("/api/update").json() == {"waits": False, "installs": False, "last": None}
