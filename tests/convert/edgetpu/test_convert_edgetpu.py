"""`maskcam-convert edgetpu` against a fake compiler that behaves and talks as the real one does."""

import json
import os
import stat
import subprocess
import sys

import pytest

from convert import cli
from edge.core.errors import EngineError
from edge.vision import bundle as bundles

LITERT = "reads .tflite files with LiteRT's schema: pip install 'maskcam[cpu]'"
to_edgetpu = pytest.importorskip("convert.edgetpu.compiler", reason=LITERT, exc_type=ImportError)
schema = pytest.importorskip("convert.edgetpu.flatbuffer", reason=LITERT, exc_type=ImportError).schema

MAPPED = """Edge TPU Compiler version 16.0.384591198
Input: {input}
Output: {output}

Operator                       Count      Status

CONV_2D                        44         Mapped to Edge TPU
ADD                            10         Mapped to Edge TPU
RESIZE_NEAREST_NEIGHBOR        2          Mapped to Edge TPU
QUANTIZE                       1          Mapped to Edge TPU
"""
BORDER = MAPPED.replace("QUANTIZE                       1          Mapped to Edge TPU", "") + (
    "QUANTIZE                       1          Operation is otherwise supported, but not mapped due to some "
    "unspecified limitation\n"
    "DEQUANTIZE                     2          Operation is working on an unsupported data type\n"
)
PARTLY = """Edge TPU Compiler version 14.1.317412892
Input: {input}
Output: {output}

Operator                       Count      Status

CONCATENATION                  1          More than one subgraph is not supported
MAX_POOL_2D                    6          Mapped to Edge TPU
RESIZE_NEAREST_NEIGHBOR        1          Operation version not supported
CONV_2D                        11         Mapped to Edge TPU
CONV_2D                        2          More than one subgraph is not supported
"""
NOTHING = """Edge TPU Compiler version 15.0.340273435
Input: {input}
Output: {output}

Operator                       Count      Status

CONV_2D                        44         Operation is working on an unsupported data type
"""
COMPILER = """#!{python}
import os, pathlib, sys
script = pathlib.Path(__file__).parent
(script / "calls").open("a").write(" ".join(sys.argv[1:]) + "\\n")
out = pathlib.Path(sys.argv[sys.argv.index("--out_dir") + 1])
print((script / "said").read_text())
if (script / "exit").exists():
    code = int((script / "exit").read_text())
    os.kill(os.getpid(), -code) if code < 0 else sys.exit(code)
for model in map(pathlib.Path, sys.argv[4:]):
    made = out / f"{{model.stem}}_edgetpu.tflite"
    made.write_bytes((script / "result").read_bytes())
    log = (script / "log").read_text().format(input=model, output=made)
    (out / f"{{model.stem}}_edgetpu.log").write_text(log)
"""


