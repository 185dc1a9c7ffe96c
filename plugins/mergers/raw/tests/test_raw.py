import numpy as np
from mien.merging import MergeOptions
from mien.merging.steps import BlendStep
from mien.stages import NoOptions
from mien.testing import frames
from mien.types import Face, Packet, Swap
from mien_blend_raw import create_alone, create_in_frame


def packet(value=0.25, side=20, empty=False):
    (frame,) = frames(1)
    if empty:
        return Packet(frame=frame)
    matrix = np.array([[1.0, 0, -30], [0, 1.0, -20]])
    image = np.full((side, side, 3), value, np.float32)
    swap = Swap(image=image, matrix=matrix, alpha=np.zeros((side, side, 1), np.float32))
    return Packet(frame=frame, faces=(Face(box=(30, 20, 50, 40)),), swaps=(swap,))


def test_raw_rgb_shows_the_whole_square_whatever_the_mask_says():
    given = packet()
    step = BlendStep(create_in_frame(NoOptions(), None), MergeOptions())
    ((done),) = step([given])
    image = done.frame.image
    assert (image[21:39, 31:49] == 64).all()
    outside = np.ones(image.shape[:2], bool)
    outside[19:41, 29:51] = False
    assert np.array_equal(image[outside], given.frame.image[outside])


def test_raw_predict_gives_the_square_instead_of_the_frame_and_black_without_a_face():
    step = BlendStep(create_alone(NoOptions(), None), MergeOptions(), side=20)
    with_face, without = step([packet(), packet(empty=True)])
    assert with_face.frame.image.shape == without.frame.image.shape == (20, 20, 3)
    assert (with_face.frame.image == 64).all()
    assert not without.frame.image.any()
