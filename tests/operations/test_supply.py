"""What a device installs is what the card and the lock say, whatever an index, a variable or a folder offers.

The installer and first boot are the real ones, with a real venv and pip, in a folder that stands for the system;
maskcam and the package it needs are wheels of a few bytes, and so are the impostors.
"""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from edge.config import sources
from edge.core.errors import FlashError, MaskcamError, UpdateError
from edge.operations import repack
from edge.operations.flash import locks, wheels
from edge.operations.update import package, stage

ROOT = Path(__file__).parents[2]
BOARDS = ("cpu", "pi", "coral", "jetson")
pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")


def wheel(folder, name, version, says, metadata="", scripts=""):
    """A wheel with a module that says something."""
    path, info = folder / f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"SAYS = {says!r}\ndef main():\n    print(SAYS)\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": scripts,
    }
    digests = {n: base64.urlsafe_b64encode(hashlib.sha256(t.encode()).digest()).rstrip(b"=") for n, t in files.items()}
    files[f"{info}/RECORD"] = "".join(f"{n},sha256={d.decode()},\n" for n, d in digests.items()) + f"{info}/RECORD,,\n"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in files.items():
            archive.writestr(inner, text)
    return path


def maskcam(folder, version, says):
    """A maskcam that says one thing to everything, `config requires` too."""
    needs = "Provides-Extra: pi\nRequires-Dist: needed>=1; extra == 'pi'\n"
    for extra in ("mqtt", "parts"):
        needs += f"Provides-Extra: {extra}\nRequires-Dist: heard>=1; extra == '{extra}'\n"
    return wheel(folder, "maskcam", version, says, needs, "[console_scripts]\nmaskcam = maskcam:main\n")


def index(folder, files):
    """A package index as files: pip reads it over file://."""
    for path in files:
        page = folder / path.name.split("-")[0]
        page.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, page)
    for page in folder.iterdir():
        links = "".join(
            f'<a href="{path.name}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}">{path.name}</a>\n'
            for path in page.glob("*.whl")
        )
        (page / "index.html").write_text(links)
    return folder.as_uri()


@pytest.fixture
def system(tmp_path):
    """A system with a card in it; every index and folder that pip may hear of offers impostors, and so does ./."""
    boot, bin = tmp_path / "boot/firmware", tmp_path / "bin"
    card = boot / "maskcam"
    shutil.copytree(ROOT / "systemd", card / "systemd")
    shutil.copytree(ROOT / "configs", card / "configs")
    maskcam(card / "wheels", "0.1.0", "ours")
    genuine = wheel(tmp_path / "genuine", "needed", "1.0", "genuine")
    evil = tmp_path / "evil"
    impostors = [
        maskcam(evil, "99.0", "evil"),
        wheel(evil, "needed", "99.0", "evil"),
        wheel(evil, "needed", "1.0", "evil"),
    ]
    lock = f"needed==1.0 --hash=sha256:{hashlib.sha256(genuine.read_bytes()).hexdigest()}\n"
    (card / "systemd/locks/pi.txt").write_text(lock)
    (card / "first-boot.conf").write_text("ID=one\nBOARD=pi\nOFFLINE=no\nPYTHON=\nSSH=no\n")
    (card / "SHA256SUMS").write_text("")
    bin.mkdir()
    for name in ("systemctl", "systemd-sysusers", "udevadm", "journalctl", "sync", "sha256sum"):
        (bin / name).write_text("#!/bin/sh\n")
    (bin / "id").write_text("#!/bin/sh\necho 0\n")
    (bin / "install").write_text(  # without the group, which only a real system has
        f'#!/bin/bash\na=(); while [ $# -gt 0 ]; do [ "$1" = -g ] && shift || a+=("$1"); shift; done\n'
        f'exec {shutil.which("install")} "${{a[@]}}"\n'
    )
    (bin / "python3").write_text(f'#!/bin/sh\nexec {os.path.realpath(sys.executable)} "$@"\n')
    (bin / "sleep").write_text(f"#!/bin/sh\nexec {shutil.which('sleep')} 0.002\n")
    for path in bin.iterdir():
        path.chmod(0o755)
    here = tmp_path / "here"
    (here / "pip").mkdir(parents=True)
    (here / "pip/__init__.py").write_text("raise SystemExit('imported from the working directory')\n")
    environ = {
        "PATH": f"{bin}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "MASKCAM_ROOT": str(tmp_path),
        "PYTHONPATH": str(here),
        "PIP_INDEX_URL": index(tmp_path / "index", [*impostors[:2], genuine]),
        "PIP_EXTRA_INDEX_URL": index(tmp_path / "extra", impostors),
        "PIP_FIND_LINKS": str(evil),
    }

    class System:
        root, wheels, config = tmp_path, card / "wheels", card / "first-boot.conf"

        def program(self, name, text):
            (bin / name).write_text(f"#!/bin/sh\n{text}\n")
            (bin / name).chmod(0o755)

        def apt(self, knows):
            """A system without a package, whose apt-get has `knows`; what it was asked stands in apt."""
            self.program("dpkg-query", "exit 1")
            self.program(
                "apt-get", f'echo "$@" >>{tmp_path}/apt; case "$*" in *update*|*{knows}*) ;; *) exit 100; esac'
            )

        def asked_of_apt(self):
            file = tmp_path / "apt"
            return file.read_text().splitlines() if file.exists() else []

        def run(self, *command):
            return subprocess.run(command, env=environ, cwd=here, capture_output=True, text=True)

        def first_boot(self):
            done = self.run("sh", card / "systemd/first-boot.sh", "run")
            return done.returncode, (boot / "maskcam-first-boot.log").read_text()

        def installer(self, *arguments):
            return self.run("bash", card / "systemd/install.sh", "--board", "pi", *map(str, arguments))

        def says(self, module):
            code = f"import {module}; print({module}.SAYS)"
            return self.run(tmp_path / "opt/maskcam/bin/python", "-I", "-c", code).stdout.strip()

    System.genuine = genuine
    return System()


