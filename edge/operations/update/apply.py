"""An update from beginning to end."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from edge.core.errors import UpdateError
from edge.operations.update import activate, stage
from edge.operations.update.activate import Reporter, Unit
from edge.operations.update.package import Manifest, verify
from edge.operations.update.stage import Installation, Run


def apply(
    path: Path,
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
    """Verifies, places, proves, switches, watches. `versions` are those of the release and the bundle that run.

    `arm` sees to it that an interrupted trial is ended at the next start. Raises UpdateError; what ran before runs.
    """
    if activate.pending(home.journal):
        raise UpdateError("an update is on trial: wait for it, or end it with: maskcam update --resume")
    manifest = verify(path, key)
    say(f"{manifest.kind} {manifest.version}: the signature is right")
    stage.check(manifest, versions[manifest.kind == "bundle"], home, allow_downgrade)
    if manifest.kind == "release":
        new = stage.release(path, manifest, home, execute)
        prove = [str(new / "bin" / "python"), "-m", "edge", "update", "--prove"]
        link, target = home.entry, new / "bin" / "maskcam"
    else:
        new = stage.bundle(path, manifest, home)
        prove = [
            str(home.environment / "bin" / "python"),
            "-m",
            "edge",
            "update",
            "--prove",
            "--set",
            f"model.bundle={new}",
        ]
        link, target = home.environment / "bundle", new
    say(f"{manifest.kind} {manifest.version}: placed in {new}")
    execute(prove)
    say(f"{manifest.kind} {manifest.version}: gives the known answers")
    arm()
    trial = activate.begin(link, target, f"{manifest.kind} {manifest.version}", versions[0])
    activate.attempt(home.journal, trial, unit, health, say)
    _prune(manifest, home, trial)


def _prune(manifest: Manifest, home: Installation, trial: activate.Trial) -> None:
    """Keeps what runs and what ran before it."""
    folder = home.root / f"{manifest.kind}s"
    kept = {manifest.version, home.environment.name, *Path(trial.old or "").parts}
    kept |= {Path(link).resolve().name for link in (home.root / "bundle", *home.root.glob("releases/*/bundle"))}
    for old in folder.iterdir():
        if old.name not in kept:
            shutil.rmtree(old, ignore_errors=True)
