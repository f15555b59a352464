"""Packages and downloads to the letter: limits to the byte, and the sentence for each mistake."""

import contextlib
import http.server
import io
import json
import shutil
import sys
import tarfile
import threading

import pytest

from edge.core.errors import MissingPackage, UpdateError
from edge.operations.update import fetch, keys, package
from edge.operations.update.package import HEAD, Manifest

minisign = pytest.importorskip("minisign", reason="needs the extra 'update'")

DIGEST = {"sha256": "0" * 64, "bytes": 1}


def sentence(work):
    """What is said about a mistake."""
    with pytest.raises(UpdateError) as caught:
        work()
    return str(caught.value)


def tar(path, *entries):
    with tarfile.open(path, "w") as file:
        for name, data in entries:
            found = tarfile.TarInfo(name)
            found.size = len(data)
            file.addfile(found, io.BytesIO(data))
    return path


def signed(path, secret, text, *files):
    """A package of whoever holds the key, with any text for a manifest."""
    signature = bytes(minisign.SecretKey.from_file(secret).sign(text))
    return tar(path, (package.MANIFEST, text), (package.SIGNATURE, signature), *files)


def manifest(**changes):
    return {"schema_version": 1, "kind": "release", "version": "0.2.0", "files": {"x.whl": DIGEST}, **changes}


def test_a_package_is_written_to_the_letter(keys, tmp_path):
    files = {"a.whl": tmp_path / "a.whl", "sub/b": tmp_path / "b"}
    for name, path in files.items():
        path.write_text(name)
        path.chmod(0o640)
    out = tmp_path / "out.tar"
    made = package.pack(out, files, keys[0], kind="release", version="0.2.0", board="pi", python="3.13")
    assert (made.kind, made.version, made.board, made.python, made.machine) == ("release", "0.2.0", "pi", "3.13", "")
    assert made.bytes == 10
    with tarfile.open(out) as found:
        entries = found.getmembers()
        text, signature = (found.extractfile(entry).read() for entry in entries[:2])
    assert [entry.name for entry in entries] == ["manifest.json", "manifest.json.minisig", "a.whl", "sub/b"]
    assert {(e.mode, e.uid, e.gid, e.uname, e.gname, e.mtime) for e in entries} == {(0o644, 0, 0, "", "", 0)}
    assert json.loads(text) == made.model_dump()
    assert b'\n "kind":' in text, "one value a line: people read it"
    assert b"trusted comment: maskcam release 0.2.0\n" in signature
    assert package.verify(out, keys[1]) == made
    package.unpack(out, made, tmp_path / "there" / "deep")
    assert (tmp_path / "there" / "deep" / "sub" / "b").read_text() == "sub/b"
    package.unpack(out, made, tmp_path / "there" / "deep")  # again, into the same folder
    assert out.stat().st_size <= made.packed


def test_a_package_may_be_as_large_as_its_longest_names_make_it(keys, tmp_path):
    (tmp_path / "x").write_bytes(b"x" * 513)
    files = {f"{n}{'n' * 253}": tmp_path / "x" for n in range(9)}
    made = package.pack(tmp_path / "out.tar", files, keys[0], kind="bundle", version="1")
    assert made.packed == HEAD + 9 * 513 + 9 * 6 * 512 + 2 * 10240
    assert (tmp_path / "out.tar").stat().st_size <= made.packed


def test_a_file_of_more_than_a_megabyte_is_copied_by_megabytes(keys, tmp_path):
    (tmp_path / "x").write_bytes(b"x" * ((1 << 20) + 1))
    made = package.pack(tmp_path / "out.tar", {"x": tmp_path / "x"}, keys[0], kind="bundle", version="1")
    package.unpack(tmp_path / "out.tar", made, tmp_path / "there")
    assert (tmp_path / "there" / "x").stat().st_size == (1 << 20) + 1
    asked = []

    class Source(io.BytesIO):
        def read(self, size=None):
            asked.append(size)
            return super().read(size)

    package._copy(Source(b"x" * (1 << 20)), tmp_path / "copy")
    assert asked == [1 << 20] * 2


