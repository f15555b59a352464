"""`maskcam-convert edgetpu`: runs Google's Edge TPU compiler on a bundle and believes its log, not its exit code.

The compiler succeeds with nothing mapped at all. All networks are compiled in one call, so that they share the
chip's memory for parameters: compiled apart, each would throw the other's out with every picture.
https://coral.ai/docs/edgetpu/compiler/
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from convert.edgetpu.check import check
from edge.core.errors import BundleError, DataError, EngineError
from edge.vision import bundle as bundles

COMPILER = "edgetpu_compiler"
MISSING = (
    f"{COMPILER} is not on the PATH: it exists for x86-64 Linux only (Debian package edgetpu-compiler from "
    "https://packages.cloud.google.com/apt coral-edgetpu-stable, see https://coral.ai/docs/edgetpu/compiler); "
    "'maskcam-convert check-edgetpu' says beforehand, anywhere, what it would map"
)
TIMEOUT = 600
"""Seconds; the compiler itself gives up after 180."""
MAPPED = "Mapped to Edge TPU"
VERSION = re.compile(r"^Edge TPU Compiler version (\S+)", re.MULTILINE)
ROW = re.compile(r"^(\S+)[ \t]+(\d+)[ \t]+(\S.*?)[ \t]*$", re.MULTILINE)
"""Operator, count, status."""
BORDER = ("QUANTIZE", "DEQUANTIZE")
"""Conversions at the network's border, which may stay on the processor."""


@dataclass(frozen=True)
class Mapping:
    """What the compiler's log says of one network."""

    compiler: str
    operations: int
    mapped: int
    on_cpu: dict[str, int] = field(default_factory=dict)
    """ "OPERATION: why" -> how many stay on the processor."""

    @property
    def kept_back(self) -> int:
        """Operations on the processor beside the conversions at the border."""
        return sum(n for what, n in self.on_cpu.items() if what.partition(":")[0] not in BORDER)

    @property
    def share(self) -> float:
        """Of the operations that should be mapped, those that are, 0..1."""
        wanted = self.mapped + self.kept_back
        return self.mapped / wanted if wanted else 0.0


def parse(log: str) -> Mapping:
    """Reads the log that the compiler writes beside its result. Raises EngineError for any other text."""
    version, rows = VERSION.search(log), ROW.findall(log)
    if not version or not rows:
        said = " ".join(log.split()[-30:]) or "nothing"
        raise EngineError(f"{COMPILER}: no table of operations in its log, it said: {said}")
    mapped = sum(int(n) for _, n, status in rows if status == MAPPED)
    on_cpu: dict[str, int] = {}
    for name, n, status in rows:
        if status != MAPPED:
            on_cpu[f"{name}: {status}"] = on_cpu.get(f"{name}: {status}", 0) + int(n)
    return Mapping(version.group(1), mapped + sum(on_cpu.values()), mapped, on_cpu)


def run(folder: Path, share: float = 1.0, run: Callable[..., Any] = subprocess.run) -> dict[str, Mapping]:
    """Compiles the networks of a bundle into it. Raises BundleError, DataError, EngineError; then nothing changed.

    share: part (0..1) of the operations, those at the border aside, that the compiler has to map.
    """
    bundle = bundles.load(folder)
    compiler = shutil.which(COMPILER)
    if compiler is None:
        raise EngineError(MISSING)
    models = {name: bundle.path(name, "tflite") for name in bundle.networks}
    with tempfile.TemporaryDirectory(dir=folder, prefix=".edgetpu-") as temporary:
        made = _compile(compiler, list(models.values()), Path(temporary), run)
        found = {}
        for name, path in models.items():
            log = made / f"{path.stem}_edgetpu.log"
            found[name] = parse(log.read_text(errors="replace") if log.is_file() else "")
            _judge(name, found[name], made / f"{path.stem}_edgetpu.tflite", share)
        _record(bundle, made, {name: f"{path.stem}_edgetpu.tflite" for name, path in models.items()}, found)
    bundles.load(folder)
    return found


def _compile(compiler: str, models: list[Path], out: Path, run: Callable[..., Any]) -> Path:
    """Runs the compiler; returns the folder that holds its results."""
    command = [compiler, "--show_operations", "--out_dir", str(out), *map(str, models)]
    try:
        done = run(command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT)
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"{COMPILER}: no end after {TIMEOUT} s; nothing was changed") from error
    except OSError as error:
        raise EngineError(f"{compiler}: cannot be started: {error.strerror}; it runs on x86-64 Linux only") from error
    if done.returncode:
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        said = " ".join(f"{done.stdout}\n{done.stderr}".split()) or "nothing"
        raise EngineError(f"{COMPILER}: {how}, it said: {said[-400:]}; nothing was changed")
    return out


def _judge(name: str, mapping: Mapping, compiled: Path, share: float) -> None:
    if not compiled.is_file():
        raise EngineError(f"{COMPILER}: wrote no {compiled.name}; nothing was changed")
    if mapping.share < share or not mapping.mapped:
        left = ", ".join(f"{n} {what}" for what, n in mapping.on_cpu.items())
        raise EngineError(
            f"{name}: {mapping.mapped} of {mapping.operations} operations mapped to the Edge TPU, expected a share of "
            f"{share:g}; on the processor stay: {left}; nothing was changed (--share accepts less)"
        )
    if not check(compiled).compiled:
        raise DataError(f"{compiled.name}: holds no operation of the Edge TPU, although the log says so")


def _record(bundle: bundles.Bundle, made: Path, files: dict[str, str], found: dict[str, Mapping]) -> None:
    """Moves the files into the bundle, then replaces bundle.json, which is what makes them part of it."""
    folder = bundle.folder
    values = json.loads((folder / bundles.NAME).read_text())
    places = [values["detector"], values["classifier"], *values["detector"].get("shapes", [])]
    for place, network in zip(places, bundle.networks, strict=True):
        name = files[network]
        data = (made / name).read_bytes()
        values["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        place["files"]["edgetpu"] = name
        place["edgetpu"] = asdict(found[network])
    bundles.Bundle.model_validate(values)
    (made / bundles.NAME).write_text(json.dumps(values, indent=1, allow_nan=False) + "\n")
    try:
        for name in (*files.values(), bundles.NAME):
            os.replace(made / name, folder / name)
    except OSError as error:
        raise BundleError(f"{folder}: cannot be written: {error.strerror}") from error


def table(found: dict[str, Mapping]) -> str:
    """One line per network, and one per reason for what stays on the processor."""
    lines = []
    for name, m in found.items():
        lines.append(f"{name}: {m.mapped} of {m.operations} operations on the Edge TPU (compiler {m.compiler})")
        lines += [f"  {n} on the processor: {what}" for what, n in m.on_cpu.items()]
    return "\n".join(lines)
