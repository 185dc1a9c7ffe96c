"""What a stored face keeps of its masks."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from mien.extraction import ExtractOptions, StoreStep
from mien.faceset import Faceset, decode_mask
from mien.geometry import crop_matrix
from mien.media.base import ClipInfo
from mien.testing import face_at, frames
from mien.types import FaceMask, FaceType, Packet, replace

SIZE = 64


def test_a_mask_of_the_same_crop_is_stored_as_it_is_and_another_is_moved(tmp_path: Path) -> None:
    (frame,) = frames(1, width=120, height=90)
    face = face_at(60, 45, 40)
    assert face.landmarks is not None
    rng = np.random.default_rng(5)
    same = (rng.integers(0, 256, (SIZE, SIZE, 1)) / 255).astype(np.float32)
    halves = np.zeros((32, 32, 1), np.float32)
    halves[:, 16:] = 1
    masks = {
        "same": FaceMask(mask=same, matrix=crop_matrix(face.landmarks, FaceType.WHOLE, SIZE)),
        "small": FaceMask(mask=halves, matrix=crop_matrix(face.landmarks, FaceType.WHOLE, 32)),
    }
    info = ClipInfo(uri="x", width=120, height=90, frames=1, rate=Fraction(25))
    store = StoreStep(tmp_path, "x", info, ExtractOptions(size=SIZE))
    store([Packet(frame=frame, faces=(replace(face, box=(20.0, 5.0, 100.0, 85.0), masks=masks),))])
    ((_, record),) = Faceset(tmp_path).records()
    np.testing.assert_array_equal(
        np.rint(decode_mask(record.masks["same"], SIZE) * 255), np.rint(same * 255)
    )
    large = decode_mask(record.masks["small"], SIZE)[..., 0]
    assert large[2:-2, :30].max() == 0
    assert large[2:-2, 34:-2].min() == 1
