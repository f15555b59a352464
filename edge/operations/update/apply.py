"""A complete update."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.core.errors import UpdateError
from edge.operations.update import activate, fetch, stage
from edge.operations.update.activate import Reporter, Trial, Unit
from edge.operations.update.package import Manifest, verify
from edge.operations.update.stage import Installation, Run


def apply(
    package: Path | str,
    home: Installation,
    key: str,
    versions: tuple[str, str],
    unit: Unit,
    arm: Callable[[], None],
    health: float = 60.0,
    allow_downgrade: bool = False,
    say: Reporter = print,
    execute: Run = stage.run,
) -> None:
    """Fetches, verifies, stages, tests, activates and watches.

    `versions`: those of the running release and bundle.

    `package`: a file or an address. `arm`: ensures that an interrupted trial is finished at the next start. Raises
    UpdateError; then the previous version runs, and the staged one is removed.
    """
    with activate.alone(home.root):
        if activate.pending(home.journal):
            raise UpdateError("an update is on trial: wait for it, or end it with: maskcam update --resume")
        stage.sweep(home)

        def checked(beginning: Path) -> Manifest:
            manifest = verify(beginning, key)
            stage.check(manifest, versions[manifest.kind == "bundle"], home, allow_downgrade)
            return manifest

        with fetch.fetched(str(package), home.root, lambda beginning: checked(beginning).packed) as path:
            manifest = checked(path)
            say(f"{manifest.kind} {manifest.version}: the signature is right")
            trial = _placed(path, manifest, home, versions[0], say, execute)
        with _unless_it_runs(trial):
            arm()
            activate.attempt(home.journal, trial, unit, health, say)
        _prune(manifest, home, trial)


def _placed(path: Path, manifest: Manifest, home: Installation, version: str, say: Reporter, execute: Run) -> Trial:
    """Stages and tests the package; returns the trial to come."""
    if manifest.kind == "release":
        new = stage.release(path, manifest, home, execute)
        python, chosen = new / "bin" / "python", []
        link, target = home.entry, new / "bin" / "maskcam"
    else:
        new = stage.bundle(path, manifest, home)
        python, chosen = home.environment / "bin" / "python", ["--set", f"model.bundle={new}"]
        link, target = home.environment / "bundle", new
    say(f"{manifest.kind} {manifest.version}: placed in {new}")
    trial = activate.begin(link, target, f"{manifest.kind} {manifest.version}", version)
    with _unless_it_runs(trial):
        execute([str(python), "-I", "-m", "edge", "update", "--prove", *chosen])
    say(f"{manifest.kind} {manifest.version}: gives the known answers")
    return trial


@contextmanager
def _unless_it_runs(trial: Trial) -> Iterator[None]:
    """Removes what failed, so that failures do not fill the disk, but never the link's present or previous target."""
    try:
        yield
    except UpdateError:
        link = Path(trial.link)
        new = (link.parent / trial.new).resolve()
        folder = new if new.parent.name == "bundles" else new.parents[1]
        named = [link.resolve(), (link.parent / (trial.old or "")).resolve()]
        if not any(folder == one or folder in one.parents for one in named):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _prune(manifest: Manifest, home: Installation, trial: Trial) -> None:
    """Removes all but the running version and the previous one."""
    folder = home.root / f"{manifest.kind}s"
    kept = {manifest.version, home.environment.name, *Path(trial.old or "").parts}
    kept |= {Path(link).resolve().name for link in (home.root / "bundle", *home.root.glob("releases/*/bundle"))}
    for old in folder.iterdir():
        if old.name not in kept:
            shutil.rmtree(old, ignore_errors=True)
