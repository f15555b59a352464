"""`maskcam-convert check-edgetpu`: what of a network an Edge TPU can run, from the file alone, before any compiler."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod
from pathlib import Path

from convert.edgetpu.flatbuffer import Graph, Operation, read
from convert.edgetpu.rules import EIGHT_BITS, SIZE_MATTERS, objection
from edge.core.errors import BundleError
from edge.vision import bundle as bundles

COMPILED = "edgetpu-custom-op"
"""The one operation of a compiled part."""
ON_CHIP = 7 * 2**20
"""Bytes for parameters in the 8 MB on the chip: compilers report 7.0 to 8.2 MiB, the larger the network the less."""
LARGE = 2**18
"""Elements of a result from which a warning is due."""
AFTER = "after one that is not mapped: only one part of a network is"
BORDER = "on the processor: between float and 8-bit at the border"


@dataclass(frozen=True)
class Row:
    operation: str
    count: int
    verdict: str
    """"mapped", "border" (runs on the processor, and rightly so) or "unmapped"."""
    reason: str = ""


@dataclass(frozen=True)
class Report:
    path: Path
    rows: tuple[Row, ...]
    warnings: tuple[str, ...]
    compiled: bool
    """Whether the file has been through the compiler already."""

    @property
    def unmapped(self) -> int:
        """Operations that would run on the processor and need not."""
        return sum(row.count for row in self.rows if row.verdict == "unmapped")

    def render(self) -> str:
        if self.compiled:
            return f"{self.path}: compiled for the Edge TPU already; only the Coral backend can run it"
        total = sum(row.count for row in self.rows)
        head = f"{self.path}: {total} operations, {self.unmapped} that an Edge TPU cannot map"
        said = {"mapped": "mapped", "border": BORDER}
        rows = [f"  {r.operation:<26}{r.count:>5}  {said.get(r.verdict, f'NOT mapped: {r.reason}')}" for r in self.rows]
        return "\n".join([head, *rows, *(f"  warning: {w}" for w in self.warnings)])


def check(path: Path) -> Report:
    """Judges one `.tflite` file. Raises DataError when it is none."""
    graph = read(path)
    if any(op.name == COMPILED for op in graph.operations):
        return Report(path, (), (), True)
    counted = Counter((op.name, *verdict) for op, verdict in zip(graph.operations, _verdicts(graph), strict=True))
    rows = [Row(name, n, verdict, reason) for (name, verdict, reason), n in sorted(counted.items())]
    return Report(path, tuple(rows), tuple(_warnings(graph)), False)


def _verdicts(graph: Graph) -> list[tuple[str, str]]:
    """(verdict, reason) of each operation. What follows an unmapped one stays on the processor with it."""
    verdicts, spoilt = [], set[int]()
    for op in graph.operations:
        border = _at_the_border(op, graph)
        reason = "" if border else objection(op)
        if not reason and not border and any(t.index in spoilt for t in op.inputs):
            reason = AFTER
        if reason:
            spoilt |= {t.index for t in op.outputs}
        verdicts.append(("unmapped" if reason else "border" if border else "mapped", reason))
    return verdicts


def _at_the_border(op: Operation, graph: Graph) -> bool:
    """A conversion of the network's own input from float, or of its output to float."""
    if op.name == "QUANTIZE":
        return op.inputs[0].dtype not in EIGHT_BITS and op.inputs[0] in graph.inputs
    return op.name == "DEQUANTIZE" and op.outputs[0] in graph.outputs


def _warnings(graph: Graph) -> list[str]:
    found = []
    if graph.parameters > ON_CHIP:
        found.append(
            f"{graph.parameters / 2**20:.1f} MiB of parameters, about {ON_CHIP / 2**20:.0f} MiB fit on the chip: "
            "the rest is sent for every picture, which is slow"
        )
    if graph.subgraphs > 1:
        found.append(f"{graph.subgraphs} graphs in the file; only the main one was looked at")
    sizes = [f"{op.name} to {'x'.join(map(str, op.outputs[0].shape))}" for op in graph.operations if _large(op)]
    if sizes:
        found.append(f"large: only the compiler knows whether it maps {', '.join(sizes)}")
    return found


def _large(op: Operation) -> bool:
    """The table has no number. SSD MobileNet's reshape of 19 x 19 x 273 is mapped, so the line is drawn well above."""
    return op.name in SIZE_MATTERS and prod(op.outputs[0].shape) > LARGE


def networks(path: Path) -> dict[str, Path]:
    """Name -> int8 file: those of a bundle's folder, or the one file. Raises BundleError."""
    if not Path(path).is_dir():
        return {Path(path).stem: Path(path)}
    bundle = bundles.load(path)
    return {name: bundle.path(name, "tflite") for name in bundle.networks}


def gate(folder: Path) -> None:
    """Raises BundleError when an Edge TPU could not run a whole int8 file of `folder`."""
    for path in sorted(folder.glob("*_int8.tflite")):
        report = check(path)
        if report.unmapped:
            print(report.render())
            raise BundleError(
                f"{path.stem}: an Edge TPU cannot map {report.unmapped} operations (see the table); nothing was "
                "published (edgetpu = false in the config publishes it for other backends)"
            )


def run(path: Path) -> int:
    """Prints a table per network; 1 when an operation cannot be mapped, else 0."""
    reports = [check(file) for file in networks(path).values()]
    print("\n\n".join(report.render() for report in reports))
    return 1 if any(report.unmapped for report in reports) else 0