def test_first_boot_with_a_network_takes_maskcam_from_the_card_and_the_rest_by_its_digest(system):
    code, log = system.first_boot()
    assert code == 0, log
    assert (system.says("maskcam"), system.says("needed")) == ("ours", "genuine")
    assert not (system.root / "opt/maskcam/install.part").exists()


def test_without_a_network_only_the_card_counts(system):
    system.config.write_text(system.config.read_text().replace("OFFLINE=no", "OFFLINE=yes").replace(
        "PYTHON=", "PYTHON={}.{}".format(*sys.version_info)
    ))  # fmt: skip
    code, log = system.first_boot()
    assert code == 1, "what the card lacks is nowhere else to be had"
    assert "needed" in log
    shutil.copy(system.genuine, system.wheels)
    code, log = system.first_boot()
    assert code == 0, log
    assert (system.says("maskcam"), system.says("needed")) == ("ours", "genuine")


def test_what_has_another_digest_is_not_installed(system):
    for page in ("index", "extra"):
        (system.root / page / "needed" / system.genuine.name).write_bytes(
            (system.root / "evil" / system.genuine.name).read_bytes()
        )
    done = system.installer("--wheel", system.wheels / "maskcam-0.1.0-py3-none-any.whl")
    assert done.returncode != 0
    assert "needed" in done.stderr
    assert system.says("needed") == ""


def test_a_folder_with_two_maskcams_is_refused(system):
    maskcam(system.wheels, "0.2.0", "another")
    done = system.installer("--wheels", system.wheels)
    assert done.returncode == 2
    assert "expected maskcam's wheel there once, found 2" in done.stderr


def needing(system, words):
    """The card's maskcam, whose settings need something; its lock has what the extra mqtt brings."""
    heard = wheel(system.root / "genuine", "heard", "1.0", "genuine")
    index(system.root / "index", [heard])
    with (system.wheels.parent / "systemd/locks/pi.txt").open("a") as lock:
        lock.write(f"heard==1.0 --hash=sha256:{hashlib.sha256(heard.read_bytes()).hexdigest()}\n")
    return maskcam(system.wheels, "0.1.0", words)


