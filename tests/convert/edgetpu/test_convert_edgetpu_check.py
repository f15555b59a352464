"""What an Edge TPU can map: a pair that Google's compiler made, the shipped networks, and models made to fail."""

from pathlib import Path

import numpy as np
import pytest

from convert import cli
from edge.core.errors import BundleError, DataError
from edge.vision import bundle as bundles

LITERT = "reads .tflite files with LiteRT's schema: pip install 'maskcam[cpu]'"
checker = pytest.importorskip("convert.edgetpu.check", reason=LITERT, exc_type=ImportError)
rules = pytest.importorskip("convert.edgetpu.rules", reason=LITERT, exc_type=ImportError)
flatbuffer = pytest.importorskip("convert.edgetpu.flatbuffer", reason=LITERT, exc_type=ImportError)

PEERS = Path(__file__).parents[4] / "shared" / "peers"
PAIR = PEERS / "mobilenet_v2_mask_classification.tflite"
known_pair = pytest.mark.skipif(not PAIR.is_file(), reason="the compiled pair of models is not at hand")


def network(name):
    path = bundles.shipped() / f"{name}_int8.tflite"
    if path.read_bytes().startswith(bundles.LFS_POINTER):
        pytest.skip("the shipped networks are Git-LFS pointers here")
    return path


@pytest.mark.parametrize("name", ["detector", "classifier"])
def test_the_shipped_networks_map_whole(name):
    report = checker.check(network(name))
    assert report.unmapped == 0, report.render()
    assert report.warnings == ()
    assert {row.verdict for row in report.rows} == {"mapped"}


@known_pair
def test_what_the_compiler_mapped_passes():
    report = checker.check(PAIR)
    assert report.unmapped == 0, report.render()
    assert sum(row.count for row in report.rows) == 71


@known_pair
def test_what_was_compiled_is_recognised(capsys):
    twin = PAIR.with_name(f"{PAIR.stem}_edgetpu.tflite")
    assert checker.check(twin).compiled
    assert cli.main(["check-edgetpu", str(twin)]) == 0
    assert "compiled for the Edge TPU already" in capsys.readouterr().out


def test_the_command_judges_every_network_of_a_bundle(capsys):
    network("detector")
    assert cli.main(["check-edgetpu", str(bundles.shipped())]) == 0
    said = capsys.readouterr().out
    assert said.count("0 that an Edge TPU cannot map") == len(bundles.load().networks) == 6
    assert "RESIZE_NEAREST_NEIGHBOR       2  mapped" in said


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, "cannot be read: No such file"),
        (b"#!/bin/sh", "not a TFLite model"),
        (b"version https://git-lfs.github.com/spec/v1", "Git-LFS pointer"),
        (b"\x10\0\0\0TFL3" + b"\xff" * 40, "a damaged TFLite model"),
    ],
)
def test_another_file_is_one_line(tmp_path, capsys, data, expected):
    path = tmp_path / "m.tflite"
    if data is not None:
        path.write_bytes(data)
    assert cli.main(["check-edgetpu", str(path)]) == 2
    message = capsys.readouterr().err
    assert expected in message
    assert message.count("\n") == 1


def test_a_file_cut_short_is_no_crash(tmp_path):
    data = network("classifier").read_bytes()
    for share in (0.01, 0.3, 0.9):
        (tmp_path / "m.tflite").write_bytes(data[: int(len(data) * share)])
        with pytest.raises(DataError, match="damaged"):
            checker.check(tmp_path / "m.tflite")


def tensor(*shape, dtype="INT8", constant=None, dynamic=False):
    """A tensor of a graph that exists on paper only; `constant` is an array."""
    if constant is not None:
        constant = np.asarray(constant, dtype.lower())
        return flatbuffer.Tensor(0, dtype, constant.shape, False, constant.tobytes())
    return flatbuffer.Tensor(0, dtype, shape, dynamic, None)


def int32(values):
    return tensor(dtype="INT32", constant=values)


def weights(*shape):
    return tensor(constant=np.ones(shape))


PICTURE = tensor(1, 8, 8, 16)
KERNEL, BIAS = weights(16, 3, 3, 16), int32([0] * 16)
SLICE = int32([0, 0]), int32([1, 8]), int32([1, 1])
ROW = tensor(1, 16)
MAPPED, REFUSED = True, False


