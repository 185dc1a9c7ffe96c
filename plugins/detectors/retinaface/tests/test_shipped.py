"""The weights inside the package: whole, free of the machine that made them, and able."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import mien_retinaface
import numpy as np
import pytest
from mien.geometry.boxes import iou
from mien.runtime import make_context
from mien.stages import DetectorStage
from mien.types import Frame

Shared = Callable[[str], Path]
FILE = Path(mien_retinaface.__file__).parent / "weights" / mien_retinaface.MIEN.name


@pytest.fixture(scope="module")
def stage() -> Iterator[DetectorStage]:
    stage = mien_retinaface.create(
        mien_retinaface.Options(), make_context(device="cpu", threads=1, offline=True)
    )
    stage.open()
    yield stage
    stage.close()


def frame_of(image: np.ndarray) -> Frame:
    return Frame(index=0, image=np.ascontiguousarray(image))


def test_the_file_is_the_one_that_the_card_names() -> None:
    content = FILE.read_bytes()
    assert len(content) == mien_retinaface.MIEN.size
    assert hashlib.sha256(content).hexdigest() == mien_retinaface.MIEN.sha256
    assert FILE.with_suffix(".md").is_file()


def test_the_file_tells_nothing_of_the_machine_that_made_it() -> None:
    content = FILE.read_bytes()
    for trace in (b".py", b"site-packages", b"/home/", b"/tmp/", b"/work/"):
        assert trace not in content


def test_no_torch_is_needed() -> None:
    code = (
        "import sys, numpy as np, mien_retinaface as m\n"
        "from mien.runtime import make_context\n"
        "from mien.types import Frame\n"
        "stage = m.create(m.Options(), make_context(device='cpu', threads=1, offline=True))\n"
        "stage.open()\n"
        "assert list(stage([Frame(index=0, image=np.zeros((90, 160, 3), np.uint8))])) == [()]\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("scale", [0.35, 1.0])
def test_one_face_is_found_at_any_size(stage: DetectorStage, shared: Shared, scale: float) -> None:
    (x0, y0, x1, y1), points = found_at(stage, shared, scale)
    assert 130 < x0 < 170
    assert 120 < y0 < 165
    assert 280 < x1 < 320
    assert 345 < y1 < 390
    assert points is not None


def test_a_large_face_is_found_though_its_box_is_tight(
    stage: DetectorStage, shared: Shared
) -> None:
    usual, _ = found_at(stage, shared, 1.0)
    large, points = found_at(stage, shared, 3.0)
    assert iou(np.float32([usual]), np.float32([large]))[0, 0] > 0.65
    assert points is not None


def found_at(stage: DetectorStage, shared: Shared, scale: float) -> tuple[list[float], object]:
    """The box of the one face of a photo that is shown enlarged, in the photo's own pixels."""
    image = cv2.imread(str(shared("data/photos/fa_aflw_test.jpg")))
    shown = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    ((face,),) = stage([frame_of(shown)])
    return [each / scale for each in face.box], face.points5


def test_a_close_up_is_one_face_and_a_meadow_is_none(stage: DetectorStage, shared: Shared) -> None:
    portrait = cv2.imread(str(shared("data/photos/fa_aflw_test.jpg")))[120:390, 110:340]
    close_up = cv2.resize(portrait, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC)
    meadow = cv2.imread(str(shared("data/photos/fa_grass_noface.jpg")))
    (face,), nothing = stage([frame_of(close_up), frame_of(meadow)])
    assert face.box[3] - face.box[1] > 600
    assert nothing == ()
