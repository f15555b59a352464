"""A door made by code: drawn people, some behind masks with a printed smile, which look bare to a classifier."""

import json

import cv2
import numpy as np

from edge.core.geometry import Box
from train.augmentation import drawn_faces, drawn_objects

WIDTH, HEIGHT = 640, 480


def smile(image, face, rng):
    """A copy of `image` whose `face` wears a mask of the colour of skin, on which a nose and a mouth are printed."""
    h, w = image.shape[:2]
    x, y = face.centre
    strip = image[
        int(y - face.height * 0.34) : int(y - face.height * 0.24), int(x - face.width * 0.2) : int(x + face.width * 0.2)
    ]
    skin = np.median(strip.reshape(-1, 3), 0) * rng.uniform(0.93, 1.07)
    cloth, alpha = np.zeros_like(image), np.zeros((h, w), np.uint8)
    cloth[:] = np.clip(skin, 0, 255)
    points = [(-0.5, 0.02), (0, -0.06), (0.5, 0.02), (0.42, 0.36), (0, 0.53), (-0.42, 0.36)]
    outline = np.array([(x + a * face.width, y + b * face.height) for a, b in points])
    cv2.fillPoly(alpha, [outline.round().astype(np.int32)], 255, cv2.LINE_AA)
    dark, lips = tuple(map(int, skin * 0.5)), (min(int(skin[0]), 235), int(skin[1] * 0.5), int(skin[2] * 0.55))
    unit = face.width / 100
    for side in (-1, 1):
        cv2.circle(
            cloth,
            (round(x + side * 5 * unit), round(y + face.height * 0.14)),
            max(round(2.4 * unit), 1),
            dark,
            -1,
            cv2.LINE_AA,
        )
    wide, high = round(rng.uniform(20, 27) * unit), round(rng.uniform(7, 12) * unit)
    at = (round(x), round(y + face.height * 0.26))
    cv2.ellipse(cloth, at, (wide, high), 0, 0, 180, lips, -1, cv2.LINE_AA)
    cv2.ellipse(cloth, at, (round(wide * 0.85), round(high * 0.55)), 0, 0, 180, (240, 238, 232), -1, cv2.LINE_AA)
    edge = cv2.Canny(alpha, 50, 150)
    cloth[cv2.dilate(edge, np.ones((2, 2), np.uint8)) > 0] = skin * 0.8
    weight = cv2.GaussianBlur(alpha, (0, 0), 0.8)[..., None] / 255
    return np.clip(image * (1 - weight) + cloth * weight, 0, 255).astype(np.uint8)


def person(rng, masked):
    """One picture of the door and the tight box of the person in it."""
    image = drawn_objects.wall(WIDTH, HEIGHT, np.random.default_rng(7))  # the same wall behind everybody
    height = rng.uniform(90, 190)
    box = drawn_faces.head(image, rng.uniform(150, WIDTH - 150), rng.uniform(150, HEIGHT - 200), height, rng)
    return (smile(image, box, rng) if masked else image), box


def write(folder, count, seed=0):
    """`count` pictures as COCO, every other one masked; the path of the annotations."""
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for k in range(count):
        image, box = person(np.random.default_rng([seed, k]), k % 2 == 0)
        name = f"{k:04d}.jpg"
        cv2.imwrite(str(folder / "images" / name), image[..., ::-1])
        images.append({"id": k, "file_name": name, "width": WIDTH, "height": HEIGHT})
        bbox = [box.x0, box.y0, box.width, box.height]
        annotations.append({"id": k, "image_id": k, "category_id": 1 + k % 2, "bbox": bbox, "iscrowd": 0})
    names = [{"id": 1, "name": "with_mask"}, {"id": 2, "name": "without_mask"}]
    path = folder / "door.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": names}))
    return path


__all__ = ["Box", "person", "smile", "write"]