def model(code="edgetpu-custom-op"):
    """A flatbuffer of one custom operation."""
    custom = schema.OperatorCodeT()
    custom.builtinCode = custom.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    custom.customCode = code
    op, graph, whole = schema.OperatorT(), schema.SubGraphT(), schema.ModelT()
    op.inputs = op.outputs = graph.inputs = graph.outputs = []
    graph.tensors, graph.operators = [], [op]
    whole.version, whole.operatorCodes, whole.subgraphs, whole.buffers = 3, [custom], [graph], [schema.BufferT()]
    builder = pytest.importorskip("flatbuffers").Builder(0)
    builder.Finish(whole.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """Puts the fake on the PATH; gives the folder in which it finds its part."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "edgetpu_compiler"
    script.write_text(COMPILER.format(python=sys.executable))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    (folder / "said").write_text("Edge TPU Compiler version 16.0.384591198\n\nModel compiled successfully in 273 ms.\n")
    (folder / "result").write_bytes(model())
    (folder / "log").write_text(MAPPED)
    return folder


@pytest.fixture
def bundle(tmp_path, write_bundle):
    return write_bundle(tmp_path / "bundle")


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def failing(bundle, capsys, *options):
    """The message of a run that must fail, in one line, and change nothing."""
    before = content(bundle)
    assert cli.main(["edgetpu", str(bundle), *options]) == 2
    assert content(bundle) == before
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    return message


def test_compiled_files_and_the_log_are_in_the_bundle(compiler, bundle, capsys):
    assert cli.main(["edgetpu", str(bundle)]) == 0
    assert "detector: 57 of 57 operations on the Edge TPU (compiler 16.0.384591198)" in capsys.readouterr().out
    loaded = bundles.load(bundle)
    assert loaded.path("detector", "edgetpu").read_bytes() == model()
    assert loaded.path("classifier", "edgetpu").name == "c_edgetpu.tflite"
    said = {"compiler": "16.0.384591198", "operations": 57, "mapped": 57, "on_cpu": {}}
    assert json.loads((bundle / "bundle.json").read_text())["classifier"]["edgetpu"] == said
    assert not [name for name in content(bundle) if name.startswith(".") or name.endswith(".log")]


def test_both_networks_go_to_the_compiler_in_one_call(compiler, bundle):
    """Compiled together they share the chip's memory; compiled apart each evicts the other with every picture."""
    to_edgetpu.run(bundle)
    (call,) = (compiler / "calls").read_text().splitlines()
    assert call.split()[-2:] == [str(bundle / "d.tflite"), str(bundle / "c.tflite")]


def test_further_shapes_of_the_detector_are_compiled_with_it(compiler, tmp_path, write_bundle, bundle_shape):
    folder = write_bundle(tmp_path / "shapes", detector={"shapes": [bundle_shape(32, 64), bundle_shape(48, 48)]})
    assert list(to_edgetpu.run(folder)) == ["detector", "classifier", "detector-32x64", "detector-48x48"]
    loaded = bundles.load(folder)
    assert loaded.path("detector-32x64", "edgetpu").name == "d32x64_edgetpu.tflite"
    assert loaded.detector.shapes[1].edgetpu["mapped"] == 57


def test_compiling_again_replaces(compiler, bundle):
    to_edgetpu.run(bundle)
    (compiler / "result").write_bytes(model() + b"\0")
    to_edgetpu.run(bundle)
    assert bundles.load(bundle).path("detector", "edgetpu").read_bytes() == model() + b"\0"


def test_conversions_at_the_border_may_stay_on_the_processor(compiler, bundle):
    (compiler / "log").write_text(BORDER)
    found = to_edgetpu.run(bundle)["detector"]
    assert (found.operations, found.mapped, found.share) == (59, 56, 1.0)
    assert found.on_cpu["DEQUANTIZE: Operation is working on an unsupported data type"] == 2


def test_a_network_mapped_in_part_is_refused_with_the_reasons(compiler, bundle, capsys):
    (compiler / "log").write_text(PARTLY)
    message = failing(bundle, capsys)
    assert "detector: 17 of 21 operations" in message
    assert "1 RESIZE_NEAREST_NEIGHBOR: Operation version not supported" in message
    assert "2 CONV_2D: More than one subgraph is not supported" in message


def test_a_smaller_share_can_be_accepted(compiler, bundle, capsys):
    (compiler / "log").write_text(PARTLY)
    failing(bundle, capsys, "--share", "0.82")
    assert cli.main(["edgetpu", str(bundle), "--share", "0.8"]) == 0
    assert "2 on the processor: CONV_2D: More than one subgraph" in capsys.readouterr().out


def test_success_with_nothing_mapped_is_a_failure(compiler, bundle, capsys):
    (compiler / "log").write_text(NOTHING)
    assert "0 of 44 operations" in failing(bundle, capsys, "--share", "0")


@pytest.mark.parametrize(
    ("said", "code", "expected"),
    [
        ("Edge TPU Compiler version 15.0.340273435\nInvalid model: d.tflite\nModel not quantized", 1, "not quantized"),
        (
            "Edge TPU Compiler version 2.0.267685300\nERROR: Didn't find op for builtin opcode 'RESIZE_BILINEAR' "
            "version '3'\n\nERROR: Registration failed.",
            1,
            "builtin opcode 'RESIZE_BILINEAR' version '3'",
        ),
        ("Edge TPU Compiler version 14.1.317412892\n\nInternal compiler error. Aborting!", 1, "Internal compiler"),
        ("Edge TPU Compiler version 16.0.384591198", -6, "signal 6"),
    ],
)
def test_a_compiler_that_gives_up_is_quoted(compiler, bundle, capsys, said, code, expected):
    (compiler / "said").write_text(said)
    (compiler / "exit").write_text(str(code))
    assert expected in failing(bundle, capsys)


def test_a_log_that_is_none_is_a_failure(compiler, bundle, capsys):
    (compiler / "log").write_text("Edge TPU Compiler version 17.0\nOperations: all\n")
    assert "no table of operations in its log" in failing(bundle, capsys)


def test_a_result_that_was_never_compiled_is_a_failure(compiler, bundle, capsys):
    (compiler / "result").write_bytes(model("something-else"))
    assert "holds no operation of the Edge TPU" in failing(bundle, capsys)


def test_a_compiler_for_another_processor_is_a_sentence(compiler, bundle, capsys):
    (compiler / "edgetpu_compiler").write_bytes(b"\x7fELF\x02 of some other machine")
    assert "cannot be started" in failing(bundle, capsys)


def test_without_the_compiler_the_message_says_where_it_runs(bundle, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    message = failing(bundle, capsys)
    for words in ("x86-64 Linux only", "coral.ai/docs/edgetpu/compiler", "check-edgetpu"):
        assert words in message


def test_a_compiler_that_hangs_is_given_up(compiler, bundle):
    def hangs(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    with pytest.raises(EngineError, match="no end after 600 s"):
        to_edgetpu.run(bundle, run=hangs)
