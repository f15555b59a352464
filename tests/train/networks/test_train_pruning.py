"""A narrower network computes nearly what the wide one did."""

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="training needs the extra 'train'", exc_type=ImportError)
pytestmark = pytest.mark.filterwarnings("default")  # TensorFlow's own deprecations


def test_what_others_make_up_for_goes_first():
    from train.networks import pruning

    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 3))
    x = np.c_[x, x[:, 0] + x[:, 1], 2 * x[:, 2]]  # two of five say nothing new
    weights = rng.normal(size=(5, 4))
    covariance = np.cov(x.T)
    kept = pruning.keep(covariance, weights, 3)
    assert len(kept) == 3
    difference = x[:, kept] @ pruning.refit(covariance, weights, kept) - x @ weights
    assert np.abs(difference).max() < 0.01
    cut = x[:, :2] @ pruning.refit(covariance, weights, np.array([0, 1])) - x @ weights
    assert np.abs(cut).max() > 1, "what stands for nothing else cannot be made up for"


def test_a_network_with_doubled_channels_stays_what_it_was():
    from train.detector import network
    from train.networks import pruning

    rng = np.random.default_rng(0)
    wide = network.build(64, 64, 0.35, 16, None)
    for layer in wide.layers:
        if layer.name.startswith("block_") and layer.name.endswith(("_expand", "_depthwise", "_BN")):
            weights = [np.asarray(w) for w in layer.get_weights()]
            if layer.name.endswith("_BN"):
                weights = [rng.uniform(0.5, 1.5, w.shape).astype(np.float32) for w in weights]
            if "_project" not in layer.name:
                axis = 2 if layer.name.endswith("_depthwise") else -1
                third = weights[0].shape[axis] // 3
                weights = [
                    np.concatenate([(k := w.take(range(2 * third), axis)), k.take(range(third), axis)], axis)
                    for w in weights
                ]
            layer.set_weights(weights)
    pictures = rng.uniform(-1, 1, (8, 64, 64, 3)).astype(np.float32)
    narrow = pruning.prune(wide, pictures, 4)
    assert narrow.count_params() < wide.count_params()
    assert narrow.get_layer("block_1_expand").filters == 4 * wide.get_layer("block_1_expand").kernel.shape[2]
    for old, new in zip(wide.predict_on_batch(pictures), narrow.predict_on_batch(pictures), strict=True):
        np.testing.assert_allclose(new, old, atol=0.02 * np.abs(old).max())


def test_fewer_channels_need_a_start():
    from edge.core.errors import DataError
    from train.config import DetectorConfig
    from train.detector import training

    config = DetectorConfig(width=64, height=64, weights="none", alpha=0.35, channels=16, expansion=4)
    with pytest.raises(DataError, match="expansion = 4: needs --start"):
        training.starting_network(config, None)
