import numpy as np
import pytest
from mien.geometry import (
    HEAD_MODEL,
    averaged_yaw,
    expand_brows,
    feature_mask,
    hull_mask,
    lm98_to_68,
    mirror,
    pose,
)
from mien.testing import face_at


def seen(pitch=0.0, yaw=0.0, roll=0.0, size=256):
    """The head model turned and seen through a camera at 2.5 crop widths.

    Right-handed about x (right), y (down), z (away).
    """

    def turn(angle, a, b):
        r = np.eye(3)
        r[[a, b], [a, b]] = np.cos(angle)
        r[a, b], r[b, a] = -np.sin(angle), np.sin(angle)
        return r

    x, y, z = (turn(roll, 0, 1) @ turn(yaw, 2, 0) @ turn(-pitch, 1, 2) @ HEAD_MODEL.T).astype(float)
    depth = 500 + z
    return np.column_stack((x / depth * size + size / 2, y / depth * size + size / 2))


@pytest.mark.parametrize(
    "angles", [(0, 0, 0), (0.3, 0, 0), (-0.3, 0, 0), (0, 0.5, 0), (0, -0.5, 0), (0.1, -0.3, 0.2)]
)
@pytest.mark.parametrize("size", [64, 256, 1000])
def test_the_pose_is_the_one_the_head_was_turned_to(angles, size):
    np.testing.assert_allclose(pose(seen(*angles, size=size), size), angles, atol=1e-3)


def test_signs_are_as_documented():
    left = seen(yaw=0.4)
    assert left[30, 0] < 128  # the nose tip, left in the picture
    assert averaged_yaw(left) > 0
    up = seen(pitch=0.4)
    assert up[30, 1] < seen()[30, 1]
    clockwise = seen(roll=0.3)
    assert clockwise[45, 1] > clockwise[36, 1]  # the eye on the picture's right sinks


def test_a_pose_needs_finite_points():
    with pytest.raises(ValueError, match="not finite"):
        pose(np.full((68, 2), np.nan), 256)


def test_the_pose_is_deepfacelabs(shared):
    with np.load(shared("golden/dfl-image/pose.npz"), allow_pickle=False) as golden:
        cases = [
            (256, golden["face_landmarks_256"][:, i], golden["pitch_yaw_roll_256"][:, i])
            for i in range(7)
        ]
        cases.append((512, golden["wf_landmarks_512"], golden["wf_pitch_yaw_roll_512"]))
    for size, landmarks, wanted in cases:
        got = [pose(points, size) for points in landmarks]
        # The iterative solver stops at slightly different points in OpenCV 4 and 5.
        np.testing.assert_allclose(got, wanted, atol=2e-4)


def test_a_mirrored_head_is_the_head_turned_the_other_way():
    np.testing.assert_allclose(mirror(mirror(seen(yaw=0.4), 256), 256), seen(yaw=0.4))
    assert averaged_yaw(mirror(seen(yaw=0.4), 256)) == pytest.approx(
        -averaged_yaw(seen(yaw=0.4)), abs=3
    )


def test_mirroring_moves_the_picture_right_eye_to_the_left_place():
    points = np.zeros((68, 2), np.float32)
    points[45] = (10, 20)
    assert mirror(points, 100)[36].tolist() == [89, 20]


def test_mirrored_and_converted_points_are_deepfacelabs(shared):
    with np.load(shared("golden/dfl-image/align.npz"), allow_pickle=False) as golden:
        whole = golden["face_types"].tolist().index("whole_face")
        for points, wanted in zip(
            golden["face_landmarks_256"][:, whole], golden["mirrored_wf_256"], strict=True
        ):
            np.testing.assert_array_equal(mirror(points, 256), wanted)
        for points, wanted in zip(golden["lm98"], golden["lm98_to_68"], strict=True):
            np.testing.assert_allclose(lm98_to_68(points), wanted, atol=1e-12)


def test_98_points_of_another_count_are_refused():
    with pytest.raises(ValueError, match=r"must be \(98, 2\)"):
        lm98_to_68(np.zeros((68, 2)))


def test_the_hull_covers_the_features_and_only_the_face():
    points = seen()
    mask = hull_mask(points, 256)
    assert mask.shape == (256, 256, 1)
    assert set(np.unique(mask)) == {0, 1}
    rows, columns = np.nonzero(mask[..., 0])
    assert columns.min() >= points[:17, 0].min() - 1
    assert columns.max() <= points[:17, 0].max() + 1
    assert rows.max() <= points[8, 1] + 1
    for x, y in np.rint(points[17:]).astype(int):
        assert mask[y, x, 0] == 1


def test_only_the_brows_are_raised_and_by_the_factor():
    points = seen()
    whole = np.trunc(points).astype(int)
    assert np.array_equal(expand_brows(points, 0.0), whole)
    raised, twice = expand_brows(points, 1.0), expand_brows(points, 2.0)
    assert np.array_equal(np.delete(raised, range(17, 27), 0), np.delete(whole, range(17, 27), 0))
    lift = whole[17:27, 1] - raised[17:27, 1]
    assert lift.min() >= 2
    assert np.abs(whole[17:27, 1] - twice[17:27, 1] - 2 * lift).max() <= 2


def test_the_raised_brows_are_deepfacelabs(shared):
    with np.load(shared("golden/dfl-image/masks.npz"), allow_pickle=False) as golden:
        factors = golden["hull_key_set_facetype_expand"][:, 2]
        for points, factor, wanted in zip(
            golden["hull_landmarks"], factors, golden["hull_expanded_landmarks"], strict=True
        ):
            assert np.array_equal(expand_brows(points, factor), wanted)


def test_eyes_and_mouth_are_deepfacelabs(shared):
    with np.load(shared("golden/dfl-image/masks.npz"), allow_pickle=False) as golden:
        for points, eyes, mouth in zip(
            golden["em_landmarks"], golden["eye_masks"], golden["mouth_masks"], strict=True
        ):
            wanted = np.clip(eyes + mouth, 0, 1)
            # The Gaussian kernel of 9 pixels changed between versions of OpenCV.
            np.testing.assert_allclose(feature_mask(points, 128), wanted, atol=4e-3)


def test_the_features_of_a_tiny_crop_are_masked_too():
    mask = feature_mask(face_at(8, 8, 9).landmarks, 16)
    assert 0 < mask.mean() < 0.5
