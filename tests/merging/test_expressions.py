"""Masks by name and arithmetic: what may be written, and what is said where it goes wrong."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mien.errors import ConfigError
from mien.merging import parse_mask

MASKS = {
    "full": np.ones((1, 4), np.float32),
    "swap": np.array([[0, 0.5, 1, 1]], np.float32),
    "target": np.array([[1, 1, 0.5, 0]], np.float32),
    "vgg-clear": np.array([[0, 1, 0, 1]], np.float32),
    "xseg.swap": np.array([[0.25, 0.25, 0.25, 0.25]], np.float32),
}


def value(text):
    return parse_mask(text).value(MASKS.__getitem__)[0].tolist()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("swap", [0, 0.5, 1, 1]),
        ("SWAP * Target", [0, 0.5, 0.5, 0]),
        ("swap+target", [1, 1, 1, 1]),
        ("swap + target * vgg-clear", [0, 1, 1, 1]),
        ("(swap + target) * vgg-clear", [0, 1, 0, 1]),
        ("full - swap", [1, 0.5, 0, 0]),
        ("1 - swap", [1, 0.5, 0, 0]),
        ("1-swap", [1, 0.5, 0, 0]),
        ("swap - full + 0.5", [0.5, 0.5, 0.5, 0.5]),
        (".5*vgg-clear", [0, 0.5, 0, 0.5]),
        ("vgg-clear.target", [0, 1, 0, 1]),
        ("learned.swap*learned.target", [0, 0.5, 0.5, 0]),
        ("xseg.swap", [0.25] * 4),
        ("((full))*xseg.swap", [0.25] * 4),
    ],
)
def test_names_numbers_and_signs_combine(text, wanted):
    assert value(text) == wanted


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("full", "full"),
        ("dst", "hull"),
        ("learned-prd", "swap"),
        ("learned-dst", "target"),
        ("learned-prd*learned-dst", "swap * target"),
        ("learned-prd+learned-dst", "swap + target"),
        ("XSeg-prd", "xseg.swap"),
        ("XSeg-dst", "xseg"),
        ("XSeg-prd*XSeg-dst", "xseg.swap * xseg"),
        ("learned-prd*learned-dst*XSeg-prd*XSeg-dst", "swap * target * xseg.swap * xseg"),
    ],
)
def test_the_ten_modes_of_deepfacelab_can_be_written_as_they_are(theirs, ours):
    assert parse_mask(theirs).root == parse_mask(ours).root


def test_it_says_which_masks_it_needs_and_which_of_them_look_at_the_new_face():
    parsed = parse_mask("xseg.swap * learned.target + bisenet.target*xseg.swap")
    assert parsed.names == ("xseg.swap", "target", "bisenet")
    assert parsed.of_the_swap == ("xseg",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at 1 the text ends, must be the name of a mask"),
        ("swap *", "at 7 the text ends, must be the name of a mask"),
        ("swap target", "at 6 is 'target', must be an operator"),
        ("(swap + target", "at 15 the text ends, must be ')' for the '(' at 1"),
        ("swap)", "at 5 is ')', must be an operator"),
        ("swap & target", "at 6 is '&', must be a name, a number or one of"),
        ("swap ** target", "at 7 is '*', must be the name of a mask"),
    ],
)
def test_a_fault_is_named_with_its_place(text, message):
    with pytest.raises(ConfigError, match=re.escape(f"merge.mask: '{text}': {message}")):
        parse_mask(text)


@given(st.text(alphabet="swap.xg()*+-01 &", max_size=30))
def test_any_text_is_parsed_or_refused_with_words(text):
    try:
        parsed = parse_mask(text)
    except ConfigError:
        return
    half = np.full((1, 4), 0.5, np.float32)
    result = parsed.value(lambda name: half)
    assert 0 <= result.min() <= result.max() <= 1