def test_a_secret_key_with_a_password_and_one_that_is_none(keys, tmp_path):
    secret = minisign.SecretKey.from_file(keys[0])
    secret.encrypt("open sesame")
    (tmp_path / "locked.key").write_bytes(bytes(secret))
    made = package.pack(tmp_path / "a.tar", {}, tmp_path / "locked.key", "open sesame", kind="bundle", version="1")
    assert package.verify(tmp_path / "a.tar", keys[1]) == made
    secret = minisign.SecretKey.from_file(keys[0])
    secret.encrypt("")
    (tmp_path / "open.key").write_bytes(bytes(secret))
    assert package.pack(tmp_path / "a.tar", {}, tmp_path / "open.key", kind="bundle", version="1") == made
    (tmp_path / "rubbish.key").write_text("rubbish")
    for key, password in (("locked.key", None), ("rubbish.key", None)):
        said = sentence(
            lambda key=key, password=password: package.pack(
                tmp_path / "b.tar", {}, tmp_path / key, password, kind="bundle", version="1"
            )
        )
        assert said.startswith(f"{tmp_path / key}: cannot sign: ")
        assert said.endswith(": expected the secret key that minisign -G wrote")
    assert not (tmp_path / "b.tar").exists()


def test_without_the_package_for_signatures_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "minisign", None)
    with pytest.raises(MissingPackage) as caught:
        package.minisign()
    assert str(caught.value) == str(MissingPackage("py-minisign", extra="update"))
    assert "py-minisign" in str(caught.value)


def test_what_is_no_package(keys, tmp_path):
    path = tmp_path / "x.tar"
    path.write_bytes(b"rubbish " * 200)
    assert sentence(lambda: package.verify(path, keys[1])) == (
        "not a package, or a damaged one (invalid header): expected what maskcam pack wrote"
    )
    text = json.dumps(manifest()).encode()
    good = signed(path, keys[0], text).read_bytes()
    expected = "not a package: expected it to begin with manifest.json and manifest.json.minisig"
    for entries in (
        [],
        [("manifest.json", text)],
        [("manifest.txt", text), ("manifest.json.minisig", b"")],
        [("manifest.json", text), ("other", b"")],
        [("manifest.json", b" " * (1 << 20)), ("manifest.json.minisig", b"")],
    ):
        assert sentence(lambda entries=entries: package.verify(tar(path, *entries), keys[1])) == expected
    path.write_bytes(good)
    with tarfile.open(path, "w") as file:
        folder = tarfile.TarInfo("manifest.json")
        folder.type = tarfile.DIRTYPE
        file.addfile(folder)
    assert sentence(lambda: package.verify(path, keys[1])) == expected


def test_a_manifest_of_almost_a_megabyte_is_read(keys, tmp_path):
    text = json.dumps(manifest()).encode()
    path = signed(tmp_path / "x.tar", keys[0], text.ljust((1 << 20) - 1))
    assert package.verify(path, keys[1]).version == "0.2.0"


def test_another_key_and_another_text(keys, tmp_path):
    stranger = minisign.KeyPair.generate().public_key.to_base64().decode()
    text = json.dumps(manifest()).encode()
    path = signed(tmp_path / "x.tar", keys[0], text)
    said = sentence(lambda: package.verify(path, stranger))
    assert said.startswith("the package is not signed with the key of update.key: ")
    assert said.endswith(": nothing was installed")
    with tarfile.open(path) as file:
        signature = file.extractfile(package.SIGNATURE).read()
    for entries in (
        [(package.MANIFEST, text.replace(b"0.2.0", b"9.9.9")), (package.SIGNATURE, signature)],
        [(package.MANIFEST, text), (package.SIGNATURE, b"rubbish")],
    ):
        tar(path, *entries)
        assert sentence(lambda: package.verify(path, keys[1])).startswith("the package is not signed with the key")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "toy"}, "kind: Input should be 'release' or 'bundle'"),
        ({"files": {"x": {"sha256": "0" * 64, "bytes": "y"}}}, "files.x.bytes: Input should be a valid integer"),
        (
            {"files": {"a b": DIGEST}},
            "files: Value error, file name 'a b': expected letters, digits and . _ + ! - in folders of such names",
        ),
        (
            {"files": {"../" + "n" * 90: DIGEST}},
            f"files: Value error, file name '../{'n' * 77}': expected letters, digits and . _ + ! - in folders of such",
        ),
        ({"files": {"n" * 80: 1}}, f"files.{'n' * 74}: Input should be an object"),
        ({"x": 1}, "x: Extra inputs are not permitted"),
    ],
)
def test_a_manifest_made_for_another_maskcam(keys, tmp_path, changes, said):
    path = signed(tmp_path / "x.tar", keys[0], json.dumps(manifest(**changes)).encode())
    found = sentence(lambda: package.verify(path, keys[1]))
    assert found.startswith(f"the package's manifest: {said}")
    assert found.endswith(": made for another maskcam")