def test_the_installer_brings_what_the_settings_need(system):
    done = system.installer("--wheel", needing(system, "sound"))
    assert done.returncode == 0, done.stderr
    assert (system.says("needed"), system.says("heard")) == ("genuine", ""), "no setting asks for it"
    drop_ins = system.root / "etc/systemd/system/maskcam.service.d"
    assert [path.name for path in drop_ins.iterdir()] == ["sound.conf"]

    ours = maskcam(system.wheels, "0.1.0", "apt:python3-lgpio\nextra:mqtt\nnetwork")
    system.apt(knows="python3-lgpio")
    done = system.installer("--wheel", ours)
    assert done.returncode == 0, done.stderr
    assert (system.says("needed"), system.says("heard")) == ("genuine", "genuine")
    assert system.asked_of_apt() == ["-qq --no-install-recommends install python3-lgpio"]
    assert [path.name for path in drop_ins.iterdir()] == ["network.conf"]
    assert not (system.root / "opt/maskcam/install.part").exists()

    (system.root / "apt").unlink()
    for path in (system.genuine, system.root / "genuine/heard-1.0-py3-none-any.whl"):
        shutil.copy(path, system.wheels)
    done = system.installer("--wheels", system.wheels)
    assert done.returncode == 0, done.stderr
    assert "the configuration needs what this system lacks: python3-lgpio" in done.stderr
    assert system.asked_of_apt() == [], "without a network it has nothing to give"

    system.apt(knows="nothing")
    done = system.installer("--wheel", ours)
    assert done.returncode == 2
    assert "install.sh: error: the configuration needs python3-lgpio, which apt-get could not install" in done.stderr
    install = "-qq --no-install-recommends install python3-lgpio"
    assert system.asked_of_apt() == [install, "-qq update", install], "its lists may be old"


def test_a_part_of_another_package_comes_with_what_it_needs(system, tmp_path):
    """From its own wheel, never from an index; what maskcam's lock says stays."""
    parts = tmp_path / "own parts"
    wheel(parts / "needed", "clapper", "1.0", "clap")
    wheel(parts / "needed", "needed", "2.0", "another")
    ours = system.wheels / "maskcam-0.1.0-py3-none-any.whl"
    for says in ("ding", "dong"):  # the same version with another content is what an author tries
        wheel(parts, "maskcam_bell", "1.0", says, "Requires-Dist: clapper\nRequires-Dist: needed\n", BELL)
        done = system.installer("--wheel", ours, "--parts", parts)
        assert done.returncode == 0, done.stderr
        assert [system.says(name) for name in ("maskcam_bell", "clapper", "needed")] == [says, "clap", "genuine"]
    done = system.installer("--wheel", ours, "--parts", system.root / "evil/none")
    assert (done.returncode, "no such folder" in done.stderr) == (2, True)


@pytest.mark.parametrize("board", BOARDS)
def test_every_lock_holds_what_any_setting_may_ask_for(board):
    from edge.cameras import registry as cameras
    from edge.sinks import pins
    from edge.sinks import registry as sinks

    rows = [kind.needs for kind in (*cameras.BUILT_IN, *sinks.BUILT_IN)] + list(pins.NEEDS.values())
    extras = {word.removeprefix("extra:") for needs in rows for word in needs if word.startswith("extra:")}
    for extra in sorted(extras | {"web", "update"}):
        pinned = {package.name for package in locks.read(locks.path(ROOT, board, "aarch64"), "3.13", "aarch64")}
        assert {requirement.name.lower() for requirement in wanted(extra, "3.13", "aarch64")} <= pinned, extra


@pytest.mark.parametrize("board", BOARDS)
def test_every_lock_satisfies_what_pyproject_asks_for(board):
    """For each system of the README; .ci/lock makes the files anew."""
    for python, machine in (
        ("3.13", "aarch64"),
        ("3.11", "aarch64"),
        ("3.12", "x86_64"),
        ("3.10", "aarch64"),
        ("3.11", "armv7l"),
    ):
        if machine == "armv7l" and board == "jetson":
            continue
        pinned = {package.name: package for package in locks.read(locks.path(ROOT, board, machine), python, machine)}
        apt = {"numpy", "opencv-python-headless"} if machine == "armv7l" else set()
        for requirement in wanted(board, python, machine):
            if requirement.name not in apt:
                assert requirement.specifier.contains(pinned[requirement.name.lower()].version), (
                    f"{requirement}: {machine}"
                )
        assert all(package.sha256 for package in pinned.values())
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for package in pinned.values() for digest in package.sha256)


