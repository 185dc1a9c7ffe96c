import numpy as np
import pytest
from mien.geometry import HEAD_MODEL, crop_matrix, transform
from mien.types import Crop, CropSpec, Face, FaceType
from mien_mask_landmarks import Options, create, mien_maskers


def head(turn=0.0):
    """The head model seen from the front, turned about its own axis."""
    x, y, z = HEAD_MODEL.T
    side = x * np.cos(turn) + z * np.sin(turn)
    return np.column_stack((side, y)).astype(np.float32) + 300


def crop_of(points, spec):
    matrix = crop_matrix(points, spec.face_type, spec.size)
    return crop_with(transform(matrix, points), spec, matrix)


def crop_with(landmarks, spec, matrix=None):
    return Crop(
        image=np.zeros((spec.size, spec.size, 3), np.uint8),
        matrix=np.eye(2, 3) if matrix is None else matrix,
        landmarks=landmarks,
        spec=spec,
        face=Face(box=(0, 0, 1, 1)),
    )


def masks_of(*turns, **options):
    stage = create(Options(**options), None)
    return stage([crop_of(head(turn), stage.spec) for turn in turns])


def test_the_stage_asks_for_the_crop_that_the_options_name():
    stage = create(Options(face_type=FaceType.HEAD, size=96), None)
    assert stage.spec == CropSpec(face_type=FaceType.HEAD, size=96, dtype="uint8")


@pytest.mark.parametrize("kind", ["hull", "components", "extended"])
@pytest.mark.parametrize("face_type", list(FaceType))
def test_eyes_nose_and_mouth_are_face_and_the_corners_are_not(kind, face_type):
    (mask,) = masks_of(0.0, kind=kind, face_type=face_type, size=128)
    points = transform(crop_matrix(head(), face_type, 128), head())
    assert mask.shape == (128, 128, 1)
    assert mask.dtype == np.float32
    assert set(mask[(0, 0, -1, -1), (0, -1, 0, -1), 0]) == {0} or face_type is FaceType.HALF
    for x, y in np.rint(points[[30, 37, 44, 62, 66]]).astype(int):
        assert mask[y, x, 0] == 1


def test_every_crop_gets_its_own_mask_in_order():
    both = masks_of(0.0, 0.5)
    assert np.array_equal(both[0], masks_of(0.0)[0])
    assert np.array_equal(both[1], masks_of(0.5)[0])
    assert not np.array_equal(*both)


def test_a_higher_brow_reaches_further_up_the_forehead():
    tops = [np.argmax(masks_of(0.0, brow=brow)[0].any((1, 2))) for brow in (0.0, 1.0, 2.0)]
    assert tops[0] > tops[1] > tops[2]


def test_extended_holds_components_and_reaches_above_it():
    (components,), (extended,) = masks_of(0.0, kind="components"), masks_of(0.0, kind="extended")
    assert np.all(extended[components == 1] == 1)
    assert np.argmax(extended.any((1, 2))) < np.argmax(components.any((1, 2)))


def test_points_far_outside_the_crop_draw_what_is_inside():
    spec = CropSpec(size=64, dtype="uint8")
    huge = crop_with((head() - 300) * 1e4 + 32, spec)
    (mask,) = create(Options(size=64), None)([huge])
    assert mask[32, 32, 0] == 1


def test_the_hull_is_deepfacelabs_pixel_by_pixel(shared):
    stages, wrong = {}, 0
    with np.load(shared("golden/dfl-image/masks.npz"), allow_pickle=False) as golden:
        keys = golden["hull_key_set_facetype_expand"]
        cases = list(zip(golden["hull_landmarks"], keys, golden["hull_packed"], strict=True))
    for landmarks, (_, _, brow), packed in cases:
        stage = stages.setdefault(brow, create(Options(size=128, brow=float(brow)), None))
        (mask,) = stage([crop_with(landmarks, stage.spec)])
        wrong += int((np.unpackbits(packed) != (mask.ravel() > 0)).sum())
    assert len(cases) == 108
    assert wrong == 0


@pytest.mark.parametrize("kind", ["components", "extended"])
@pytest.mark.parametrize("face", range(4))
def test_the_smooth_kinds_are_faceswaps_pixel_by_pixel(shared, kind, face):
    with np.load(shared("golden/faceswap/align_geometry.npz"), allow_pickle=False) as golden:
        matrix = golden[f"adjusted_matrix_256_face__{face}"]
        landmarks = transform(matrix, golden["landmarks"][face])
        wanted = np.unpackbits(golden[f"lm_mask_256_{kind}__{face}"]).reshape(256, 256)
    stage = create(Options(kind=kind), None)
    (mask,) = stage([crop_with(landmarks, stage.spec)])
    assert int((wanted != (mask[..., 0] > 127 / 255)).sum()) == 0


def test_the_card_names_the_plugin():
    (card,) = mien_maskers()
    assert (card.kind, card.name) == ("masker", "landmarks")