def test_names_of_files_to_their_longest():
    for name in ("n" * 255, "a/b", "_A.b+c!d-e", "0"):
        assert Manifest.model_validate(manifest(files={name: DIGEST})).files
    for name in ("n" * 256, "a/.b", "manifest.json.minisig"):
        with pytest.raises(ValueError, match="file name"):
            Manifest.model_validate(manifest(files={name: DIGEST}))


def test_payloads_that_are_not_the_manifests_are_one_sentence(keys, tmp_path):
    x, y = ("x.whl", b"x" * 10), ("y.whl", b"y")
    digests = {"x.whl": {"sha256": "0" * 64, "bytes": 10}, "y.whl": DIGEST}
    text = json.dumps(manifest(files=digests)).encode()
    path = tmp_path / "p.tar"
    for files, said in (
        ([x, y], "x.whl: wrong digest: the package is damaged: fetch it again"),
        (
            [x, ("z" * 90, b"")],
            f"the package holds '{'z' * 80}': not in its manifest, or not a plain file",
        ),
        ([("x.whl", b"x"), y], "x.whl: 1 bytes where the manifest says 10: the package is damaged"),
        ([], "x.whl, y.whl: missing: the package is cut off: fetch it again"),
        ([x], "y.whl: missing: the package is cut off: fetch it again"),
    ):
        signed(path, keys[0], text, *files)
        found = package.verify(path, keys[1])
        assert sentence(lambda found=found: package.unpack(path, found, tmp_path / "out")) == said
    many = {f"{n:03}{'m' * 40}": DIGEST for n in range(9)}
    signed(path, keys[0], json.dumps(manifest(files=many)).encode())
    found = package.verify(path, keys[1])
    said = sentence(lambda: package.unpack(path, found, tmp_path / "out"))
    assert said == ", ".join(many)[:200] + ": missing: the package is cut off: fetch it again"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "update.key is empty: expected the public key (the second line of minisign.pub) that you trust"),
        (" \n", "update.key is empty: expected the public key (the second line of minisign.pub) that you trust"),
        (
            "RWQrubbish",
            "update.key is not a public key of minisign: expected the second line of minisign.pub, whole: "
            "56 characters that begin with RW",
        ),
        (
            "A" * 56,
            "update.key is not a public key of minisign: expected the second line of minisign.pub, whole: "
            "56 characters that begin with RW",
        ),
        (
            "RWQ" + "A" * 109,  # twice as long as a public key, and no longer
            "update.key is not a public key of minisign: expected the second line of minisign.pub, whole: "
            "56 characters that begin with RW",
        ),
        (
            "RWQ" + "A" * 113,
            "update.key is a secret key: whoever reads it can sign updates: make a new pair with minisign -G, "
            "and put the second line of minisign.pub here",
        ),
    ],
)
def test_what_is_no_key(text, said):
    assert sentence(lambda: keys.public(text)) == said


def test_a_key_with_a_stroke_of_the_pen_in_it_is_none():
    """Python's base64 skips what is no part of it."""
    key = "RWQ" + "A" * 53
    assert keys.public(f" comment\n{key} ") == key
    for broken in (f"{key[:9]}!{key[9:]}", f"{key}!", f"{key[:55]}é"):
        assert "not a public key of minisign" in sentence(lambda broken=broken: keys.public(broken))


class Server(http.server.BaseHTTPRequestHandler):
    """Gives as many bytes as the path says, with or without their number before."""

    def log_message(self, *args):
        pass

    def do_GET(self):
        kind, number = self.path.strip("/").split("/")
        self.send_response(200)
        if kind == "promised":
            self.send_header("Content-Length", str(int(number) + 1))
        elif kind == "sized":
            self.send_header("Content-Length", number)
        self.end_headers()
        with contextlib.suppress(OSError):  # the other side has had enough
            self.wfile.write(b"x" * int(number))


