import threading

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the extra 'train'")
pytest.importorskip("tensorflow", reason="needs the extra 'train'")

from dataclasses import replace
from pathlib import Path

import keras

from edge.core.geometry import Box
from edge.core.labels import CLASSIFIER_LABELS, INCORRECTLY_WORN, NOT_A_FACE
from edge.vision.preprocess import InputSpec, crop
from train.augmentation import drawn_objects, occlusion
from train.classifier import batches
from train.config import Augmentation, ClassifierConfig, Phase
from train.data import dataset

BARE, MASKED = "without_mask", "with_mask"
TWO = CLASSIFIER_LABELS[:2]
PLAIN = Augmentation(
    margin=(0.2, 0.2), shift=0, zoom=0, rotation=0, mirror=False, far=0, photometric=0, covered=0, drawn=0
)


def patch(label=BARE, source="s", colour=(200, 150, 120), whole=False, side=40):
    """A face of one colour on a ramp from black to white."""
    image = np.tile(np.linspace(0, 255, 100).astype(np.uint8)[None, :, None], (100, 1, 3))
    image[30 : 30 + side, 30 : 30 + side] = colour
    box = None if whole else Box(30, 30, 30 + side, 30 + side)
    return dataset.cut(image, dataset.Sample(Path("a.png"), box, label, source))


def config(how=PLAIN, **changes):
    phase = Phase(epochs=1, learning_rate=1e-3)
    values = {"size": 32, "batch": 64, "seed": 1, "head": phase, "tune": phase, "augmentation": how}
    return ClassifierConfig(**(values | changes))


def rng():
    return np.random.default_rng(4)


def test_fixed_crops_are_what_the_device_cuts_out():
    p = patch()
    x, y = batches.Fixed([p, patch(MASKED), patch()], TWO, 32, 0.15, batch=2)[0]
    assert x.shape == (2, 32, 32, 3)
    assert x.dtype == np.float32
    assert (x[0] == InputSpec(32, 32).normalise(crop(p.image, p.box, 32, 32, 0.15))).all()
    assert y.tolist() == [[0, 1], [1, 0]]


def test_fixed_crops_end_with_the_last_face_and_count_wrong_wearing_as_bare_where_it_is_no_label():
    faces = [patch(), patch(), patch(INCORRECTLY_WORN)]
    fixed = batches.Fixed(faces, TWO, 32, 0.15, batch=2)
    assert len(fixed) == 2
    assert fixed[1][1].tolist() == [[0, 1]]
    assert batches.Fixed(faces, CLASSIFIER_LABELS, 32, 0.15, batch=2)[1][1].tolist() == [[0, 0, 1, 0]]


def test_a_whole_picture_gets_no_margin():
    p = patch(whole=True)
    x, _ = batches.Fixed([p], TWO, 100, 0.3, batch=1)[0]
    assert (x[0] == InputSpec(100, 100).normalise(p.image)).all()


def test_without_augmentation_a_crop_is_the_plain_one():
    p = patch(side=40)
    side = round(40 * 1.4)
    assert (batches.augmented(p, None, side, PLAIN, rng()) == crop(p.image, p.box, side, side, 0.2)).all()


@pytest.mark.parametrize(
    "change",
    [
        {"margin": (0.0, 0.1)},
        {"shift": 0.2},
        {"zoom": 0.3},
        {"rotation": 30.0},
        {"shear": 20.0},
        {"far": 1.0, "far_side": (12.0, 20.0)},
        {"photometric": 1.0},
        {"covered": 1.0},
    ],
)
def test_every_augmentation_changes_the_crop_and_keeps_its_shape(change):
    p, how = patch(), PLAIN.model_copy(update=change)
    plain = batches.augmented(p, None, 56, PLAIN, rng())
    changed = batches.augmented(p, None, 56, how, rng())
    assert changed.shape == plain.shape == (56, 56, 3)
    assert changed.dtype == np.uint8
    assert (changed != plain).any()
    assert (p.image == patch().image).all(), "the patch in memory must stay as it was"


def test_a_far_face_has_few_pixels_worth_of_detail():
    noise = np.random.default_rng(0).integers(0, 255, (100, 100, 3)).astype(np.uint8)
    p = dataset.cut(noise, dataset.Sample(Path("a.png"), Box(30, 30, 70, 70), BARE, "s"))
    far = PLAIN.model_copy(update={"far": 1.0, "far_side": (12.0, 13.0)})

    def detail(image):
        return np.abs(np.diff(image.astype(int), axis=1)).mean()

    assert detail(batches.augmented(p, None, 56, far, rng())) < 0.5 * detail(
        batches.augmented(p, None, 56, PLAIN, rng())
    )


