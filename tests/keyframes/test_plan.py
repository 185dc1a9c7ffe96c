"""Which value counts, and what is said of where it comes from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mien.errors import ConfigError
from mien.keyframes import ALL, Plan, Timeline, entries_of
from mien.merging import MergeOptions
from mien.testing import frames
from mien.types import Face, Packet

PLACES = [  # from the weakest to the strongest
    ("key", ALL, 10),
    ("shot", ALL, 10),
    ("key", 3, 10),
    ("frame", ALL, 12),
    ("frame", 3, 12),
]


def timeline(*places, **more):
    made = []
    for place, at, values, *track in places:
        made += entries_of(place, at, values, track=track[0] if track else ALL, **more)
    return Timeline(made)


@pytest.mark.parametrize("strongest", range(len(PLACES)))
def test_the_narrower_place_wins(strongest):
    made = [
        (place, at, {"erode": 1 + n}, track)
        for n, (place, track, at) in enumerate(PLACES[: strongest + 1])
    ]
    plan = Plan(MergeOptions(), timeline(*made))
    assert plan.at(12, 3).erode == strongest + 1


def test_a_place_speaks_for_its_own_frames_and_tracks_only():
    plan = Plan(
        MergeOptions(),
        timeline(
            ("key", 10, {"blur": 20}, 3),
            ("shot", 50, {"scale": 4}),
            ("frame", 12, {"grain": 9}),
        ),
        shots=(0, 40, 80),
    )
    assert plan.at(12, 3) == MergeOptions(blur=20, grain=9)
    assert plan.at(12, 2) == MergeOptions(grain=9)
    assert plan.at(13) == MergeOptions()
    assert [plan.at(frame).scale for frame in (39, 40, 79, 80)] == [0, 4, 4, 0]


def test_without_shots_the_clip_is_one():
    assert Plan(MergeOptions(), timeline(("shot", 50, {"scale": 4}))).at(0).scale == 4


def test_keys_of_a_track_hide_those_of_all_from_beginning_to_end():
    plan = Plan(
        MergeOptions(),
        timeline(("key", 0, {"erode": 1}), ("key", 9, {"erode": 2}), ("key", 5, {"erode": 7}, 1)),
    )
    assert [plan.at(frame, 1).erode for frame in (0, 5, 9)] == [7, 7, 7]


def test_words_masks_and_switches_hold_and_whole_numbers_stay_whole():
    plan = Plan(
        MergeOptions(),
        timeline(
            ("key", 0, {"mask": "hull", "two_pass": True, "sharpen_radius": 1, "faces": "all"}),
            ("key", 10, {"mask": "full", "two_pass": False, "sharpen_radius": 4}),
            ease="smooth",
        ),
    )
    assert [plan.at(frame).mask for frame in (0, 9, 10)] == ["hull", "hull", "full"]
    assert [plan.at(frame).two_pass for frame in (0, 9, 10)] == [True, True, False]
    assert plan.at(20).faces == "all"
    radii = [plan.at(frame).sharpen_radius for frame in range(11)]
    assert radii == sorted(radii)
    assert {type(radius) for radius in radii} == {int}
    assert set(radii) == {1, 2, 3, 4}


def test_pixels_of_a_wider_place_give_way_to_percent_of_a_narrower_one():
    plan = Plan(MergeOptions(erode_pixels=30), timeline(("frame", 5, {"erode": 3})))
    assert plan.at(4).erode_pixels == 30
    assert (plan.at(5).erode_pixels, plan.at(5).erode) == (None, 3)
    plan = Plan(MergeOptions(erode=3), timeline(("frame", 5, {"erode_pixels": 30})))
    assert plan.at(5).erode_in(100) == pytest.approx(30 / 8)


def test_where_each_value_comes_from():
    plan = Plan(
        MergeOptions(grain=50),
        timeline(
            ("key", 10, {"erode": 2}, 3),
            ("key", 20, {"erode": 12, "mask": "full"}, 3),
            ("shot", 0, {"scale": 4}),
            ("frame", 15, {"light": 40}),
            ("frame", 15, {"contrast": 30}, 3),
        ),
        origin=lambda name: "mien.toml, line 3" if name == "grain" else "default",
    )
    said = {found.name: (found.value, found.origin) for found in plan.explain(15, 3)}
    assert list(said) == list(MergeOptions.__slots__)
    assert said["erode"] == (7, "keys of track 3 at 10 (2) and 20 (12), linear")
    assert said["mask"] == ("full", "key of track 3 at 20, which holds")
    assert said["scale"] == (4, "the shot that begins at 0")
    assert said["light"] == (40, "frame 15 alone")
    assert said["contrast"] == (30, "frame 15 alone of track 3")
    assert said["grain"] == (50, "mien.toml, line 3")
    assert said["blur"] == (8, "default")
    assert dict((f.name, f.origin) for f in plan.explain(20, 3))["erode"] == "key of track 3 at 20"


def test_ever_names_every_value_that_is_set_once():
    plan = Plan(
        MergeOptions(), timeline(("key", 1, {"mask": "hull"}), ("key", 2, {"mask": "auto"}))
    )
    assert plan.ever("mask") == ("auto", "hull")
    assert plan.ever("motion_blur") == (0.0,)


def test_a_plan_is_what_the_steps_ask_and_constant_options_stay_constant():
    plan = Plan(MergeOptions(), timeline(("frame", 1, {"erode": 9})))
    assert plan.merge is plan
    (_, second) = frames(2)
    packet = Packet(frame=second)
    assert plan(packet, Face(box=(0, 0, 1, 1))).erode == 9
    assert Plan(MergeOptions(blur=3)).merge == MergeOptions(blur=3)


PLAIN = {
    "erode": st.floats(-25, 25),
    "blur": st.floats(0, 50),
    "sharpen_radius": st.integers(1, 50),
}


@given(st.data())
def test_the_order_of_entries_does_not_matter_and_every_value_is_allowed(data):
    entries = {}
    for _ in range(data.draw(st.integers(1, 8))):
        name = data.draw(st.sampled_from(list(PLAIN)))
        (entry,) = entries_of(
            data.draw(st.sampled_from(["key", "frame", "shot"])),
            data.draw(st.integers(0, 20)),
            {name: data.draw(PLAIN[name])},
            track=data.draw(st.sampled_from([ALL, 0, 1])),
            ease=data.draw(st.sampled_from(["hold", "linear", "smooth"])),
        )
        entries[entry.identity] = entry
    straight = Plan(MergeOptions(), Timeline(entries.values()), shots=(0, 10))
    mixed = data.draw(st.permutations(list(entries.values())))
    turned = Plan(MergeOptions(), Timeline(mixed), shots=(0, 10))
    for frame in range(0, 21, 2):
        for track in (ALL, 0):
            options = straight.at(frame, track)
            assert options == turned.at(frame, track)
            values = {name: getattr(options, name) for name in PLAIN}
            assert entries_of("key", 0, values)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"erode": 99}, "erode: must be -25..25 %, is 99"),
        ({"erod": 9}, "erod: no such option; did you mean 'erode'?"),
        ({"blur": "much"}, "blur: must be a number, is 'much'"),
        ({"blur": float("nan")}, "blur: must be a number, is nan"),
        ({"faces": "some"}, "faces: must be one of largest, all, is 'some'"),
        (
            {"mask": "a +"},
            "mask: merge.mask: 'a +': at 4 the text ends, must be the name of a mask",
        ),
        ({"erode_pixels": None}, "erode_pixels: must be a number, is empty"),
    ],
)
def test_a_value_is_checked_as_the_option_is(values, problem):
    with pytest.raises(ConfigError) as caught:
        entries_of("key", 0, values)
    assert str(caught.value) == problem


def test_what_is_not_set_cannot_be_removed():
    line = timeline(("key", 3, {"erode": 1, "blur": 2}, 1))
    assert len(line.without("key", 3, 1, ["blur"])) == 1
    assert not line.without("key", 3, 1)
    with pytest.raises(ConfigError, match=r"^key 3 of track 1: does not set grain$"):
        line.without("key", 3, 1, ["grain"])
    with pytest.raises(ConfigError, match=r"^key 3: does not set any control$"):
        line.without("key", 3, ALL)


def test_a_plan_is_asked_from_many_threads():
    from concurrent.futures import ThreadPoolExecutor

    plan = Plan(MergeOptions(), timeline(("key", 0, {"erode": 0}), ("key", 99, {"erode": 9.9})))
    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(lambda frame: plan.at(frame % 100).erode, range(400)))
    assert np.allclose(seen, [frame % 100 / 10 for frame in range(400)])