def wanted(extra, python, machine):
    """The requirements of maskcam and of an extra, with those of the extras that it names."""
    from packaging.requirements import Requirement

    project = sources.tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    todo, environment = [*project["dependencies"], f"maskcam[{extra}]"], {"python_version": python}
    environment |= {"platform_machine": machine, "sys_platform": "linux"}
    while todo:
        requirement = Requirement(todo.pop())
        if requirement.name == "maskcam":
            todo += [one for name in requirement.extras for one in project["optional-dependencies"][name]]
        elif requirement.marker is None or requirement.marker.evaluate(environment):
            yield requirement


@pytest.mark.parametrize(
    ("line", "message"),
    [("numpy==2.0\n", "numpy has no digest"), ("numpy=2 --hash=sha256:00\n", "lock.txt: numpy=2: ")],
)
def test_a_lock_that_pins_nothing_is_refused(tmp_path, line, message):
    (tmp_path / "lock.txt").write_text(line)
    with pytest.raises(FlashError, match=message):
        locks.read(tmp_path / "lock.txt", "3.13", "aarch64")


BELL = "[maskcam.sinks]\nbell = maskcam_bell:BELL\n"


def place(monkeypatch, site, *wheels):
    """Installs wheels where this process finds them."""
    for path in wheels:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(site)
    monkeypatch.syspath_prepend(site)


def test_parts_are_packed_again_with_what_they_need_beside_the_lock(tmp_path, monkeypatch):
    needs = "Requires-Dist: clap-per>=1\nRequires-Dist: absent; sys_platform == 'win32'\nRequires-Dist: maskcam\n"
    needs += "Requires-Dist: tests; extra == 'test'\nRequires-Dist: locked\n"
    bell = wheel(tmp_path, "maskcam_bell", "1.0", "ding", needs, BELL)
    others = [wheel(tmp_path, name, "1.0", name) for name in ("clap_per", "tests", "locked")]
    place(monkeypatch, tmp_path / "site", bell, *others)
    made = repack.parts(["maskcam_bell"], tmp_path / "out", {"locked"})
    assert [str(path.relative_to(tmp_path / "out")) for path in made] == [
        "maskcam_bell-1.0-py3-none-any.whl",
        "needed/clap_per-1.0-py3-none-any.whl",
    ]
    record = tmp_path / "site/maskcam_bell-1.0.dist-info"
    (record / "direct_url.json").write_text('{"url": "file:///x", "dir_info": {"editable": true}}')
    with pytest.raises(MaskcamError, match="maskcam_bell is installed as a link to its source: install it without -e"):
        repack.parts(["maskcam_bell"], tmp_path / "out", set())


def test_a_part_for_this_machine_alone_is_not_put_onto_a_card(tmp_path, monkeypatch):
    place(monkeypatch, tmp_path / "site", wheel(tmp_path, "maskcam_bell", "1.0", "ding", "", BELL))
    (tmp_path / "lock.txt").write_text("")
    info = tmp_path / "site/maskcam_bell-1.0.dist-info"
    told = (info / "WHEEL").read_text()
    (info / "WHEEL").write_text(told.replace("Tag: py3-none-any", "Tag: cp311-cp311-linux_x86_64"))
    (info / "RECORD").write_text(
        "\n".join(line for line in (info / "RECORD").read_text().split() if "WHEEL" not in line)
    )
    (only,) = wheels.parts(["maskcam_bell"], tmp_path / "out", tmp_path / "lock.txt")
    assert only.name == "maskcam_bell-1.0-cp311-cp311-linux_x86_64.whl"
    with pytest.raises(FlashError, match=r"linux_x86_64.whl: for this machine only: leave its part out"):
        wheels.parts(["maskcam_bell"], tmp_path / "out", tmp_path / "lock.txt", card=True)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """What `gather` needs of one, and an index for it. Building maskcam's wheel has its own test."""
    genuine = wheel(tmp_path / "genuine", "needed", "1.0", "genuine")
    (tmp_path / "systemd/locks").mkdir(parents=True)
    digest = hashlib.sha256(genuine.read_bytes()).hexdigest()
    (tmp_path / "systemd/locks/pi.txt").write_text(
        f"needed==1.0 ; python_version >= '3.12' \\\n    --hash=sha256:{digest}\n"
    )
    monkeypatch.setenv("PIP_INDEX_URL", index(tmp_path / "index", [genuine]))
    monkeypatch.setattr(wheels, "own", lambda checkout, folder: maskcam(folder, "0.1.0", "ours"))
    return tmp_path