def test_turning_keeps_the_middle_of_the_face_in_place():
    p = patch()
    p.image[:] = 0
    x, y = (int(v) for v in p.box.centre)
    p.image[y - 2 : y + 3, x - 2 : x + 3] = 255
    how = Augmentation(rotation=45.0, shear=30.0)
    turned = batches.turned(p.image, p.box, how, rng())
    assert (turned != p.image).any()
    assert turned[y, x].min() > 200


def scored(score, label=NOT_A_FACE):
    plain = patch(label)
    return replace(plain, sample=replace(plain.sample, score=score))


FOUR = {"balance": [0.0, 0.5, 0.0, 0.5], "batch": 16}


def test_scores_of_a_detector_stand_beside_the_labels():
    how = PLAIN.model_copy(update={"drawn_things": 0.0})
    _, truths = batches.Augmented([scored(0.9), patch()], config(how, **FOUR))[0]
    assert truths.shape == (16, 5)
    things = truths[:, 3] == 1
    assert 0 < things.sum() < 16
    assert truths[things, 4] == pytest.approx(np.log(9))
    assert (truths[~things, 4] == 0).all(), "nobody looked at these"


def test_what_is_drawn_has_no_score():
    how = PLAIN.model_copy(update={"drawn": 1.0})
    faces = batches.Augmented([scored(0.9, BARE), scored(0.9)], config(how, balance=[0.5, 0.0, 0.0, 0.5], batch=16))
    _, truths = faces[0]
    assert (truths[truths[:, 0] == 1, 4] == 0).all()


@pytest.mark.parametrize(
    ("faces", "changes"),
    [([patch(NOT_A_FACE), patch()], FOUR), ([scored(0.9, MASKED), patch()], {})],
    ids=["no score", "a network that knows no things"],
)
def test_where_scores_say_nothing_there_is_no_column_of_them(faces, changes):
    made = batches.Augmented(faces, config(**changes))
    assert not made.scored
    assert made[0][1].shape[1] == len(made.config.labels)


def test_a_drawn_mask_changes_the_lower_half_only_where_asked():
    p = patch()
    drawn, plain = (batches.augmented(p, d, 56, PLAIN, rng()) for d in (0.0, None))
    assert (drawn[30:] != plain[30:]).mean() > 0.3


@pytest.mark.parametrize(("cover", "rows"), [(occlusion.lower, slice(0, 12)), (occlusion.upper, slice(24, 40))])
def test_covers_touch_their_half_of_the_face_only(cover, rows):
    image, box = np.full((60, 60, 3), 128, np.uint8), Box(10, 10, 50, 50)
    for seed in range(20):
        covered = cover(image, box, np.random.default_rng(seed))
        face = covered[10:50, 10:50]
        assert (face != 128).any()
        assert (face[rows] == 128).mean() > 0.95
        outside = covered.copy()
        outside[10:50, 10:50] = 128
        assert (outside == 128).all()
    assert (image == 128).all()


def test_covers_at_the_edge_of_the_picture_and_of_tiny_faces_work():
    image = np.full((20, 20, 3), 90, np.uint8)
    for box in (Box(-10, -10, 8, 8), Box(5, 5, 7, 7), Box(100, 100, 120, 120)):
        assert occlusion.lower(image, box, rng()).shape == image.shape
        assert occlusion.upper(image, box, rng()).shape == image.shape


def test_classes_are_balanced_and_draws_depend_on_the_epoch():
    patches = [patch(BARE)] * 30 + [patch(MASKED)] * 2
    varied = batches.Augmented(patches, config(Augmentation()))
    assert len(varied) == 1
    x, y = varied[0]
    assert x.shape == (64, 32, 32, 3)
    assert np.abs(x).max() <= 1
    assert 20 <= y[:, 0].sum() <= 44
    assert (varied[0][0] == x).all()
    varied.epoch = 1
    assert (varied[0][0] != x).any()


class Meeting(batches.Augmented):
    """Batches of which the fourth and the fifth wait for one another: both must be in the making at once."""

    def __getitem__(self, index):
        if index in (3, 4) and self.meeting:
            self.meeting.wait(60)
        return super().__getitem__(index)


def trained(threads):
    """The weights after a small training whose batches are made by so many threads, which must meet if they can."""
    varied = Meeting([patch(BARE), patch(MASKED)], config(Augmentation(), batch=8, per_epoch=64), threads)
    varied.meeting = threading.Barrier(2) if threads > 1 else None
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(varied, epochs=1, shuffle=False, verbose=0)
    return model.get_weights()


