"""The steps of an update one by one: what is asked of pip and the service, what is said, what is left on the disk."""

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge.core import plugins
from edge.core.errors import UpdateError
from edge.operations.update import activate, apply, package, stage
from edge.operations.update.activate import Trial
from edge.operations.update.package import Manifest

pytest.importorskip("minisign", reason="needs the extra 'update'")

PYTHON = "{}.{}".format(*sys.version_info)


class Service:
    """Starts and is healthy, unless told otherwise; remembers."""

    def __init__(self, starts=True, why=""):
        self.starts, self.why, self.asked = starts, why, []

    def restart(self):
        self.asked.append("restart")
        return self.starts

    def healthy(self, seconds):
        self.asked.append(seconds)
        return self.why


def program(path, complete=True):
    """A program, in a release's folder a complete one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    if complete and path.parents[2].name == "releases":
        (path.parents[1] / "complete").touch()
    return path


@pytest.fixture
def root(tmp_path):
    """An installation in which release 0.1.0 runs and 0.2.0 is staged."""
    for version in ("0.1.0", "0.2.0"):
        program(tmp_path / "releases" / version / "bin" / "maskcam")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "maskcam").symlink_to("../releases/0.1.0/bin/maskcam")
    return tmp_path


def sentence(work, *arguments):
    with pytest.raises(UpdateError) as caught:
        work(*arguments)
    return str(caught.value)


def trial(root, **changes):
    facts = {"link": str(root / "bin" / "maskcam"), "old": "../releases/0.1.0/bin/maskcam", "label": "release 0.2.0"}
    return Trial(new="../releases/0.2.0/bin/maskcam", **facts | changes)


def entry(root):
    return os.readlink(root / "bin" / "maskcam")


def test_a_trial_is_prepared_from_what_stands_there(root):
    new = root / "releases" / "0.2.0" / "bin" / "maskcam"
    link = root / "bin" / "maskcam"
    assert activate.begin(link, new, "release 0.2.0", "0.1.0") == trial(root)
    link.unlink()
    assert activate.begin(link, new, "release 0.2.0", "0.1.0") == trial(root, old=None)
    link.write_text("of install.sh")
    for _ in range(2):  # the second one finds the script kept
        assert activate.begin(link, new, "release 0.2.0", "0.1.0") == trial(root, old="maskcam-0.1.0")
    assert (root / "bin" / "maskcam-0.1.0").read_text() == link.read_text() == "of install.sh"
    link.unlink()
    link.symlink_to("gone")
    assert activate.begin(link, new, "release 0.2.0", "0.1.0").old == "gone"


def test_a_link_is_pointed_and_removed_whatever_a_cut_left(root):
    link = root / "bin" / "maskcam"
    (root / "bin" / "maskcam.part").symlink_to("half")
    activate.flip(link, "other")
    assert os.readlink(link) == "other"
    activate.flip(link, None)
    activate.flip(link, None)
    assert sorted(os.listdir(root / "bin")) == []


def test_the_journal_holds_the_trial(root):
    journal = root / "update.json"
    assert activate.pending(journal) is None
    (root / "update.json.part").write_text("what a cut left")
    activate.write(journal, trial(root, tries=1))
    assert json.loads(journal.read_text()) == {
        "link": str(root / "bin" / "maskcam"),
        "new": "../releases/0.2.0/bin/maskcam",
        "old": "../releases/0.1.0/bin/maskcam",
        "label": "release 0.2.0",
        "tries": 1,
    }
    assert activate.pending(journal) == trial(root, tries=1)
    journal.write_text("{")
    assert sentence(activate.pending, journal) == f"{journal} is damaged: repair it with: maskcam update --resume"
    assert sorted(p.name for p in root.iterdir()) == ["bin", "releases", "update.json"]


@pytest.mark.parametrize("link", ["/etc/passwd", "bin/maskcan", "bin/sub/maskcam", "../bundle", "", "\0", "x" * 5000])
def test_a_journal_that_names_a_link_that_is_none_of_ours_is_damaged(root, link):
    journal, service, said = root / "update.json", Service(), []
    activate.write(journal, trial(root, link=str(root / link)))
    assert sentence(activate.pending, journal) == f"{journal} is damaged: repair it with: maskcam update --resume"
    activate.resume(journal, service, 60, said.append)
    assert said == [f"update.json was damaged: it is removed, and what {root / 'bin' / 'maskcam'} names stays"]
    assert entry(root) == "../releases/0.1.0/bin/maskcam"


@pytest.mark.parametrize("link", ["bin/maskcam", "bundle", "releases/0.1.0/bundle"])
def test_the_links_of_an_update_under_another_name_of_its_folder(root, tmp_path_factory, link):
    other = tmp_path_factory.mktemp("other") / "installation"
    other.symlink_to(root)
    activate.write(root / "update.json", trial(root, link=str(other / link)))
    assert activate.pending(root / "update.json") == trial(root, link=str(other / link))
    assert activate.pending(other / "update.json") == trial(root, link=str(other / link))


def test_a_healthy_update_is_kept(root):
    journal, service, said = root / "update.json", Service(), []

    class Watched(Service):
        def healthy(self, seconds):
            service.asked += [entry(root), activate.pending(journal).tries]
            return ""

    activate.attempt(journal, trial(root, tries=1), Watched(), 59.6, said.append)
    assert service.asked == ["../releases/0.2.0/bin/maskcam", 2]
    assert said == ["release 0.2.0: switched; watching it for 60 s", "release 0.2.0: healthy, kept"]
    assert entry(root) == "../releases/0.2.0/bin/maskcam"
    assert not journal.exists()


@pytest.mark.parametrize(
    ("starts", "ails", "said", "asked"),
    [
        (
            False,
            "",
            "it did not become ready: the previous version was restored, but does not start",
            ["restart", "restart"],
        ),
        (True, "it failed", "it failed: the previous version runs again", ["restart", 60.0, "restart"]),
    ],
)
def test_one_that_is_not_is_taken_back_and_said(root, starts, ails, said, asked):
    journal, service = root / "update.json", Service(starts, ails)
    assert sentence(activate.attempt, journal, trial(root), service, 60.0, [].append) == f"release 0.2.0: {said}"
    assert service.asked == asked
    assert entry(root) == "../releases/0.1.0/bin/maskcam"
    assert not journal.exists()


def test_what_replaced_nothing_is_removed_again(root):
    journal = root / "update.json"
    (root / "bundle").symlink_to("bundles/2")
    bundle = Trial(str(root / "bundle"), "bundles/2", None, "bundle 2")
    said = sentence(activate.attempt, journal, bundle, Service(why="it failed"), 60.0, [].append)
    assert said == "bundle 2: it failed: the previous version runs again"
    assert not os.path.lexists(root / "bundle")


def test_if_the_previous_one_is_gone_too_what_is_left_runs(root):
    journal, service = root / "update.json", Service(why="it failed")
    shutil.rmtree(root / "releases" / "0.1.0")
    said = sentence(activate.attempt, journal, trial(root), service, 60.0, [].append)
    left = root / "releases/0.2.0/bin/maskcam"
    assert said == f"release 0.2.0: it failed: {root / 'bin/maskcam'} named nothing that runs; {left} runs now"


def resumed(root, service):
    said = []
    activate.resume(root / "update.json", service, 60.0, said.append)
    return said


def test_a_start_without_a_trial_changes_nothing(root):
    service = Service()
    assert resumed(root, service) == ["no update is on trial"]
    assert service.asked == []


def test_a_start_goes_on_with_a_trial_twice_and_then_takes_it_back(root):
    journal = root / "update.json"
    activate.write(journal, trial(root, tries=1))
    assert resumed(root, Service())[-1] == "release 0.2.0: healthy, kept"
    activate.write(journal, trial(root, tries=2))
    service = Service()
    assert sentence(resumed, root, service) == (
        "release 0.2.0: cut off 2 times while it was on trial: the previous version runs again"
    )
    assert service.asked == ["restart"]
    activate.write(journal, trial(root))
    shutil.rmtree(root / "releases" / "0.2.0")
    assert sentence(resumed, root, Service()) == (
        "release 0.2.0: what it brought is gone: the previous version runs again"
    )


def test_a_start_with_a_damaged_journal_and_a_whole_entry(root):
    (root / "update.json").write_text("{")
    assert resumed(root, Service()) == [
        f"update.json was damaged: it is removed, and what {root / 'bin/maskcam'} names stays"
    ]
    assert not (root / "update.json").exists()


@pytest.mark.parametrize(("starts", "ends"), [(True, "runs now"), (False, "does not start either")])
def test_a_start_with_an_entry_that_names_nothing(root, starts, ends):
    """The newest release first, a complete one, then what install.sh made."""
    entry_ = root / "bin" / "maskcam"
    for age, version in enumerate(("0.1.0", "0.0.9", "0.2.0")):
        path = program(root / "releases" / version / "bin" / "maskcam", complete=version != "0.2.0")
        os.utime(path, (1000 + age, 1000 + age))
    (root / "releases/0.2.0/complete").unlink()
    program(root / "bin" / "maskcam-0.0.1")
    (root / "bundle").symlink_to("gone")
    (root / "releases/0.1.0/bundle").symlink_to("gone")
    (root / "releases/0.2.0/bundle").symlink_to(root)
    activate.flip(entry_, "../gone")
    service = Service(starts)
    found = root / "releases/0.0.9/bin/maskcam"
    assert resumed(root, service) == [f"{entry_} named nothing that runs; {found} {ends}"]
    assert entry(root) == "../releases/0.0.9/bin/maskcam"
    assert service.asked == ["restart"]
    assert not os.path.lexists(root / "bundle")
    assert not os.path.lexists(root / "releases/0.1.0/bundle")
    assert os.path.lexists(root / "releases/0.2.0/bundle")
    shutil.rmtree(root / "releases")
    activate.flip(entry_, "../gone")
    assert resumed(root, service) == [f"{entry_} named nothing that runs; {root / 'bin/maskcam-0.0.1'} {ends}"]
    assert entry(root) == "maskcam-0.0.1"
    (root / "bin" / "maskcam-0.0.1").unlink()
    assert sentence(resumed, root, service) == (
        f"{entry_} names nothing that runs, and nothing else is left: run systemd/install.sh again"
    )


def test_two_at_a_time(root):
    with activate.alone(root):
        assert sentence(resumed, root, Service()) == "another update is under way: wait until it has ended"


def test_only_a_complete_release_runs(root):
    assert activate.runs(root / "bin" / "maskcam")
    (root / "releases/0.1.0/complete").unlink()
    assert not activate.runs(root / "bin" / "maskcam")
    assert activate.runs(program(root / "bin" / "other"))  # of install.sh: no release
    assert not activate.runs(root / "releases" / "0.3.0" / "bin" / "maskcam")


def test_an_installation_is_where_this_python_runs(root, monkeypatch):
    home = stage.Installation(root, root / "releases/0.1.0")
    monkeypatch.setattr(sys, "prefix", str(home.environment))
    assert stage.here() == home
    assert (home.entry, home.journal) == (root / "bin/maskcam", root / "update.json")
    monkeypatch.setattr(sys, "prefix", str(root))
    assert stage.here() == stage.Installation(root, root)
    activate.flip(home.entry, "gone")
    assert stage.here().root == root  # a broken link can be healed
    home.entry.unlink()
    assert sentence(stage.here) == f"{root}: not an installation of install.sh: expected {home.entry}"
    program(home.entry)
    monkeypatch.setattr(sys, "base_prefix", str(root))
    assert sentence(stage.here) == f"{root}: not an installation of install.sh: expected {home.entry}"


@contextlib.contextmanager
def typed(text):
    """Somebody types at this process."""
    reading, writing = os.pipe()
    os.write(writing, text.encode())
    os.close(writing)
    kept = os.dup(0)
    os.dup2(reading, 0)
    os.close(reading)
    try:
        yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)


def test_a_command_runs_apart_from_whoever_called(tmp_path, monkeypatch):
    for name in ("PIP_INDEX_URL", "PYTHONPATH", "PYTHONHOME_", "OTHER"):
        monkeypatch.setenv(name, "x")
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    code = (
        "import os, sys; names = sorted(n for n in os.environ if n.startswith(('PIP_', 'PYTHON', 'OTHER')));"
        f"open({str(out)!r}, 'w').write(repr((os.getcwd(), names, os.environ['PIP_CONFIG_FILE'], sys.stdin.read())))"
    )
    with typed("yes"):
        stage.run([sys.executable, "-c", code])
    assert out.read_text() == repr(("/", ["OTHER", "PIP_CONFIG_FILE"], "/dev/null", ""))


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'no  room' >&2; echo out; exit 3", "no room"),
        ("echo 'only out'; exit 1", "only out"),
        (f"echo a{'b' * 400} >&2; exit 1", "b" * 400),
        ("kill -9 $$", ""),
    ],
)
def test_a_command_that_fails_is_told_with_its_end(script, said):
    assert sentence(stage.run, ["sh", "-c", script]) == f"sh -c {script} failed: {said}"


def test_a_command_that_hangs_is_told_with_its_time(monkeypatch):
    monkeypatch.setattr(stage, "LONGEST", 0.05)
    assert sentence(stage.run, ["sleep", "60"]) == "sleep 60 took longer than 0 min and was killed"


def test_a_command_has_an_hour(monkeypatch):
    def late(command, timeout, **options):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", late)
    assert sentence(stage.run, ["pip"]) == "pip took longer than 60 min and was killed"


def manifest(version="0.2.0", size=1000, name="maskcam-0.2.0.whl", **facts):
    files = {name: {"sha256": "0" * 64, "bytes": size}}
    return Manifest.model_validate({"kind": "release", "version": version, "files": files, **facts})


@pytest.mark.parametrize(
    ("facts", "current", "said"),
    [
        ({}, "0.1.0", ""),
        ({}, "0.2.0", ""),
        ({"python": PYTHON, "machine": platform.machine()}, "0.1.0", ""),
        ({"python": "2.7"}, "0.1.0", f"the package is for Python 2.7, this device has {PYTHON}"),
        (
            {"machine": "riscv"},
            "0.1.0",
            f"the package is for processor riscv, this device has {platform.machine()}",
        ),
        (
            {},
            "0.10.0",
            "the package is release 0.2.0, older than 0.10.0, which runs: an old one may be brought in to use its "
            "faults; --allow-downgrade if you mean it",
        ),
    ],
)
def test_what_fits_this_device(root, facts, current, said):
    home = stage.Installation(root, root)
    if said:
        assert sentence(stage.check, manifest(**facts), current, home, False) == said
    else:
        stage.check(manifest(**facts), current, home, False)
    if "older" in said:
        stage.check(manifest(), current, home, True)


def test_the_room_that_is_missing_is_said_in_megabytes_rounded_up(root, monkeypatch):
    home, usage = stage.Installation(root, root), shutil.disk_usage(root)
    asked = []

    def room(free):
        monkeypatch.setattr(shutil, "disk_usage", lambda path: asked.append(path) or usage._replace(free=free))

    room(4 << 20)
    stage.check(manifest(size=1 << 20), "0.1.0", home, False)
    assert asked == [root]
    room((4 << 20) - 1)
    assert sentence(stage.check, manifest(size=1 << 20), "0.1.0", home, False) == (
        f"{root}: 3 MB free, 4 MB needed: make room first"
    )
    assert sentence(stage.check, manifest(size=(1 << 20) + 1), "0.1.0", home, False).endswith(
        "5 MB needed: make room first"
    )


def test_leftovers_go_and_what_runs_stays(root):
    home = stage.Installation(root, root / "releases/0.1.0")
    (root / "releases/0.1.0/complete").unlink()  # runs: it stays all the same
    program(root / "releases/0.3.0/bin/maskcam", complete=False)
    for name in ("bundles/1/x", "bundles/2.part/x", ".update-abc", "update.json", ".update.lock", "releases/a-file"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    (root / "bundles/3.part").write_text("a file")
    stage.sweep(home)  # what cannot be removed as a folder does not keep an update out
    assert sorted(p.name for p in (root / "releases").iterdir()) == ["0.1.0", "0.2.0", "a-file"]
    assert sorted(p.name for p in (root / "bundles").iterdir()) == ["1", "3.part"]
    assert sorted(p.name for p in root.iterdir() if p.is_file()) == [".update.lock", "update.json"]


class Pip:
    """Stands for venv and pip; remembers what was asked of them."""

    def __init__(self, *failing):
        self.asked, self.failing = [], failing

    def __call__(self, command):
        self.asked.append(list(command))
        if "venv" in command:
            (Path(command[-1]) / "bin").mkdir(parents=True)
        if any(word in command[-1] for word in self.failing):
            raise UpdateError("pip failed")


@pytest.fixture
def no_parts(monkeypatch):
    monkeypatch.setattr(plugins, "providers", list)


def test_a_release_is_installed_by_path_without_an_index(root, pack, keys, no_parts):
    home, pip = stage.Installation(root, root / "releases/0.1.0"), Pip()
    path = pack("0.3.0", board="pi")
    folder = stage.release(path, package.verify(path, keys[1]), home, pip)
    assert folder == root / "releases" / "0.3.0"
    wheels, python = folder / "wheels", str(folder / "bin" / "python")
    wheel = f"{wheels}/maskcam-0.3.0.whl"
    install = [python, "-I", "-m", "pip", "--isolated", "install", "--quiet", "--disable-pip-version-check"]
    assert pip.asked == [
        [sys._base_executable, "-I", "-m", "venv", "--system-site-packages", str(folder)],
        [*install, "--no-index", "--find-links", str(wheels), f"{wheel}[pi]"],
        [*install, "--no-index", "--force-reinstall", "--no-deps", wheel],
        [*install, "--no-index", "--find-links", str(wheels), f"{wheel}[parts]"],
    ]
    assert not wheels.exists()
    assert (folder / "complete").exists()
    pip.asked.clear()
    assert stage.release(path, package.verify(path, keys[1]), home, pip) == folder
    assert pip.asked == []  # it is there
    own = pack("0.1.0")
    assert sentence(stage.release, own, package.verify(own, keys[1]), home, pip) == "release 0.1.0 runs already"


def test_without_a_board_and_without_what_any_setting_may_need(root, pack, keys, no_parts):
    """What is not in the package for the parts is done without, and a half installed release is begun anew."""
    home, pip = stage.Installation(root, root / "releases/0.1.0"), Pip("[parts]")
    program(root / "releases/0.3.0/bin/half", complete=False)
    path = pack("0.3.0")
    folder = stage.release(path, package.verify(path, keys[1]), home, pip)
    assert pip.asked[1][-1] == f"{folder}/wheels/maskcam-0.3.0.whl"
    assert (folder / "complete").exists()
    assert not (folder / "bin" / "half").exists()


def test_a_release_that_cannot_be_installed_is_removed(root, pack, keys, no_parts):
    home = stage.Installation(root, root / "releases/0.1.0")
    path = pack("0.3.0")
    assert sentence(stage.release, path, package.verify(path, keys[1]), home, Pip("0.3.0.whl")) == "pip failed"
    assert not (root / "releases" / "0.3.0").exists()


def test_packages_with_parts_are_carried_over(root, keys, monkeypatch):
    asked = []

    def parts(names, folder, there):
        asked.append((names, folder, there))
        folder.mkdir()
        for name in ("b", "a"):
            (folder / f"{name}-1-py3-none-any.whl").touch()
        (folder / "needed").mkdir()

    monkeypatch.setattr(plugins, "providers", lambda: ["maskcam-bell"])
    monkeypatch.setattr("edge.operations.repack.parts", parts)
    home, pip = stage.Installation(root, root / "releases/0.1.0"), Pip()
    (root / "x").write_text("x")
    path, names = root / "p.tar", ("maskcam-0.3.0-py3-none-any.whl", "Foo.Bar-1-py3-none-any.whl")
    package.pack(path, dict.fromkeys(names, root / "x"), keys[0], kind="release", version="0.3.0")
    folder = stage.release(path, package.verify(path, keys[1]), home, pip)
    wheels = folder / "wheels"
    assert asked == [(["maskcam-bell"], wheels / "parts", {"maskcam", "foo_bar"})]
    links = ["--find-links", str(wheels), "--find-links", f"{wheels}/parts/needed"]
    found = [f"{wheels}/parts/{name}-1-py3-none-any.whl" for name in "ab"]
    assert pip.asked[-1][8:] == ["--no-index", *links, *found]


@pytest.mark.parametrize(
    ("names", "own"),
    [
        (["maskcam-0.3.0.whl", "numpy.whl"], "maskcam-0.3.0.whl"),
        (["other.whl"], "other.whl"),
        (["a.whl", "b.whl"], 2),
        ([], 0),
        (["maskcam-1.whl", "maskcam-2.whl"], 2),
    ],
)
def test_the_programs_own_wheel_is_one(names, own):
    files = {name: {"sha256": "0" * 64, "bytes": 1} for name in names}
    found = Manifest.model_validate({"kind": "release", "version": "0.3.0", "files": files})
    if isinstance(own, str):
        assert stage._own(found) == own
    else:
        assert sentence(stage._own, found) == f"release 0.3.0: expected maskcam's wheel in it once, found {own}"


def test_an_update_says_what_it_does_and_arms_before_it_switches(root, pack, keys, no_parts):
    home, said, done = stage.Installation(root, root / "releases/0.1.0"), [], []

    def execute(command):
        done.append(list(command))
        if "venv" in command:
            program(Path(command[-1]) / "bin" / "maskcam", complete=False)

    def arm():
        done.append(entry(root))

    path = pack("0.3.0")
    apply.apply(path, home, keys[1], ("0.1.0", "2026.1.1"), Service(), arm, 30.0, False, said.append, execute)
    new = root / "releases" / "0.3.0"
    assert said == [
        "release 0.3.0: the signature is right",
        f"release 0.3.0: placed in {new}",
        "release 0.3.0: gives the known answers",
        "release 0.3.0: switched; watching it for 30 s",
        "release 0.3.0: healthy, kept",
    ]
    assert done[-2:] == [
        [f"{new}/bin/python", "-I", "-m", "edge", "update", "--prove"],
        "../releases/0.1.0/bin/maskcam",
    ]
    assert sorted(p.name for p in (root / "releases").iterdir()) == ["0.1.0", "0.3.0"]  # 0.2.0 is of no use any more
    activate.write(home.journal, trial(root))
    arguments = (path, home, keys[1], ("0.1.0", "2026.1.1"), Service(), arm)
    assert sentence(apply.apply, *arguments) == (
        "an update is on trial: wait for it, or end it with: maskcam update --resume"
    )


def test_a_download_lies_in_the_installation_and_may_have_what_its_manifest_says(root, pack, keys, monkeypatch):
    home, asked, path = stage.Installation(root, root / "releases/0.1.0"), [], pack("0.0.1")

    @contextlib.contextmanager
    def fetched(address, folder, bound):
        asked.append((address, folder, bound(pack("0.3.0"))))
        yield path

    monkeypatch.setattr("edge.operations.update.fetch.fetched", fetched)
    arguments = ("http://h/x", home, keys[1], ("0.1.0", "2026.1.1"), Service(), lambda: None)
    assert "older than 0.1.0" in sentence(apply.apply, *arguments)
    assert asked == [("http://h/x", root, package.verify(pack("0.3.0"), keys[1]).packed)]


def test_a_bundle_is_proven_by_the_release_that_runs(root, keys, tmp_path, write_bundle):
    home, said, done = stage.Installation(root, root / "releases/0.1.0"), [], []
    files = {p.name: p for p in write_bundle(tmp_path / "new").iterdir()}
    package.pack(tmp_path / "b.tar", files, keys[0], kind="bundle", version="2026.2.1")
    for name in ("2026.1.1", "2026.1.0", "2025.1.1", "2025.1.2"):
        (root / "bundles" / name).mkdir(parents=True)
    (root / "bundles" / "a-file").write_text("x")
    (root / "bundle").symlink_to("bundles/2025.1.1")
    (root / "releases/0.2.0/bundle").symlink_to("../../bundles/2025.1.2")
    (home.environment / "bundle").symlink_to("../../bundles/2026.1.1")
    arguments = (tmp_path / "b.tar", home, keys[1], ("0.1.0", "2026.1.1"), Service(), lambda: None)
    apply.apply(*arguments, say=said.append, execute=done.append)
    new = root / "bundles" / "2026.2.1"
    python = f"{home.environment}/bin/python"
    assert done == [[python, "-I", "-m", "edge", "update", "--prove", "--set", f"model.bundle={new}"]]
    assert said[-2:] == ["bundle 2026.2.1: switched; watching it for 60 s", "bundle 2026.2.1: healthy, kept"]
    assert os.readlink(home.environment / "bundle") == "../../bundles/2026.2.1"
    kept = ["2025.1.1", "2025.1.2", "2026.1.1", "2026.2.1", "a-file"]  # what some environment names
    assert sorted(p.name for p in (root / "bundles").iterdir()) == kept
    apply.apply(*arguments, say=said.append, execute=done.append)  # the same again is no harm
    assert new.is_dir()


def test_a_bundle_is_placed_whole_or_not_at_all(root, keys, tmp_path, write_bundle, monkeypatch):
    from edge.vision import bundle

    home, seen = stage.Installation(root, root / "releases/0.1.0"), []
    files = {p.name: p for p in write_bundle(tmp_path / "new").iterdir()}
    found = package.pack(tmp_path / "b.tar", files, keys[0], kind="bundle", version="2026.2.1")
    (root / "bundles/2026.2.1.part/half").mkdir(parents=True)  # what a cut left

    def look(folder):
        seen.append((folder.name, sorted(p.name for p in folder.iterdir()) == sorted(files)))
        if len(seen) == 1:
            raise ValueError("wrong digest")

    monkeypatch.setattr(bundle, "load", look)
    with pytest.raises(ValueError, match="wrong digest"):
        stage.bundle(tmp_path / "b.tar", found, home)
    assert list((root / "bundles").iterdir()) == []
    assert stage.bundle(tmp_path / "b.tar", found, home) == root / "bundles" / "2026.2.1"
    assert seen == [("2026.2.1.part", True)] * 2
    assert [p.name for p in (root / "bundles").iterdir()] == ["2026.2.1"]
    assert stage.bundle(tmp_path / "b.tar", found, home) == root / "bundles" / "2026.2.1"
    assert len(seen) == 2  # it is there


def test_what_fails_is_removed_but_never_what_runs_or_ran(root, keys, tmp_path, write_bundle):
    home = stage.Installation(root, root / "releases/0.1.0")
    files = {p.name: p for p in write_bundle(tmp_path / "new").iterdir()}
    package.pack(tmp_path / "b.tar", files, keys[0], kind="bundle", version="2026.2.1")

    def failing(command):
        raise UpdateError("no engine gives the known answer")

    def update(execute, service):
        versions = ("0.1.0", "2026.1.1")
        apply.apply(tmp_path / "b.tar", home, keys[1], versions, service, lambda: None, 1.0, False, [].append, execute)

    assert sentence(update, failing, Service()) == "no engine gives the known answer"
    assert list((root / "bundles").iterdir()) == []
    assert "it failed" in sentence(update, [].append, Service(why="it failed"))
    assert list((root / "bundles").iterdir()) == []
    update([].append, Service())
    assert "it failed" in sentence(update, [].append, Service(why="it failed"))  # the one that runs
    assert [p.name for p in (root / "bundles").iterdir()] == ["2026.2.1"]
