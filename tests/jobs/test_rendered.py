"""Differences to the plate are kept without loss, for every kind of picture."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mien.jobs.kept import _change, _changed
from mien.jobs.layers import Layer, packed, unpacked
from mien.jobs.patches import Patch


@given(st.sampled_from(["uint8", "uint16", "float32"]), st.integers(0, 2**32 - 1), st.booleans())
def test_what_is_kept_comes_back_bit_for_bit(dtype, seed, wide):
    rng = np.random.default_rng(seed)
    shape = (7, 9, 3)
    if dtype == "float32":
        plate, done = (rng.normal(0, 3, shape).astype(dtype) for _ in range(2))
        done[0, 0, 0] = np.nan
        plate[1, 1, 1] = -0.0
    else:
        top = np.iinfo(dtype).max
        plate, done = (rng.integers(0, top, shape, dtype, endpoint=True) for _ in range(2))
    if not wide:
        y0, x0 = rng.integers(0, 5, 2)
        outside = np.ones(shape, bool)
        outside[y0 : y0 + 2, x0 : x0 + 4] = False
        done[outside] = plate[outside]
    box, data = _change(plate, done)
    if not wide:
        assert box[2] - box[0] <= 4
    assert _changed(plate, box, data).tobytes() == done.tobytes()


def test_a_frame_without_a_change_takes_no_room():
    plate = np.zeros((4, 4, 3), np.uint8)
    assert _change(plate, plate.copy()) == ((0, 0, 0, 0), b"")
    assert _changed(plate, (0, 0, 0, 0), b"") is plate


def test_a_picture_of_another_size_is_not_kept():
    plate = np.zeros((4, 4, 3), np.uint8)
    assert _change(plate, np.zeros((2, 2, 3), np.uint8)) is None


@pytest.mark.parametrize("data", [b"nothing", b"\x89PNG"])
def test_what_is_no_change_of_this_frame_is_refused(data):
    with pytest.raises(ValueError, match="is not the change"):
        _changed(np.zeros((4, 4, 3), np.uint8), (0, 0, 2, 2), data)


LAYER = Layer(
    mask=((3, 4, 11, 9), np.arange(40, dtype=np.uint8).reshape(5, 8)),
    patches=(Patch(entry={"face": 0}, picture=b"one", mask=b"two"),),
)


def test_a_layer_comes_back_as_it_was():
    back = unpacked(packed(LAYER))
    assert back.patches == LAYER.patches
    assert back.mask[0] == LAYER.mask[0]
    np.testing.assert_array_equal(back.mask[1], LAYER.mask[1])
    nothing = unpacked(packed(Layer()))
    assert (nothing.mask, nothing.patches) == (None, ())


@given(st.data())
def test_a_damaged_layer_is_refused_or_read_and_nothing_else(data):
    whole = bytearray(packed(LAYER))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError, TypeError):
        unpacked(bytes(whole[: data.draw(st.integers(0, len(whole)))]))


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b'{"sizes": [0, 0], "patches": []}', b'{"sizes": [], "patches": [{}]}',
     b'{"sizes": "x", "patches": []}', b'{"sizes": [], "patches": [], "mask": [0, 0, 1, 1]}'],
)  # fmt: skip
def test_a_layer_whose_parts_do_not_fit_is_refused(text):
    with pytest.raises(ValueError, match=r"layer|Expecting value"):
        unpacked(text + b"\n")