def test_as_many_threads_as_said_make_batches_and_change_nothing_in_them():
    assert all((a == b).all() for a, b in zip(trained(1), trained(3), strict=True))


def test_masks_are_drawn_on_bare_faces_only_where_the_box_is_known():
    always = PLAIN.model_copy(update={"drawn": 1.0})

    def masked(whole):
        faces = [patch(BARE, whole=whole), patch(MASKED, colour=(0, 0, 255), whole=True)]
        x, y = batches.Augmented(faces, config(always, batch=16))[0]
        return x[y[:, 0] == 1]

    blue_whole = masked(whole=True)
    assert (blue_whole == blue_whole[0]).all(), "the masked face itself is the only masked face"
    assert not (masked(whole=False) == blue_whole[0]).all((1, 2, 3)).any()


def test_a_large_source_is_drawn_by_the_square_root_of_its_size():
    pool = batches.Pool([patch(source="large")] * 400 + [patch(source="small")] * 4)
    generator = rng()
    large = sum(pool.draw(generator).sample.source == "large" for _ in range(2000))
    assert large / 2000 == pytest.approx(20 / 22, abs=0.03)


def test_a_batch_holds_the_labels_in_the_shares_asked_for():
    patches = [patch(label) for label in CLASSIFIER_LABELS]
    varied = batches.Augmented(patches, config(balance=[0.4, 0.3, 0.2, 0.1], batch=400, per_epoch=400))
    assert varied[0][1].mean(0) == pytest.approx([0.4, 0.3, 0.2, 0.1], abs=0.06)


def shown(label, faces, **how):
    """The crops of one label that training sees of `faces`."""
    k = CLASSIFIER_LABELS.index(label)
    c = config(PLAIN.model_copy(update=how), balance=[0.25] * 4, per_epoch=64)
    x, y = batches.Augmented(faces, c)[0]
    return x[y[:, k] == 1]


def test_a_mask_that_is_worn_wrongly_is_drawn_lower_than_one_that_is_worn():
    bare = patch()
    plain = InputSpec(32, 32).normalise(batches.augmented(bare, None, 32, PLAIN, rng()))
    how = {"drawn": 1.0, "drawn_low": 1.0, "drawn_things": 1.0}
    worn, low = (shown(label, [bare, patch(MASKED)], **how) for label in (MASKED, INCORRECTLY_WORN))

    def highest(faces):
        changed = (np.abs(faces - plain).max(-1) > 0.1).mean(2) > 0.3
        return np.where(changed.any(1), changed.argmax(1), 32).mean()

    assert highest(worn) + 3 < highest(low)


def test_masks_are_drawn_from_the_side_where_the_annotations_name_it():
    bare = patch()
    aside = replace(bare, sample=replace(bare.sample, nose="right"))
    plain = InputSpec(32, 32).normalise(batches.augmented(bare, None, 32, PLAIN, rng()))
    other = [patch(MASKED)]

    def middle(faces, **how):
        drawn = shown(MASKED, faces, drawn=1.0, drawn_low=1.0, **how)
        changed = (np.abs(drawn - plain).max(-1) > 0.1).any(1)
        return (changed * np.arange(32)).sum(1) / changed.sum(1)

    assert middle([aside, *other]).mean() > middle([bare, *other]).mean() + 1.5
    mixed = [*[bare] * 50, aside, *other]
    assert middle(mixed, drawn_profiles=1.0).mean() == pytest.approx(middle([aside, *other]).mean(), abs=1)
    assert middle(mixed, drawn_profiles=0.0).mean() == pytest.approx(middle([bare, *other]).mean(), abs=1)


def test_things_are_drawn_where_no_picture_shows_one_and_differ():
    drawn = shown(NOT_A_FACE, [patch(), patch(MASKED)], drawn_low=1.0)
    assert len(drawn) > 5
    assert len({x.tobytes() for x in drawn}) == len(drawn)
    one = drawn_objects.draw(rng())
    assert one.sample.label == NOT_A_FACE
    assert one.image.dtype == np.uint8
    assert (one.image == drawn_objects.draw(rng()).image).all(), "the same draw gives the same picture"


def test_a_label_without_a_picture_or_a_way_to_draw_it_is_named():
    with pytest.raises(dataset.DataError, match="mask_worn_incorrectly"):
        batches.Augmented([patch(whole=True), patch(MASKED)], config(balance=[0.4, 0.4, 0.2]))