@pytest.fixture
def address():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def fetched(address, root, **options):
    """The size of what was fetched."""
    options.setdefault("clock", lambda: 0.0)
    with fetch.fetched(address, root, **options) as path:
        assert path.parent == root
        assert path.name.startswith(".update-")
        return path.stat().st_size


def test_a_download_may_have_what_the_disk_spares_to_the_byte(address, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=(16 << 20) + 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert fetched(f"{address}/sized/1000", tmp_path) == 1000
    said = sentence(lambda: fetched(f"{address}/sized/1001", tmp_path))
    assert said == f"{address}/...: larger than the 1000 bytes that it may have: nothing was installed"
    monkeypatch.setattr(fetch, "LARGEST", 500)
    assert "larger than the 500 bytes" in sentence(lambda: fetched(f"{address}/bare/501", tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_manifests_limit_counts_from_its_end_on_and_is_asked_once(address, tmp_path):
    asked = []

    def bound(path):
        asked.append(path.stat().st_size >= HEAD)
        return HEAD + 100

    assert fetched(f"{address}/bare/{HEAD - 1}", tmp_path, bound=bound) == HEAD - 1
    assert asked == []  # there was no more to fetch
    assert fetched(f"{address}/bare/{HEAD}", tmp_path, bound=bound) == HEAD
    assert asked == [True]
    said = sentence(lambda: fetched(f"{address}/bare/{HEAD + (1 << 20)}", tmp_path, bound=bound))
    assert said == f"{address}/...: larger than the {HEAD + 100} bytes that it may have: nothing was installed"
    assert asked == [True, True]
    long = HEAD + (1 << 19)
    assert fetched(f"{address}/bare/{long}", tmp_path, bound=lambda path: bound(path) and long) == long
    assert asked == [True] * 3


def test_a_cut_is_told_from_an_end(address, tmp_path):
    assert sentence(lambda: fetched(f"{address}/promised/10", tmp_path)) == (
        f"{address}/...: cut off after 10 bytes: try again"
    )
    assert fetched(f"{address}/sized/10", tmp_path) == fetched(f"{address}/bare/10", tmp_path) == 10


def slowly(monkeypatch, seconds, chunks):
    """Fetches so many chunks of 8,192 bytes, one in so many seconds; returns how many came before it was given up."""
    now, given = [1000.0], []

    class Answer:
        length = None

        def read1(self, most):
            if len(given) == chunks:
                return b""
            now[0] += seconds
            given.append(b"x" * 8192)
            return given[-1]

    monkeypatch.setattr(fetch, "_opened", lambda address: contextlib.nullcontext(Answer()))
    return now, given


@pytest.mark.parametrize("seconds", [0.1, 2.0])  # 2 s: exactly as slow as it may be
def test_a_download_of_four_kilobytes_a_second_comes_to_its_end(tmp_path, monkeypatch, seconds):
    now, _ = slowly(monkeypatch, seconds, 20)
    assert fetched("http://h/x", tmp_path, clock=lambda: now[0]) == 20 * 8192


@pytest.mark.parametrize(("seconds", "came"), [(2.5, 5), (10.0, 2), (10.5, 1)])
def test_a_slower_one_is_given_up_after_ten_seconds(tmp_path, monkeypatch, seconds, came):
    now, given = slowly(monkeypatch, seconds, 20)
    said = sentence(lambda: fetched("http://h/x", tmp_path, clock=lambda: now[0]))
    assert said == "http://h/...: slower than 4 kB/s: try again on a better network"
    assert len(given) == came


def test_a_file_is_itself_and_what_is_none_is_said(tmp_path):
    (tmp_path / "a.tar").write_text("x")
    with fetch.fetched(str(tmp_path / "a.tar"), tmp_path) as path:
        assert path == tmp_path / "a.tar"
    assert path.exists()
    for name in ("none.tar", ""):
        said = sentence(lambda name=name: fetched(str(tmp_path / name), tmp_path))
        assert said == f"{tmp_path / name}: no such file: expected a package that maskcam pack wrote"
    assert sentence(lambda: fetched("ftp://h/x", tmp_path)) == "ftp://h/...: expected a file or an http(s):// address"


def test_what_cannot_be_fetched_says_why(tmp_path):
    said = sentence(lambda: fetched("http://127.0.0.1:9/x", tmp_path))
    assert said == ("http://127.0.0.1:9/...: cannot be fetched: <urlopen error [Errno 111] Connection refused>")
