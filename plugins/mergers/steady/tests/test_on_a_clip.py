"""A still face in the colours of a real clip."""

import json

import cv2
import numpy as np
import pytest
from mien.geometry import crop_matrix
from mien.stages import ColorPair, Neighbours
from mien.types import FaceType
from mien_color_steady import Options, create

SIZE, FRAMES = 96, 40


def faces(clip, labels):
    """Crops and hulls of the first frames."""
    told = json.loads(labels.read_text(encoding="utf-8"))["frames"]
    reader = cv2.VideoCapture(str(clip))
    for index in range(FRAMES):
        is_frame, frame = reader.read()
        assert is_frame
        points = np.array(told[index]["faces"][0]["lm68"], np.float32)
        matrix = crop_matrix(points, FaceType.WHOLE, SIZE)
        area = np.zeros((SIZE, SIZE), np.float32)
        hull = cv2.convexHull((points @ matrix[:, :2].T + matrix[:, 2]).astype(np.int32))
        cv2.fillConvexPoly(area, hull, 1.0)
        crop = cv2.warpAffine(frame, matrix, (SIZE, SIZE)).astype(np.float32) / np.float32(255)
        yield crop, area[..., None]
    reader.release()


def flicker(results):
    third = SIZE // 3
    means = [
        cv2.cvtColor(each, cv2.COLOR_BGR2LAB)[third:-third, third:-third].mean(axis=(0, 1))
        for each in results
    ]
    return float(np.sqrt(np.var(np.diff(means, axis=0), axis=0).sum()))


def test_it_flickers_much_less_than_reinhard_on_a_head_that_turns(shared):
    reinhard = pytest.importorskip("mien_color_reinhard")
    folder = shared("data/clips")
    still, _ = next(faces(folder / "pair_a_woman_512.mp4", folder / "pair_a_woman_512.faces.json"))
    pairs = [
        ColorPair(swap=still.copy(), plate=plate, area=area, frame_index=index, track=0)
        for index, (plate, area) in enumerate(
            faces(folder / "pair_b_man_512.mp4", folder / "pair_b_man_512.faces.json")
        )
    ]
    items = [
        Neighbours(
            item=pair, before=tuple(pairs[max(0, i - 6) : i]), after=tuple(pairs[i + 1 : i + 7])
        )
        for i, pair in enumerate(pairs)
    ]
    steady = create(Options(), None)(items)
    alone = reinhard.create(reinhard.Options(), None)(pairs)
    assert flicker(steady) < 0.7 * flicker(alone)