@pytest.mark.parametrize(
    ("verdict", "name", "inputs", "output", "options"),
    [
        (MAPPED, "ADD", [PICTURE, PICTURE], PICTURE, {"fusedActivationFunction": 1}),
        (MAPPED, "AVERAGE_POOL_2D", [PICTURE], PICTURE, {"fusedActivationFunction": 0}),
        (REFUSED, "AVERAGE_POOL_2D", [PICTURE], PICTURE, {"fusedActivationFunction": 1}),
        (REFUSED, "MAX_POOL_2D", [PICTURE], PICTURE, {"fusedActivationFunction": 3}),
        (MAPPED, "CONCATENATION", [PICTURE, PICTURE, PICTURE], PICTURE, {}),
        (MAPPED, "CONCATENATION", [PICTURE, tensor(constant=np.zeros((1, 8, 8, 1)))], PICTURE, {}),
        (REFUSED, "CONCATENATION", [PICTURE, weights(1, 8, 8, 1)], PICTURE, {}),
        (REFUSED, "CONCATENATION", [PICTURE, PICTURE], PICTURE, {"fusedActivationFunction": 1}),
        (MAPPED, "CONV_2D", [PICTURE, KERNEL, BIAS], PICTURE, {"dilationWFactor": 2, "dilationHFactor": 2}),
        (REFUSED, "CONV_2D", [PICTURE, KERNEL, BIAS], PICTURE, {"dilationWFactor": 2, "dilationHFactor": 1}),
        (REFUSED, "CONV_2D", [PICTURE, PICTURE, BIAS], PICTURE, {}),
        (REFUSED, "CONV_2D", [PICTURE, tensor(dtype="FLOAT16", constant=np.ones((16, 3, 3, 16)))], PICTURE, {}),
        (MAPPED, "FULLY_CONNECTED", [ROW, weights(4, 16)], tensor(1, 4), {"weightsFormat": 0}),
        (REFUSED, "FULLY_CONNECTED", [ROW, weights(4, 16)], tensor(1, 4), {"weightsFormat": 1}),
        (REFUSED, "FULLY_CONNECTED", [PICTURE, weights(4, 16)], tensor(1, 8, 8, 4), {}),
        (REFUSED, "FULLY_CONNECTED", [ROW, ROW], tensor(1, 4), {}),
        (MAPPED, "MEAN", [PICTURE, int32([1, 2])], ROW, {}),
        (MAPPED, "MEAN", [PICTURE, int32([-1])], tensor(1, 8, 8), {}),
        (REFUSED, "MEAN", [tensor(1, 8, 8, 6), int32([3])], tensor(1, 8, 8), {}),
        (REFUSED, "MEAN", [PICTURE, int32([0])], tensor(8, 8, 16), {}),
        (REFUSED, "MEAN", [PICTURE, tensor(2, dtype="INT32")], ROW, {}),
        (REFUSED, "SUM", [PICTURE, int32([0])], tensor(8, 8, 16), {}),
        (REFUSED, "PACK", [ROW, ROW], tensor(2, 1, 16), {"axis": 0}),
        (MAPPED, "PACK", [ROW, ROW], tensor(1, 2, 16), {"axis": 1}),
        (MAPPED, "PAD", [PICTURE, int32([[0, 0], [0, 1], [0, 1], [0, 0]])], tensor(1, 9, 9, 16), {}),
        (REFUSED, "PAD", [PICTURE, int32([[0, 1], [0, 0], [0, 0], [0, 0]])], tensor(1, 8, 8, 16), {}),
        (MAPPED, "PRELU", [PICTURE, weights(1, 1, 16)], PICTURE, {}),
        (REFUSED, "PRELU", [PICTURE, weights(8, 8, 16)], PICTURE, {}),
        (MAPPED, "QUANTIZE", [tensor(1, 8, 8, 16, dtype="UINT8")], PICTURE, {}),
        (REFUSED, "QUANTIZE", [tensor(1, 8, 8, 16, dtype="INT16")], PICTURE, {}),
        (MAPPED, "RESHAPE", [PICTURE, int32([1, 64, 16])], tensor(1, 64, 16), {}),
        (REFUSED, "RESHAPE", [PICTURE, int32([1, 4, 2, 8, 16])], tensor(1, 4, 2, 8, 16), {}),
        (REFUSED, "RESHAPE", [PICTURE, tensor(3, dtype="INT32")], tensor(1, 64, 16), {}),
        (REFUSED, "RESHAPE", [PICTURE, int32([1, 64, 16])], tensor(1, 64, 16, dynamic=True), {}),
        (MAPPED, "RESIZE_BILINEAR", [PICTURE, int32([16, 16])], tensor(1, 16, 16, 16), {"alignCorners": False}),
        (REFUSED, "RESIZE_BILINEAR", [PICTURE, int32([16, 16])], tensor(1, 16, 16, 16), {"alignCorners": True}),
        (REFUSED, "RESIZE_NEAREST_NEIGHBOR", [PICTURE, int32([8, 8])], PICTURE, {"halfPixelCenters": True}),
        (MAPPED, "SOFTMAX", [tensor(1, 16_000)], tensor(1, 16_000), {}),
        (REFUSED, "SOFTMAX", [tensor(1, 16_001)], tensor(1, 16_001), {}),
        (REFUSED, "SOFTMAX", [tensor(1, 8, 2)], tensor(1, 8, 2), {}),
        (MAPPED, "SPLIT", [int32(3), PICTURE], tensor(1, 8, 8, 8), {}),
        (REFUSED, "SPLIT", [int32(0), PICTURE], PICTURE, {}),
        (MAPPED, "SQUEEZE", [tensor(1, 1, 5, 10)], tensor(5, 10), {}),
        (REFUSED, "SQUEEZE", [tensor(1, 5, 1, 10)], tensor(1, 5, 10), {}),
        (MAPPED, "STRIDED_SLICE", [ROW, *SLICE], tensor(1, 8), {"ellipsisMask": 0}),
        (REFUSED, "STRIDED_SLICE", [ROW, int32([0, 0]), int32([1, 16]), int32([1, 2])], tensor(1, 8), {}),
        (REFUSED, "STRIDED_SLICE", [ROW, *SLICE], tensor(1, 8), {"newAxisMask": 1}),
        (REFUSED, "TILE", [PICTURE, int32([1, 1, 1, 2])], tensor(1, 8, 8, 32), {}),
        (REFUSED, "LOGISTIC", [tensor(2, 8, 8, 16)], tensor(2, 8, 8, 16), {}),
        (REFUSED, "HARD_SWISH", [PICTURE], PICTURE, {}),
    ],
)  # fmt: skip
def test_each_condition_of_the_published_table(verdict, name, inputs, output, options):
    reason = rules.objection(flatbuffer.Operation(name, 1, tuple(inputs), (output,), options))
    assert (reason == "") is verdict, reason


