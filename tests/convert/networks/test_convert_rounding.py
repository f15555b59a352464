"""What is done to a network before it becomes int8: channels of unlike size are equalised, weights rounded together."""

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="converting needs the extra 'convert'", exc_type=ImportError)
pytestmark = pytest.mark.filterwarnings("default")  # TensorFlow's own deprecations

SIZE = 24


@pytest.fixture(scope="module")
def pictures():
    """Smooth ones, as photos are: neighbours are alike, which is what the rounding makes use of."""
    import cv2

    rng = np.random.default_rng(1)
    noise = [cv2.GaussianBlur(rng.normal(0, 2, (SIZE, SIZE, 3)), (0, 0), 2.5) for _ in range(12)]
    return [np.clip(picture, -1, 1).astype("f4")[None] for picture in noise]


@pytest.fixture
def network():
    """Two blocks as MobileNetV2 has them, the second with a way around it, whose channels differ much in size."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(2)

    def block(x, around):
        y = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(12, 1, use_bias=False)(x)))
        y = layers.DepthwiseConv2D(3, 1 if around else 2, "same", use_bias=False)(y)
        y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
        y = layers.BatchNormalization()(layers.Conv2D(8, 1, use_bias=False)(y))
        return layers.Add()([x, y]) if around else y

    image = keras.Input((SIZE, SIZE, 3))
    model = keras.Model(image, layers.Conv2D(2, 1)(block(block(image, False), True)))
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            size = len(layer.get_weights()[0])
            gamma, beta = 10 ** rng.uniform(-1.5, 0.7, size), rng.normal(0, 0.2, size)
            layer.set_weights([gamma, beta, np.zeros(size), np.full(size, 0.1)])
    return model


@pytest.fixture
def without_norms():
    """Two levels as the face detector has them: a residual block, a pool, and a sum of both that two heads read."""
    import keras
    from keras import layers

    def unit(x):
        return layers.ReLU()(layers.DepthwiseConv2D(3, padding="same")(layers.Conv2D(8, 1)(x)))

    def block(x):
        y = layers.ReLU()(layers.DepthwiseConv2D(3, padding="same")(layers.ReLU()(layers.Conv2D(12, 1)(x))))
        return layers.Add()([x, layers.Conv2D(8, 1)(y)])

    image = keras.Input((SIZE, SIZE, 3))
    fine = block(unit(layers.Conv2D(8, 3, padding="same")(image)))
    coarse = block(unit(layers.MaxPooling2D()(fine)))
    both = layers.Add()([unit(fine), layers.UpSampling2D()(coarse)])
    model = keras.Model(image, layers.Concatenate()([layers.Conv2D(n, 1)(unit(both)) for n in (1, 4)]))
    uneven(model)
    return model


def uneven(model):
    """Fills the convolutions at random, so that their channels differ much in size."""
    import keras

    rng = np.random.default_rng(4)
    for layer in model.layers:
        if weights := layer.get_weights():
            kernel, bias = weights
            size = 10 ** rng.uniform(-0.6, 0.6, len(bias))
            across = size[:, None] if isinstance(layer, keras.layers.DepthwiseConv2D) else size
            kernel = rng.normal(0, kernel[..., 0].size ** -0.5, kernel.shape) * across
            layer.set_weights([kernel, rng.normal(0.5, 0.2, len(bias)) * size])


def said(model, pictures):
    return np.concatenate([np.asarray(model(picture, training=False)) for picture in pictures])


def channels(model, pictures):
    """Largest absolute value of each channel of each tie, one row per layer that ends it."""
    import keras

    from convert.networks.equalisation import ties

    ends = [[end.output for end in tie.ends] for tie in ties(model)]
    return [
        np.max([np.abs(said(keras.Model(model.input, end), pictures)).max((0, 1, 2)) for end in tie], 0) for tie in ends
    ]


@pytest.mark.parametrize(("kind", "count", "uneven_by"), [("network", 5, 9), ("without_norms", 14, 3)])
def test_equalising_changes_the_channels_and_not_what_is_said(request, kind, count, uneven_by, pictures):
    from convert.networks.equalisation import equalise

    network = request.getfixturevalue(kind)
    before, wide = said(network, pictures), channels(network, pictures)
    equalise(network, pictures)
    after, narrow = said(network, pictures), channels(network, pictures)
    np.testing.assert_allclose(after, before, atol=1e-4 * np.abs(before).max())
    spread = [[values.max() / values[values > 0].min() for values in of] for of in (wide, narrow)]
    assert len(spread[0]) == count
    assert min(spread[0]) > uneven_by
    assert max(spread[1]) < 2, "one channel would need a factor beyond the largest"


def test_equalising_changes_every_convolution_of_the_face_detector_and_not_what_it_says():
    from convert.networks.equalisation import equalise
    from convert.networks.keras_models import fixed
    from convert.networks.output_range import bound
    from train.detector import network

    model = network.build(64, 64)
    uneven(model)
    model = bound(fixed(model))
    pictures = np.random.default_rng(0).uniform(-1, 1, (4, 1, 64, 64, 3)).astype("f4")
    convolutions = [layer for layer in model.layers if hasattr(layer, "kernel")]
    before, kernels = model.predict_on_batch(pictures[0]), [np.asarray(layer.kernel) for layer in convolutions]
    equalise(model, pictures)
    for was, now in zip(before, model.predict_on_batch(pictures[0]), strict=True):
        assert was.std() > 0.1
        np.testing.assert_allclose(now, was, atol=1e-4 * np.abs(was).max())
    for was, layer in zip(kernels, convolutions, strict=True):
        assert not np.array_equal(was, layer.kernel), layer.name


def test_channels_that_something_else_reads_stay(pictures):
    """A dense layer behind a mean, as the classifier has, and an output of the network."""
    import keras
    from keras import layers

    from convert.networks.equalisation import equalise

    image = keras.Input((SIZE, SIZE, 3))
    x = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(4, 3, use_bias=False)(image)))
    y = layers.BatchNormalization()(layers.Conv2D(4, 3, use_bias=False)(image))
    model = keras.Model(image, [layers.Dense(2)(layers.GlobalAveragePooling2D()(x)), y])
    before = model.get_weights()
    equalise(model, pictures)
    for was, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(now, was)


def test_channels_that_have_a_limit_of_their_own_stay(pictures):
    """Where a convolution has an activation inside, and where a ReLU6 is added to what has no limit."""
    import keras
    from keras import layers

    from convert.networks.equalisation import equalise

    image = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(4, 3, activation="relu6")(image)
    y = layers.Add()([layers.ReLU(6.0)(layers.Conv2D(4, 3)(image)), layers.Conv2D(4, 3)(image)])
    model = keras.Model(image, [layers.Conv2D(2, 1)(x), layers.Conv2D(2, 1)(y)])
    before = model.get_weights()
    equalise(model, pictures)
    for was, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(now, was)


def test_rounded_weights_lie_on_the_converters_steps_and_make_up_for_one_another():
    from convert.networks.rounding import STEPS, compensated

    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(500, 6)) @ rng.normal(size=(6, 20))  # what stands beside one another is alike
    gained = []
    for _ in range(20):
        weights = rng.normal(size=20)
        step = np.abs(weights).max() / STEPS
        found = compensated(weights, inputs.T @ inputs)
        np.testing.assert_allclose(found / step, np.round(found / step), atol=1e-3)
        assert np.abs(found).max() / STEPS == pytest.approx(step, rel=1e-6), "or the converter would choose other steps"
        nearest = np.round(weights / step) * step
        gained.append(np.square(inputs @ (found - weights)).sum() / np.square(inputs @ (nearest - weights)).sum())
    assert np.mean(gained) < 0.5


def one_convolution(**kind):
    """A network of one convolution with a batch normalisation, which another convolution of `kind` reads."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    image = keras.Input((SIZE, SIZE, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, use_bias=False)(image))
    return keras.Model(image, layers.Conv2D(4, 3, **kind)(x) if kind else layers.Flatten()(x))