def gather(checkout, said):
    return wheels.gather(
        checkout, checkout / "out", "pi", "3.13", "aarch64", "2.40", say=said.append, cache=checkout / "cache"
    )


def test_what_was_downloaded_is_kept_and_checked_when_it_is_used_again(checkout):
    said = []
    names = [path.name for path in gather(checkout, said)]
    assert names == ["maskcam-0.1.0-py3-none-any.whl", "needed-1.0-py3-none-any.whl"]
    assert said == ["downloading 1 packages: needed"]
    shutil.rmtree(checkout / "index")
    shutil.rmtree(checkout / "out")
    assert [path.name for path in gather(checkout, said)] == names, "without an index"
    assert len(said) == 1
    (kept,) = (checkout / "cache").rglob("needed*.whl")
    kept.write_bytes(b"rotten")
    with pytest.raises(FlashError, match="pip download failed"):
        gather(checkout, said)


def test_maskcams_wheel_holds_the_tree_and_nothing_that_earlier_builds_left(tmp_path):
    tree = tmp_path / "tree"
    (tree / "edge").mkdir(parents=True)
    (tree / "edge/__init__.py").write_text("__version__ = '0.1.0'\n")
    (tree / "build/lib/edge").mkdir(parents=True)
    (tree / "build/lib/edge/old.py").write_text("")
    (tree / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "maskcam"\nversion = "0.1.0"\n[tool.setuptools]\npackages = ["edge"]\n'
    )
    with zipfile.ZipFile(wheels.own(tree, tmp_path)) as archive:
        names = [name for name in archive.namelist() if name.startswith("edge/")]
    assert names == ["edge/__init__.py"]
    assert sorted(path.name for path in tree.iterdir()) == ["build", "edge", "pyproject.toml"]