def test_every_operation_of_the_rules_is_one_of_tflites():
    assert not set(rules.RULES) - set(flatbuffer.OPERATIONS.values())


def converted(tmp_path, model, int8=True, **options):
    """A Keras model as a .tflite file."""
    tf = pytest.importorskip("tensorflow", reason="makes models; needs the extra 'convert'", exc_type=ImportError)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if int8:
        shape = [n or 1 for n in model.input_shape]
        noise = np.random.default_rng(0).uniform(-1, 1, (8, *shape)).astype("f4")
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([x] for x in noise)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    for key, value in options.items():
        setattr(converter, key, value)
    (tmp_path / "m.tflite").write_bytes(converter.convert())
    return checker.check(tmp_path / "m.tflite")


def keras_model(call, shape=(8, 8, 3), batch=1):
    keras = pytest.importorskip("keras", reason="makes models; needs the extra 'convert'", exc_type=ImportError)
    image = keras.Input(batch_shape=(batch, *shape))
    first = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    return keras.Model(image, call(keras, first))


def reasons(report):
    return {row.operation: row.reason for row in report.rows if row.verdict == "unmapped"}


tensorflow_warns = pytest.mark.filterwarnings("default")


@tensorflow_warns
def test_conversions_at_the_border_are_no_fault(tmp_path):
    """Float in and out: the two conversions stay on the processor, the rest is mapped."""
    report = converted(tmp_path, keras_model(lambda keras, x: keras.layers.MaxPooling2D()(x)))
    assert report.unmapped == 0, report.render()
    assert {r.operation: r.verdict for r in report.rows} == {
        "CONV_2D": "mapped",
        "DEQUANTIZE": "border",
        "MAX_POOL_2D": "mapped",
        "QUANTIZE": "border",
    }


