"""A TFLite file says which type its input has: picture bytes reach the network as the same values whichever it is."""

import numpy as np
import pytest

from edge.backends.tflite import TFLiteEngine
from edge.vision.bundle import Network

tf = pytest.importorskip("tensorflow", reason="converting needs the extra 'convert'", exc_type=ImportError)
pytestmark = pytest.mark.filterwarnings("default")  # TensorFlow's own deprecations

SIZE = 16
PICTURE = np.random.default_rng(5).integers(0, 256, (SIZE, SIZE, 3), np.uint8)


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    """type of the input, mean, std -> an engine; quantised for values from -1 to 1."""
    import keras

    keras.utils.set_random_seed(3)
    image = keras.Input((SIZE, SIZE, 3))
    model = keras.Model(image, keras.layers.Conv2D(2, 3, 2)(image))
    ramp = np.linspace(-1, 1, SIZE * SIZE * 3, dtype=np.float32).reshape(1, SIZE, SIZE, 3)
    folder = tmp_path_factory.mktemp("networks")

    def engine(dtype, mean=127.5, std=127.5):
        path = folder / f"{dtype.name}.tflite"
        if not path.exists():
            converter = tf.lite.TFLiteConverter.from_keras_model(model)
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: [[ramp]]
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type, converter.inference_output_type = dtype, tf.int8
            path.write_bytes(converter.convert())
        size = {"width": SIZE, "height": SIZE, "mean": mean, "std": std}
        side = (SIZE - 1) // 2
        spec = Network(input=size, outputs={"said": [side, side, 2]}, files={}, known_answer="")
        return TFLiteEngine(path, spec, 1)

    return engine


def test_uint8_of_older_bundles_says_what_int8_says(engines):
    now, older = (engines(dtype).infer(PICTURE)[0] for dtype in (tf.int8, tf.uint8))
    np.testing.assert_array_equal(now, older)
    assert np.ptp(now) > 0.5


@pytest.mark.parametrize(("mean", "std"), [(127.5, 127.5), (0, 255)])
def test_int8_says_what_float_says(engines, mean, std):
    int8, real = (engines(dtype, mean, std).infer(PICTURE)[0] for dtype in (tf.int8, tf.float32))
    assert np.abs(int8 - real).max() < 0.03
    assert np.ptp(real) > 0.2


def test_the_picture_itself_stays(engines):
    picture = PICTURE.copy()
    engines(tf.int8).infer(picture)
    np.testing.assert_array_equal(picture, PICTURE)
