"""The readable form: what is written comes back, what is wrong is named with its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mien.errors import ConfigError
from mien.keyframes import ALL, Timeline, entries_of, read_text, write_text

VALUES = {
    "erode": st.floats(-25, 25),
    "blur": st.integers(0, 50),
    "mask": st.sampled_from(["xseg.swap * (hull + 0.5)", "auto", "bisenet\t*\nfull"]),
    "two_pass": st.booleans(),
    "faces": st.sampled_from(["largest", "all"]),
    "sharpen_radius": st.integers(1, 50),
    "erode_pixels": st.floats(-400, 400),
}


@st.composite
def timelines(draw):
    entries = []
    for _ in range(draw(st.integers(0, 8))):
        name = draw(st.sampled_from(list(VALUES)))
        place = draw(st.sampled_from(["key", "frame", "shot"]))
        entries += entries_of(
            place,
            draw(st.integers(0, 9)),
            {name: draw(VALUES[name])},
            track=ALL if place == "shot" else draw(st.sampled_from([ALL, 0, 7])),
            ease=draw(st.sampled_from(["hold", "linear", "smooth"])),
        )
    return Timeline(entries)


@given(timelines())
def test_what_is_written_comes_back(timeline):
    text = write_text(timeline, 'of "clip"\nsecond line')
    assert read_text(text, "f") == timeline
    assert write_text(read_text(text, "f"), 'of "clip"\nsecond line') == text


def test_it_reads_like_a_page():
    made = [
        *entries_of("key", 120, {"erode": 12, "mask": "xseg * swap"}, track=3, ease="smooth"),
        *entries_of("key", 120, {"blur": 8.5}, track=3),
        *entries_of("frame", 121, {"grain": 0}),
        *entries_of("shot", 96, {"two_pass": True}),
    ]
    assert write_text(Timeline(made), "Keyframes") == (
        "# Keyframes\n\n"
        '[[key]]\nat = 120\ntrack = 3\nblur = 8.5\nmask = "xseg * swap"\n\n'
        '[[key]]\nat = 120\ntrack = 3\nease = "smooth"\nerode = 12\n\n'
        "[[frame]]\nat = 121\ngrain = 0\n\n"
        "[[shot]]\nat = 96\ntwo_pass = true\n"
    )


def test_every_problem_is_named_with_its_line():
    text = (
        "[[key]]\nat = 3\nerode = 99\ntrack = -2\n\n"
        "[[key]]\neroed = 3\nease = 'smoth'\n"
        "[[frame]]\nat = 1\nmask = 'a'\n"
        "[[frame]]\nat = 1\nmask = 'b'\n"
        "[[shot]]\nat = true\ntrack = 1\n"
        "[keys]\nat = 1\n"
    )
    with pytest.raises(ConfigError) as caught:
        read_text(text, "f.toml")
    assert caught.value.problems == (
        "f.toml, line 4: key.track: must be a whole number from 0 up, is -2",
        "f.toml, line 3: key.erode: must be -25..25 %, is 99",
        "f.toml, line 6: says no frame; write one as in: at = 120",
        "f.toml, line 8: key.ease: must be one of hold, linear, smooth, is 'smoth'; "
        "did you mean 'smooth'?",
        "f.toml, line 7: key.eroed: no such option; did you mean 'erode'?",
        "f.toml, line 14: frame.mask: is set already: f.toml, line 11: frame.mask",
        "f.toml, line 16: shot.at: must be a whole number from 0 up, is True",
        "f.toml, line 17: shot.track: [[shot]] has none",
        "f.toml, line 18: keys: must be one of [[key]], [[frame]], [[shot]]",
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[key]", "f.toml: is not valid TOML: "),
        ("erode = 3\n", "f.toml, line 1: erode: must be one of [[key]], [[frame]], [[shot]]"),
        ("key = 3\n", "f.toml, line 1: key: must be one of [[key]], [[frame]], [[shot]]"),
        ("key = [{at = 1, erode = 99}]", "f.toml, line 1: key.erode: must be -25..25 %, is 99"),
    ],
)
def test_what_is_no_timeline_is_refused(text, problem):
    with pytest.raises(ConfigError) as caught:
        read_text(text, "f.toml")
    assert str(caught.value).startswith(problem)


def test_nothing_is_nothing():
    assert len(read_text("", "f")) == 0
    assert read_text(write_text(Timeline(), "heading"), "f") == Timeline()