def test_an_update_installs_its_own_wheel_by_path_and_hears_nobody(tmp_path, monkeypatch):
    """The commands of a release, run for real, where variables and the working directory offer impostors."""
    minisign = pytest.importorskip("minisign", reason="needs the extra 'update'")
    keys = minisign.KeyPair.generate()
    (tmp_path / "key").write_bytes(bytes(keys.secret_key))
    files = [maskcam(tmp_path / "release", "0.2.0", "ours"), wheel(tmp_path / "release", "needed", "1.0", "genuine")]
    facts = {"kind": "release", "version": "0.2.0", "board": "pi"}
    out = tmp_path / "release.tar"
    package.pack(out, {path.name: path for path in files}, tmp_path / "key", **facts)
    maskcam(tmp_path / "evil", "99.0", "evil")
    wheel(tmp_path / "evil", "needed", "99.0", "evil")
    for name in ("edge", "pip", "venv"):
        (tmp_path / "here" / name).mkdir(parents=True)
        (tmp_path / "here" / name / "__init__.py").write_text(
            "raise SystemExit('imported from the working directory')\n"
        )
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "here"))
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "evil"))
    place(monkeypatch, tmp_path / "site", wheel(tmp_path / "parts", "maskcam_bell", "1.0", "ding", "", BELL))
    home = stage.Installation(tmp_path / "opt", tmp_path / "opt")
    home.root.mkdir()
    folder = stage.release(out, package.verify(out, keys.public_key.to_base64().decode()), home)
    code = "import maskcam, maskcam_bell, needed; print(maskcam.SAYS, needed.SAYS, maskcam_bell.SAYS)"
    done = subprocess.run([folder / "bin/python", "-I", "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["ours", "genuine", "ding"], "and the part that the environment had before"


def test_a_command_of_an_update_runs_in_a_folder_of_the_systems(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", "https://example.org")
    stage.run(["sh", "-c", f"pwd >{tmp_path}/where; env >>{tmp_path}/where"])
    said = (tmp_path / "where").read_text().splitlines()
    assert said[0] == "/"
    assert not [line for line in said if line.startswith(("PYTHONPATH=", "PIP_INDEX_URL="))]
    with pytest.raises(UpdateError, match="failed: bad news"):
        stage.run(["sh", "-c", "echo bad news; exit 1"])


def test_maskcam_makes_its_wheel_again_from_what_is_installed(tmp_path):
    """Without its source, as `pip install` leaves it: byte by byte, and never from files that somebody has changed."""
    from importlib.metadata import Distribution

    made = maskcam(tmp_path / "wheels", "0.1.0", "ours")
    site = tmp_path / "site"
    with zipfile.ZipFile(made) as archive:
        archive.extractall(site)
        names = archive.namelist()
    (site / "maskcam-0.1.0.dist-info/INSTALLER").write_text("pip\n")
    again = repack.repacked(Distribution.at(site / "maskcam-0.1.0.dist-info"), tmp_path)
    with zipfile.ZipFile(made) as one, zipfile.ZipFile(again) as other:
        assert sorted(other.namelist()) == sorted(names)
        assert all(one.read(name) == other.read(name) for name in names if not name.endswith("RECORD"))
    first = again.read_bytes()
    assert repack.repacked(Distribution.at(site / "maskcam-0.1.0.dist-info"), tmp_path).read_bytes() == first
    (site / "maskcam.py").write_text("SAYS = 'evil'\n")
    with pytest.raises(MaskcamError, match=r"maskcam.py: changed since maskcam was installed"):
        repack.repacked(Distribution.at(site / "maskcam-0.1.0.dist-info"), tmp_path)


def test_the_wheel_carries_settings_unit_installer_first_boot_locks_and_licences(tmp_path):
    with zipfile.ZipFile(wheels.own(ROOT, tmp_path)) as archive:
        names = set(archive.namelist())
    for folder in ("configs", "systemd", "systemd/locks"):
        for path in (ROOT / folder).glob("*.*"):
            assert f"edge/share/{folder}/{path.name}" in names
    licences = {name.rpartition("/")[2] for name in names if ".dist-info/" in name}
    assert licences >= {"LICENSE", "NOTICE"}, "ours, and that of YuNet, as which the shipped detector began"


@pytest.mark.skipif(not shutil.which("systemctl"), reason="needs systemctl")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--board", "pi"], "would run: systemctl enable --quiet maskcam"),
        (["--board", "pi", "--name", "back"], "would run: systemctl enable --quiet maskcam@back"),
        (["--uninstall"], "left in place: /etc/maskcam, /var/lib/maskcam"),
        (["--uninstall", "--name", "back"], "left in place: /etc/maskcam/back.toml"),
    ],
)
def test_the_service_is_installed_by_a_command(monkeypatch, capfd, options, said):
    from edge import cli

    monkeypatch.setattr(wheels, "own", lambda checkout, folder: maskcam(folder, "0.1.0", "ours"))
    assert cli.main(["service", "install", "--dry-run", *options]) == 0
    printed = capfd.readouterr().out
    assert said in printed
    assert all(line.startswith(("would ", "left in place", "/etc/maskcam")) for line in printed.splitlines())


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_understands_the_template(tmp_path):
    """As the installer writes it for a second camera."""
    text = (ROOT / "systemd/install.sh").read_text()
    function = text[text.index("write_template() {") :].partition("\n}\n")[0] + "\n}"
    script = f"HERE={ROOT}/systemd; UNIT={tmp_path}/maskcam@.service\n{function}\nwrite_template"
    subprocess.run(["bash", "-euc", script], check=True)
    unit = (tmp_path / "maskcam@.service").read_text()
    for line in (
        "ExecStart=/opt/maskcam/bin/maskcam run --config /etc/maskcam/%i.toml",
        "ExecStopPost=-/opt/maskcam/bin/maskcam alerts off --config /etc/maskcam/%i.toml",
        "RuntimeDirectory=maskcam-%i",
        "StateDirectory=maskcam-%i",
        "WorkingDirectory=%t/maskcam-%i",
    ):
        assert line in unit
    instance = tmp_path / "maskcam@back.service"
    instance.write_text(unit.replace("/opt/maskcam/bin/maskcam", shutil.which("true")))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", instance], capture_output=True, text=True)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "maskcam" in line]) == (0, [])
