"""Packages that are not what they should be: refused in one line, before a byte of them is written."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from edge import cli
from edge.core.errors import UpdateError
from edge.operations.update import keys as update_keys
from edge.operations.update import package, stage
from edge.vision import bundle

minisign = pytest.importorskip("minisign", reason="needs the extra 'update'")


def members(path):
    """The entries of a package with their content."""
    with tarfile.open(path) as tar:
        return [(entry, tar.extractfile(entry).read()) for entry in tar]


def build(path, entries):
    with tarfile.open(path, "w") as tar:
        for entry, data in entries:
            tar.addfile(entry, io.BytesIO(data) if data is not None else None)
    return path


def entry(name, data=b"", kind=tarfile.REGTYPE, link=""):
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.size = kind, link, len(data)
    return found, data if kind == tarfile.REGTYPE else None


def append(path, head, header, data):
    """A package whose entries after the head are these bytes."""
    build(path, head)
    content = path.read_bytes().rstrip(b"\0")
    content += bytes(-len(content) % 512)
    path.write_bytes(content + header + data + bytes(1024))
    return path


def old_gnu_sparse(name, size, real):
    """A header by which `size` bytes of a file unpack to `real`."""
    found = tarfile.TarInfo(name)
    found.type, found.size = tarfile.GNUTYPE_SPARSE, size
    header = bytearray(found.tobuf(tarfile.GNU_FORMAT))
    header[386:398], header[398:410], header[483:495] = b"%011o\0" % 0, b"%011o\0" % size, b"%011o\0" % real
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def pax_sparse(name, real):
    """The same in the form of POSIX: extended headers say it."""
    found = tarfile.TarInfo(name)
    found.size = 512
    found.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(real)}
    found.pax_headers["GNU.sparse.name"] = name
    return found.tobuf(tarfile.PAX_FORMAT)


NAME = "maskcam-0.2.0.whl"


def hostile(kind, good, out):
    """A package whose manifest is signed, and whose payload somebody on the way has changed."""
    head, wheel = members(good)[:2], members(good)[2]
    size = len(wheel[1])
    if kind == "oversized":
        large = tarfile.TarInfo(NAME)
        large.size = 600 << 20
        return append(out, head, large.tobuf(), b"")
    if kind == "sparse":
        return append(out, head, old_gnu_sparse(NAME, 512, 600 << 20), b"Z" * 512)
    if kind == "sparse of the right size":
        return append(out, head, old_gnu_sparse(NAME, 512, size), b"Z" * 512)
    if kind == "pax sparse":
        return append(out, head, pax_sparse(NAME, 600 << 20), b"1\n0\n512\n" + bytes(503))
    changed = {
        "same size, another content": [entry(NAME, b"X" * size)],
        "shorter": [entry(NAME, wheel[1][:-1])],
        "longer": [entry(NAME, wheel[1] + b"x")],
        "symlink": [entry(NAME, kind=tarfile.SYMTYPE, link="/etc/passwd")],
        "hard link": [entry(NAME, kind=tarfile.LNKTYPE, link="/etc/passwd")],
        "fifo": [entry(NAME, kind=tarfile.FIFOTYPE)],
        "device": [entry(NAME, kind=tarfile.CHRTYPE)],
        "folder": [entry(NAME, kind=tarfile.DIRTYPE)],
        "twice": [wheel, wheel],
        "one more": [wheel, entry("evil.whl", b"x")],
        "outside": [wheel, entry("../evil", b"x")],
        "absolute": [wheel, entry("/tmp/evil", b"x")],
        "second manifest": [wheel, entry("manifest.json", b"{}")],
        "missing": [],
    }[kind]
    return build(out, [*head, *changed])


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("oversized", "629145600 bytes where the manifest says"),
        ("sparse", "not a plain file"),
        ("sparse of the right size", "not a plain file"),
        ("pax sparse", "not a plain file"),
        ("same size, another content", "wrong digest"),
        ("shorter", "bytes where the manifest says"),
        ("longer", "bytes where the manifest says"),
        ("symlink", "not a plain file"),
        ("hard link", "not a plain file"),
        ("fifo", "not a plain file"),
        ("device", "not a plain file"),
        ("folder", "not a plain file"),
        ("twice", "not in its manifest"),
        ("one more", "not in its manifest"),
        ("outside", "not in its manifest"),
        ("absolute", "not in its manifest"),
        ("second manifest", "not in its manifest"),
        ("missing", "missing: the package is cut off"),
    ],
)
def test_a_payload_that_is_not_the_manifests_is_refused_before_it_is_written(pack, keys, tmp_path, kind, message):
    path = hostile(kind, pack("0.2.0", "w" * 5000), tmp_path / "evil.tar")
    manifest, folder = package.verify(path, keys[1]), tmp_path / "out"
    with pytest.raises(UpdateError, match=message) as caught:
        package.unpack(path, manifest, folder)
    assert len(str(caught.value).splitlines()) == 1
    if kind != "same size, another content":  # which only its digest tells
        assert not folder.exists()


def signed(tmp_path, keys, name="x.whl", **changes):
    """A package of whoever holds the key, with a manifest of any content."""
    data = b"q"
    files = {name: {"sha256": "8e35c2cd3bf6641bdb0e2050b76932cbb2e6034a0ddacc1d9bea82a6ba57f7cf", "bytes": 1}}
    text = json.dumps({"schema_version": 1, "kind": "release", "version": "0.2.0", "files": files, **changes}).encode()
    signature = bytes(minisign.SecretKey.from_file(keys[0]).sign(text))
    head = [entry(package.MANIFEST, text), entry(package.SIGNATURE, signature)]
    return build(tmp_path / "signed.tar", [*head, entry(name or "x", data)])


@pytest.mark.parametrize(
    "name",
    ["../x", "/x", "a/../../x", "a\\x", "", ".", "..", "a//b", "C:x", "x\0", "a\nb", "x" * 300, "-x", package.MANIFEST],
)  # fmt: skip
def test_a_name_that_is_none_of_ours_is_refused_even_signed(tmp_path, keys, name):
    with pytest.raises(UpdateError, match=r"the package's manifest: files: .*file name") as caught:
        package.verify(signed(tmp_path, keys, name), keys[1])
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "version", ["1..0", "1" * 5000, "1.0\n", "1.0/../..", "..", "1+a+b", "", "é", None, 1, [["1"]]]
)
def test_a_version_that_cannot_be_compared_is_refused(tmp_path, keys, version):
    with pytest.raises(UpdateError, match="the package's manifest: version"):
        package.verify(signed(tmp_path, keys, version=version), keys[1])


@pytest.mark.parametrize(
    "files",
    [{"x": {"sha256": "0" * 64, "bytes": -1}}, {"x": {"sha256": "0" * 64, "bytes": 10**5000}}, {"x": 1}, [], None],
)
def test_a_manifest_of_another_shape_is_refused(tmp_path, keys, files):
    import sys

    sys.set_int_max_str_digits(0)
    try:
        path = signed(tmp_path, keys, files=files)
    finally:
        sys.set_int_max_str_digits(4300)
    with pytest.raises(UpdateError, match="the package's manifest"):
        package.verify(path, keys[1])


def test_a_key_as_its_owner_pastes_it(pack, keys, tmp_path):
    """With its comment, or blanks around it: it is the same key."""
    comment = "untrusted comment: minisign public key 3982B58AC1AF8628"
    for text in (f" {keys[1]} ", f"{comment}\n{keys[1]}", f"{comment}\r\n{keys[1]}\r\n"):
        assert package.verify(pack("0.2.0"), text).version == "0.2.0"


def test_what_is_no_public_key_is_never_repeated(pack, keys, capsys):
    """It may be the secret one, and what is said here reaches the journal."""
    secret = keys[0].read_text().splitlines()[1]
    for text, message in (
        (secret, "is a secret key: .*make a new pair"),
        (keys[0].read_text(), "is a secret key"),
        (secret[:-3], "not a public key"),
        (keys[1][:-1], "not a public key"),
        ("RWQ" + "é" * 53, "not a public key"),
        ("A" * 56, "not a public key"),
    ):
        with pytest.raises(UpdateError, match=message) as caught:
            package.verify(pack("0.2.0"), text)
        assert not re.search(r"[A-Za-z0-9+/]{20}", str(caught.value))
    assert update_keys.public(keys[1]) == keys[1]


@pytest.mark.parametrize("at", range(0, 4000, 37))
def test_no_byte_of_a_package_can_change_unseen(pack, keys, tmp_path, at):
    path = pack("0.2.0")
    data = bytearray(path.read_bytes())
    at = min(at, len(data) - 1)
    data[at] ^= 0x01
    path.write_bytes(data)
    folder = tmp_path / "out"
    try:
        manifest = package.verify(path, keys[1])
        package.unpack(path, manifest, folder)
    except UpdateError:
        return
    # What is left are the tar's own padding and dates, which nothing reads.
    assert [p.read_text() for p in folder.iterdir()] == ["0.2.0"]
    assert manifest.version == "0.2.0"


def test_a_package_cut_off_anywhere_is_refused(pack, keys, tmp_path):
    path = pack("0.2.0")
    data = path.read_bytes()
    for size in range(0, len(data) - 10240 + 1024, 256):
        path.write_bytes(data[:size])
        with pytest.raises(UpdateError):
            package.unpack(path, package.verify(path, keys[1]), tmp_path / "out")


@pytest.mark.skipif(not shutil.which("minisign"), reason="needs minisign")
def test_the_signature_is_minisigns(pack, keys, tmp_path):
    """The real tool reads our signature, and we read its key."""
    subprocess.run(["tar", "-xf", pack("0.2.0"), "-C", tmp_path], check=True)
    done = subprocess.run(
        ["minisign", "-V", "-P", keys[1], "-m", "manifest.json"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Trusted comment: maskcam release 0.2.0" in done.stdout
    subprocess.run(
        ["minisign", "-G", "-W", "-p", "a.pub", "-s", "a.key"], cwd=tmp_path, check=True, capture_output=True
    )
    out = tmp_path / "theirs.tar"
    package.pack(out, {"x": tmp_path / "manifest.json"}, tmp_path / "a.key", kind="bundle", version="1")
    key = (tmp_path / "a.pub").read_text().splitlines()[1]
    assert package.verify(out, key).version == "1"


def test_what_stands_in_the_place_of_a_package_is_not_replaced_unasked(tmp_path, capsys):
    key = tmp_path / "minisign.key"
    key.write_bytes(bytes(minisign.KeyPair.generate().secret_key))
    out, shipped = tmp_path / "bundle.tar", bundle.load().folder
    wanted = ["pack", str(out), "--key", str(key), "--bundle", str(shipped)]
    out.write_text("mine")
    assert cli.main(wanted) == 2
    assert "is there already: expected another name, or --overwrite" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert cli.main([*wanted, "--overwrite"]) == 0
    assert cli.main(["pack", str(key), *wanted[2:], "--overwrite"]) == 2, "the key itself"
    names = [entry.name for entry, _ in members(out)]
    assert names[:2] == [package.MANIFEST, package.SIGNATURE]
    os.mkfifo(tmp_path / "fifo")
    with ThreadPoolExecutor(1) as thread:
        read = thread.submit((tmp_path / "fifo").read_bytes)
        assert cli.main(["pack", str(tmp_path / "fifo"), *wanted[2:]]) == 0
        piped = tmp_path / "piped.tar"
        piped.write_bytes(read.result(60))
    assert [entry.name for entry, _ in members(piped)] == names
    assert (tmp_path / "fifo").is_fifo()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle.tar", "fifo", "minisign.key", "piped.tar"]


@pytest.mark.fault("a step of an update hangs", "a command that never ends", "killed, said", "the lock is free again")
def test_a_command_that_never_ends_keeps_no_update_out(monkeypatch):
    monkeypatch.setattr(stage, "LONGEST", 0.2)
    with pytest.raises(UpdateError, match=r"took longer than 0 min and was killed"):
        stage.run([sys.executable, "-c", "import time; time.sleep(60)"])