@tensorflow_warns
def test_a_float_model_maps_nothing(tmp_path, capsys):
    report = converted(tmp_path, keras_model(lambda keras, x: keras.layers.MaxPooling2D()(x)), int8=False)
    assert reasons(report) == dict.fromkeys(("CONV_2D", "MAX_POOL_2D"), "FLOAT32 values, not 8-bit")
    assert cli.main(["check-edgetpu", str(report.path)]) == 1
    assert "2 operations, 2 that an Edge TPU cannot map" in capsys.readouterr().out


def test_a_network_with_unmapped_operations_is_not_published(tmp_path, capsys):
    """What `maskcam-convert bundle` asks before it writes; `edgetpu = false` in its config asks nothing."""
    (tmp_path / "good_int8.tflite").write_bytes(network("classifier").read_bytes())
    checker.gate(tmp_path)
    if not PAIR.is_file():
        pytest.skip("no other network at hand")
    (tmp_path / "bad_int8.tflite").write_bytes((PEERS / "aizoo.tflite").read_bytes())
    with pytest.raises(BundleError, match="bad_int8: an Edge TPU cannot map 51 operations"):
        checker.gate(tmp_path)
    assert "NOT mapped: FLOAT32 values" in capsys.readouterr().out


@tensorflow_warns
def test_what_follows_an_unmapped_operation_stays_with_it(tmp_path):
    def elu_between(keras, x):
        return keras.layers.MaxPooling2D()(keras.layers.ELU()(x))

    report = converted(tmp_path, keras_model(elu_between))
    assert reasons(report)["ELU"] == "no such operation on the Edge TPU"
    assert reasons(report)["MAX_POOL_2D"] == checker.AFTER
    assert "CONV_2D" not in reasons(report)


@tensorflow_warns
def test_keras_resizes_with_half_pixel_centres(tmp_path):
    report = converted(
        tmp_path, keras_model(lambda keras, x: keras.layers.UpSampling2D(2, interpolation="bilinear")(x))
    )
    assert "half_pixel_centers" in reasons(report)["RESIZE_BILINEAR"]


@tensorflow_warns
def test_keras_nearest_upsampling_is_replaced(tmp_path):
    """As it stands it has tensors of rank five and TILE; `keras_models.fixed` makes it one operation, same values."""
    model = keras_model(lambda keras, x: keras.layers.UpSampling2D(2)(x))
    models = pytest.importorskip(
        "convert.networks.keras_models", reason="needs the extra 'convert'", exc_type=ImportError
    )
    assert reasons(converted(tmp_path, model))["TILE"] == "no such operation on the Edge TPU"
    fixed = models.fixed(model, 16, 8)
    image = np.random.default_rng(0).uniform(-1, 1, (1, 8, 16, 3)).astype("f4")
    before = model.layers[1](image).numpy().repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_allclose(fixed(image).numpy(), before, atol=1e-6)
    report = converted(tmp_path, fixed)
    assert report.unmapped == 0, report.render()
    assert "RESIZE_NEAREST_NEIGHBOR" in {row.operation for row in report.rows}


@tensorflow_warns
def test_a_shape_known_at_run_time_only(tmp_path):
    def mean_of_any_size(keras, x):
        return keras.layers.GlobalAveragePooling2D()(x)

    report = converted(tmp_path, keras_model(mean_of_any_size, shape=(None, None, 3)), int8=False)
    assert set(reasons(report).values()) == {"dynamic shape"}


@tensorflow_warns
def test_a_batch_of_several_pictures(tmp_path):
    report = converted(tmp_path, keras_model(lambda keras, x: keras.layers.MaxPooling2D()(x), batch=3))
    assert "3x8x8x3: only the innermost 3 dimensions may exceed 1" in reasons(report)["CONV_2D"]


@tensorflow_warns
def test_more_parameters_than_fit_on_the_chip_is_a_warning(tmp_path):
    def large(keras, x):
        return keras.layers.Dense(4096)(keras.layers.Flatten()(keras.layers.Conv2D(32, 1)(x)))

    report = converted(
        tmp_path, keras_model(large), _experimental_disable_per_channel_quantization_for_dense_layers=True
    )
    assert report.unmapped == 0, report.render()
    assert "8.0 MiB of parameters" in report.warnings[0]
