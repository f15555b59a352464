"""The picture that proves an engine right: chosen so that a lost input shows, whatever the network is."""

import numpy as np

from convert.bundle import known_answer


class Means:
    """Answers with the mean colours of a picture's left and right half: a network that looks at all of its input."""

    def infer(self, image):
        half = image.shape[1] // 2
        return [np.r_[image[:, :half].mean((0, 1)), image[:, half:].mean((0, 1))].astype(np.float32)]


class Indifferent(Means):
    """Says nearly the same of every picture."""

    def infer(self, image):
        return [np.array([0, 1, 0.001 * image.mean() / 255], np.float32)]


def test_the_chosen_picture_is_far_from_blank_ones(tmp_path):
    known_answer.write(tmp_path / "a.npz", Means(), ["means"], 96, 64)
    with np.load(tmp_path / "a.npz") as known:
        picture, answer = known["input"], known["means"]
    np.testing.assert_array_equal(answer, Means().infer(picture)[0])
    blanks = [Means().infer(np.full((64, 96, 3), grey, np.uint8)) for grey in (0, 128, 255)]
    others = [
        known_answer.differences(Means().infer(known_answer.pattern(96, 64, seed)), blanks)[0] for seed in range(20)
    ]
    assert known_answer.differences([answer], blanks)[0] >= max(others)


def test_the_same_seed_draws_the_same_picture():
    one, again, other = (known_answer.pattern(96, 64, seed) for seed in (3, 3, 4))
    assert one.dtype == np.uint8
    assert one.shape == (64, 96, 3)
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_a_network_that_ignores_its_input_is_told(tmp_path, capsys):
    known_answer.write(tmp_path / "a.npz", Indifferent(), ["means"], 64, 64)
    assert "none gets an answer that differs from a blank one's by more than 0.0" in capsys.readouterr().err