@pytest.mark.parametrize("kind", [{}, {"groups": 2}, {"dilation_rate": 2}])
def test_networks_of_other_kinds_say_what_they_said(pictures, kind):
    from convert.networks.rounding import rounded

    network = one_convolution(**kind)
    right = said(network, pictures)
    assert np.sqrt(np.square(said(rounded(network, pictures), pictures) - right).mean()) < 0.02 * right.std()


def test_weights_of_very_large_kernels_are_left_to_the_converter(pictures):
    import keras
    from keras import layers

    from convert.networks.rounding import MOST, rounded

    image = keras.Input((SIZE, SIZE, 3))
    network = keras.Model(image, layers.Conv2D(2, 15)(image))
    assert MOST < 15 * 15 * 3
    for was, now in zip(network.get_weights(), rounded(network, pictures).get_weights(), strict=True):
        np.testing.assert_array_equal(now, was)


def test_weights_that_are_all_zero_stay():
    from convert.networks.rounding import compensated

    assert not compensated(np.zeros(4), np.eye(4)).any()


def test_int8_says_more_nearly_what_float_says(network, pictures):
    from ai_edge_litert.interpreter import Interpreter

    from convert.export.tflite import to_tflite
    from convert.networks.keras_models import fixed
    from convert.networks.rounding import rounded

    before, right = network.get_weights(), said(network, pictures)

    def error(model):
        interpreter = Interpreter(model_content=to_tflite(model, [[picture] for picture in pictures]))
        interpreter.allocate_tensors()
        (given,), (got,) = interpreter.get_input_details(), interpreter.get_output_details()
        answers = []
        for picture in pictures:
            scale, zero = given["quantization"]
            picture = np.clip(np.round(picture / scale) + zero, -128, 127).astype(np.int8)
            interpreter.set_tensor(given["index"], picture)
            interpreter.invoke()
            scale, zero = got["quantization"]
            answers.append((interpreter.get_tensor(got["index"]).astype(float) - zero) * scale)
        return np.sqrt(np.square(np.concatenate(answers) - right).mean())

    assert error(rounded(network, pictures)) < 0.7 * error(fixed(network))
    for was, now in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(now, was)
