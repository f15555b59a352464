"""Signed packages for the tests of updates."""

import pytest


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A secret key in a file, and the public one as settings have it."""
    folder = tmp_path_factory.mktemp("keys")
    minisign = pytest.importorskip("minisign", reason="needs the extra 'update'")
    pair = minisign.KeyPair.generate()
    (folder / "minisign.key").write_bytes(bytes(pair.secret_key))
    return folder / "minisign.key", pair.public_key.to_base64().decode()


@pytest.fixture
def pack(tmp_path, keys):
    from edge.operations.update import package

    def pack(version, says=None, **facts):
        wheel = tmp_path / f"maskcam-{version}.whl"
        wheel.write_text(says or version)
        out = tmp_path / f"{version}.tar"
        package.pack(out, {wheel.name: wheel}, keys[0], kind="release", version=version, **facts)
        return out

    return pack
