"""Labelling: guesses count only once kept, every picture is written whole, undo goes back, nobody else gets in."""

import json

import cv2
import numpy as np
import pytest

pytest.importorskip("starlette", reason="the extra web is not installed")

from starlette.testclient import TestClient

from edge.core import files
from edge.core.errors import DataError
from edge.evaluation import formats
from train.labelling.guesses import TOLD_WRONG, Guesses
from train.labelling.page import Labelling, app
from train.labelling.store import Face, Store

SIZE = (120, 80)
ADDRESS = "http://127.0.0.1:8766"


@pytest.fixture
def folder(tmp_path):
    """Three plain pictures, one in a folder below, and one that is none."""
    root = tmp_path / "door"
    (root / "monday").mkdir(parents=True)
    for k, name in enumerate(("a.png", "b.jpg", "monday/c.png")):
        cv2.imwrite(str(root / name), np.full((SIZE[1], SIZE[0], 3), 40 * k + 40, np.uint8))
    (root / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    return root


class Told(Guesses):
    """Guesses that a test says, in place of a bundle's."""

    def __init__(self, store, faces):
        self._store, self._faces, self.unreadable = store, faces, {}
        import threading

        self._lock = threading.Lock()


def guess(sure, label="with_mask"):
    return Face((10.0, 10.0, 40.0, 50.0), label, sure)


@pytest.fixture
def stand(folder):
    store = Store(folder)
    guesses = Told(store, {1: [guess(0.99)], 2: [guess(0.55)], 3: [guess(0.8, "without_mask")]})
    return store, guesses, TestClient(app(Labelling(store, guesses)), ADDRESS)


def test_pictures_that_cannot_be_read_are_named_with_the_reason(folder):
    (skipped,) = Store(folder).skipped
    assert skipped.startswith(f"{folder / 'broken.jpg'}: ")


def test_the_most_doubtful_comes_first_and_what_was_told_wrong_before_all(stand):
    store, guesses, client = stand
    assert guesses.next() == 2
    assert guesses.next({2}) == 3
    store.images[1]["why"] = "wrong"
    assert guesses.next() == 1
    assert guesses.doubt(1) == pytest.approx(TOLD_WRONG + 0.02)
    said = client.get("/api/next?skipped=1,x,2").json()
    assert (said["picture"]["id"], said["total"], said["labelled"]) == (3, 3, 0)
    assert said["picture"]["faces"] == [{"bbox": [10, 10, 40, 50], "label": "without_mask", "sure": 0.8}]


def test_a_guess_is_nowhere_until_it_is_kept_and_then_the_set_can_be_read(stand, folder):
    _, guesses, client = stand
    assert not (folder / "coco.json").exists()
    faces = [{"bbox": [-5, 10, 40, 50], "label": "without_mask"}, {"bbox": [60, 10, 30, 30], "label": "not_a_face"}]
    assert client.post("/api/picture/2", json={"faces": faces}).json()["labelled"] == 1
    read = {p.path.name: p for p in formats.read(folder)}
    assert len(read) == 3
    assert read["b.jpg"].boxes.tolist() == [[0, 10, 35, 60], [60, 10, 90, 40]], "cut to the picture"
    assert read["b.jpg"].ignored.tolist() == [False, True]
    assert len(read["a.png"].boxes) == 0
    again = Store(folder)
    assert (again.done, again.faces(2)[0].label) == (1, "without_mask")
    assert guesses.next() == 3, "what is labelled does not come again"


def test_pictures_that_came_after_the_list_was_written_are_asked_about_too(stand, folder):
    _, _, client = stand
    client.post("/api/picture/2", json={"faces": [{"bbox": [5, 5, 30, 30], "label": "without_mask"}]})
    cv2.imwrite(str(folder / "monday" / "a.png"), np.full((60, 90, 3), 200, np.uint8))  # the name is there already
    (folder / "a.png").rename(folder / "tuesday.png")  # the list's a.png is another place's now
    again = Store(folder)
    names = {number: image["file_name"] for number, image in again.images.items()}
    assert names == {1: "a.png", 2: "b.jpg", 3: "monday/c.png", 4: "tuesday.png"}
    assert again.path(1) == folder / "monday" / "a.png"
    assert (again.done, again.is_done(2)) == (1, True)
    again.keep(4, [guess(1.0)], SIZE)
    assert Store(folder).images.keys() == {1, 2, 3, 4}
    (folder / "coco.json").rename(folder / "result.json")
    assert len(Store(folder).images) == 4, "a tool's own list is taken as it is"


def test_undo_takes_back_one_picture_after_the_other(stand, folder):
    _, _, client = stand
    for number, label in ((1, "with_mask"), (2, "without_mask"), (1, "mask_worn_incorrectly")):
        assert client.post(
            f"/api/picture/{number}", json={"faces": [{"bbox": [5, 5, 30, 30], "label": label}]}
        ).is_success
    assert client.post("/api/undo", json={}).json()["picture"]["faces"][0]["label"] == "with_mask"
    back = client.post("/api/undo", json={}).json()
    assert (back["picture"]["id"], back["picture"]["labelled"], back["labelled"]) == (2, False, 1)
    assert client.post("/api/undo", json={}).json()["labelled"] == 0
    refused = client.post("/api/undo", json={})
    assert (refused.status_code, refused.json()["error"]) == (422, "nothing to take back")
    assert json.loads((folder / "coco.json").read_text())["annotations"] == []


def test_a_disk_that_is_full_changes_nothing_and_says_so(stand, folder, monkeypatch):
    store, _, client = stand
    client.post("/api/picture/1", json={"faces": []})
    before = (folder / "coco.json").read_bytes()

    def full(path, content, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write", full)
    answer = client.post("/api/picture/2", json={"faces": [{"bbox": [5, 5, 30, 30], "label": "with_mask"}]})
    assert answer.status_code == 507
    assert "No space left on device; nothing of this picture is kept" in answer.json()["error"]
    assert (store.done, store.is_done(2), store.faces(2)) == (1, False, [])
    assert (folder / "coco.json").read_bytes() == before


@pytest.mark.parametrize(
    "said",
    [
        [],
        {"faces": "x"},
        {"faces": [1]},
        {"faces": [{"bbox": [1, 2, 3], "label": "with_mask"}]},
        {"faces": [{"bbox": [1, 2, "3", 4], "label": "with_mask"}]},
        {"faces": [{"bbox": [500, 500, 20, 20], "label": "with_mask"}]},
        {"faces": [{"bbox": [5, 5, 20, 20], "label": "hat"}]},
    ],
)
def test_what_is_no_answer_is_refused(stand, folder, said):
    _, _, client = stand
    assert client.post("/api/picture/1", json=said).status_code == 422
    assert not (folder / "coco.json").exists()
    assert client.post("/api/picture/1", content=b"{").status_code == 400
    assert client.post("/api/picture/99", json={"faces": []}).status_code == 422


def test_nobody_else_gets_in(stand):
    _, _, client = stand
    assert client.get("/api/state", headers={"host": "evil.example"}).status_code == 421
    evil = {"origin": "http://evil.example"}
    assert client.post("/api/picture/1", json={"faces": []}, headers=evil).status_code == 403
    page = client.get("/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert client.get("/picture/3.jpg").headers["content-type"] == "image/jpeg"
    for name in ("label.js", "label.css", "page.css", "common.js", "icon.svg"):
        assert client.get(f"/static/{name}").status_code == 200


def test_what_somebody_else_wrote_meanwhile_is_not_lost(stand, folder):
    """A camera that collects into the same folder, or a second page."""
    store, _, client = stand
    store.keep(1, [guess(0.9)], SIZE)
    other = Store(folder)
    other.keep(2, [guess(0.9)], SIZE)
    before = store.file.read_bytes()
    answer = client.post("/api/picture/3", json={"faces": []})
    assert answer.status_code == 422
    assert "somebody else has written it since it was opened" in answer.json()["error"]
    assert (store.file.read_bytes(), store.is_done(3)) == (before, False)
    other.keep(3, [], SIZE)
    assert Store(folder).done == 3


def test_whoever_adds_a_picture_meanwhile_waits_until_a_label_is_written(stand, folder, monkeypatch):
    from tests.runtime.test_collect import turn_is_taken

    store, _, _ = stand
    write, taken = files.write, []

    def meanwhile(*given, **more):
        taken.append(turn_is_taken(folder))
        write(*given, **more)

    monkeypatch.setattr(files, "write", meanwhile)
    store.keep(1, [guess(0.9)], SIZE)
    assert taken == [True]
    assert not turn_is_taken(folder)


def test_what_the_camera_collected_is_labelled_in_place_and_keeps_what_it_says(tmp_path):
    from edge.config.service_sections import Collect
    from edge.runtime.collected import Folder
    from edge.testing.defaults import with_defaults
    from tests.runtime.test_collect import found

    kept = with_defaults(Folder, Collect())(tmp_path / "stick")
    kept.add(found())
    store = Store(tmp_path / "stick")
    (face,) = store.faces(1)
    assert (face.label, store.why(1)) == ("face", "unsure")
    store.keep(1, [Face(face.box, "with_mask")], (279, 240))
    content = json.loads((tmp_path / "stick" / "coco.json").read_text())
    assert content["images"][0]["cluster"]
    assert [p.categories.tolist() for p in formats.read(tmp_path / "stick")] == [[1]]
    kept.add(found(9.0, 4))  # the camera goes on where the stick is put back
    assert [a["category_id"] for a in json.loads((tmp_path / "stick" / "coco.json").read_text())["annotations"]] == [
        1,
        4,
    ]


def test_regions_to_ignore_and_other_people_s_names_stay(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((80, 120, 3), np.uint8))
    content = {
        "images": [{"id": 7, "file_name": "a.png", "width": 120, "height": 80, "mine": "kept"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 9, "bbox": [1, 1, 20, 20]},
            {"id": 2, "image_id": 7, "category_id": 9, "bbox": [50, 1, 20, 20], "iscrowd": 1},
        ],
        "categories": [{"id": 9, "name": "NoMask"}, {"id": 2, "name": "root"}],
    }
    (tmp_path / "set.json").write_text(json.dumps(content))
    store = Store(tmp_path / "set.json")
    store.keep(7, [Face((2.0, 2.0, 30.0, 30.0), "without_mask"), Face((60.0, 40.0, 20.0, 20.0), "with_mask")], SIZE)
    after = json.loads((tmp_path / "set.json").read_text())
    assert after["images"][0]["mine"] == "kept"
    assert [a["category_id"] for a in after["annotations"]][:2] == [9, 9]
    (picture,) = formats.read(tmp_path / "set.json")
    assert sorted(zip(picture.categories.tolist(), picture.ignored.tolist(), strict=True)) == [
        (1, False),
        (2, False),
        (2, True),
    ]


def test_what_cannot_be_labelled_is_said(tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        Store(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures in it"):
        Store(tmp_path / "empty")
    (tmp_path / "classes" / "with_mask").mkdir(parents=True)
    with pytest.raises(DataError, match="is labelled already, in another form than COCO"):
        Store(tmp_path / "classes")
    (tmp_path / "cut.json").write_text("{")
    with pytest.raises(DataError, match="not COCO annotations"):
        Store(tmp_path / "cut.json")
