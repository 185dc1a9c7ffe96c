"""Options of plugins that change over a clip: their names, their values, the stages that follow."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import pytest
from mien.errors import ConfigError
from mien.keyframes import Controls, Plan, Timeline, TunedStage, entries_of, read_text, write_text
from mien.merging import MergeOptions
from mien.options import option
from mien.stages import (
    BlendProvider,
    ColorTransferProvider,
    MaskerProvider,
    ModelProvider,
    Neighbours,
    StageBase,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    strength: float = option(1.0, "how much", ge=0, le=1)
    rounds: int = option(4, "how often", ge=1, le=100)
    form: Literal["quick", "dfl"] = option("quick", "which way")
    masked: bool = option(True, "whether")
    frames: int = option(0, "how many frames around", ge=0, le=9)
    names: tuple[str, ...] = option((), "some words")
    file: Path | None = option(None, "a file")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    morph: float = option(1.0, "how far", ge=0, le=1)
    size: int = option(64, "the net's", ge=16)


def make(options, context=None):
    return Said(options)


SOT = ColorTransferProvider(name="sot", summary="", options=Options, create=make)
SHARP = BlendProvider(name="hist-match", summary="", options=Options, create=make)
TWICE = (
    ColorTransferProvider(name="mix", summary="", options=Options, create=make),
    BlendProvider(name="mix", summary="", options=Options, create=make),
)
AMP = ModelProvider(
    name="amp", summary="", options=ModelOptions, create=make, train=make, keyed=("morph",)
)
NET = MaskerProvider(name="net", summary="", options=ModelOptions, create=make)
CONTROLS = Controls([SOT, SHARP, *TWICE, AMP, NET])


class Said(StageBase):
    """Answers with its options and what it was asked, and counts who is open."""

    open_now = 0

    def __init__(self, options):
        self.options, self.spec = options, "as it is"
        self.window = (getattr(options, "frames", 0),) * 2

    def open(self):
        Said.open_now += 1

    def close(self):
        Said.open_now -= 1

    def __call__(self, batch, /):
        return [(self.options, each) for each in batch]


class Tunable(Said):
    def tuned(self, batch, options, /):
        return [("tuned", each, item) for each, item in zip(options, batch, strict=True)]


def timeline(place="key", at=0, track=-1, **values):
    named = {name.replace("__", "."): value for name, value in values.items()}
    return Timeline(entries_of(place, at, named, track=track, controls=CONTROLS))


def asked(frame, track=-1):
    return SimpleNamespace(frame_index=frame, track=track)


@pytest.mark.parametrize(
    ("written", "full"),
    [
        ("erode", "erode"),
        ("merge.erode", "erode"),
        ("color.sot.rounds", "color.sot.rounds"),
        ("sot.rounds", "color.sot.rounds"),
        ("hist-match.strength", "blend.hist-match.strength"),
        ("mix.strength", "mix.strength"),
        ("nobody.knows", "nobody.knows"),
    ],
)
def test_a_plugins_name_is_enough_where_one_has_it(written, full):
    assert CONTROLS.full_name(written) == full


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("sot.strength", 2, "must be 0..1, is 2"),
        ("sot.form", "quik", "must be one of quick, dfl, is 'quik'; did you mean 'quick'?"),
        ("sot.strenght", 1, "no such option; did you mean 'strength'?"),
        ("sot.names", ["a"], "is the same for the whole clip"),
        ("sot.file", "a", "is the same for the whole clip"),
        ("amp.size", 64, "is the same for the whole clip; what can change of 'amp': morph"),
        ("net.size", 64, "is the same for the whole clip; what can change of 'net': none of "
         "its options; the control 'mask' says where its mask is used"),
        ("color.sott.rounds", 3, "no color named 'sott' is installed; did you mean 'sot'?"),
        ("sott.rounds", 3, "no such plugin; did you mean 'sot'?"),
        ("zzz.rounds", 3, "no such plugin"),
        ("mix.rounds", 3, "may be of color.mix or blend.mix; write one of these in full"),
        ("detector.x.y", 3, "no such plugin"),
    ],
)  # fmt: skip
def test_what_is_no_control_is_said_in_a_sentence(name, value, problem):
    with pytest.raises(ConfigError) as caught:
        entries_of("key", 0, {name: value}, controls=CONTROLS)
    assert str(caught.value) == f"{name}: {problem}"


def test_numbers_glide_whole_ones_stay_whole_words_and_switches_hold():
    line = timeline(at=0, sot__strength=0, sot__rounds=1, sot__form="dfl", sot__masked=False)
    line = line.put(timeline(at=4, sot__strength=1, sot__rounds=3, sot__form="quick"))
    plan = Plan(MergeOptions(), line)
    base = Options(masked=True)
    seen = [plan.options("color.sot", base, frame) for frame in range(5)]
    assert [each.strength for each in seen] == [0, 0.25, 0.5, 0.75, 1]
    assert [each.rounds for each in seen] == [1, 2, 2, 2, 3]
    assert {type(each.rounds) for each in seen} == {int}
    assert [each.form for each in seen] == ["dfl"] * 4 + ["quick"]
    assert not any(each.masked for each in seen)
    assert plan.merge == MergeOptions()
    assert plan.at(3) is plan.base
    assert plan.tables == ("color.sot",)
    assert plan.options("blend.mix", base, 2) is base


def test_the_narrower_place_wins_for_options_of_plugins_too():
    line = timeline("shot", 0, sot__rounds=5).put(timeline("key", 0, sot__rounds=9))
    line = line.put(timeline("frame", 3, 1, sot__rounds=7)).put(timeline(at=0, erode=3))
    plan = Plan(MergeOptions(), line)
    assert [plan.options("color.sot", Options(), 3, track).rounds for track in (0, 1)] == [5, 7]
    (found,) = plan.explain_plugin("color.sot", 3, 1)
    assert (found.name, found.value) == ("color.sot.rounds", 7)
    assert found.origin == "frame 3 alone of track 1"
    assert plan.at(3).erode == 3


def test_options_of_plugins_stand_in_the_file_by_their_dotted_names():
    line = timeline(at=4, sot__strength=0.5, sot__form="dfl", erode=2, amp__morph=1)
    text = write_text(line)
    assert 'at = 4\ncolor.sot.form = "dfl"\ncolor.sot.strength = 0.5\nerode = 2\n' in text
    assert read_text(text, "f", CONTROLS) == line
    by_hand = "[[key]]\nat = 4\nerode = 2\nsot.strength = 0.5\n[key.color.sot]\nform = 'dfl'\n"
    by_hand += "[key.model]\namp.morph = 1\n"
    assert read_text(by_hand, "f", CONTROLS) == line


def test_faults_of_plugins_options_are_named_with_their_line():
    text = (
        "[[key]]\nat = 1\nsot.rounds = 0\n'color'.\"sot\".steps = 1\n"
        "[key.color.mix]\nstrength = 2\n[[frame]]\nat = 2\ncolor.sot.rounds = 1\nsot.rounds = 2\n"
    )
    with pytest.raises(ConfigError) as caught:
        read_text(text, "f", CONTROLS)
    assert [problem.partition("; ")[0] for problem in caught.value.problems] == [
        "f, line 3: key.sot.rounds: must be 1..100, is 0",
        "f, line 4: key.color.sot.steps: no such option",
        "f, line 6: key.color.mix.strength: must be 0..1, is 2",
        "f, line 9: frame.color.sot.rounds: is set already: f, line 9: frame.color.sot.rounds",
    ]


def test_what_is_set_for_a_plugin_that_is_gone_stays_and_blocks_nothing():
    line = timeline(at=0, sot__strength=0.5, sot__form="dfl", sot__masked=False, erode=2)
    fewer = Controls([AMP])
    kept = read_text(write_text(line), "f", fewer)
    assert kept == line
    assert read_text(write_text(kept), "f", CONTROLS) == line
    with pytest.raises(ConfigError, match="no color named 'sot' is installed"):
        entries_of("key", 0, {"color.sot.rounds": 3}, controls=fewer)
    with pytest.raises(ConfigError, match="must be a number, a word or true/false, is \\[1\\]"):
        read_text("[[key]]\nat = 1\ncolor.sot.rounds = [1]\n", "f", fewer)


def follow(line, stage=Said, options=None, provider=SOT):
    options = options or Options()
    return TunedStage(stage(options), provider, options, Plan(MergeOptions(), line), stage)


def test_each_face_is_answered_under_its_own_options_in_order():
    line = timeline("frame", 1, sot__rounds=9).put(timeline("frame", 2, 5, sot__form="dfl"))
    stage = follow(line)
    stage.open()
    batch = [asked(0), asked(1), asked(2, 5), asked(2, 4), asked(1)]
    made = stage(batch)
    assert [item for _, item in made] == batch
    assert [(options.rounds, options.form) for options, _ in made] == [
        (4, "quick"),
        (9, "quick"),
        (4, "dfl"),
        (4, "quick"),
        (9, "quick"),
    ]
    around = Neighbours(item=asked(1), before=(asked(0),))
    ((options, item),) = stage([around])
    assert (options.rounds, item) == (9, around)
    assert (stage.spec, stage.window, stage.batch_size) == ("as it is", (0, 0), 1)
    assert Said.open_now == 3
    stage.close()
    stage.close()
    assert Said.open_now == -1  # the second close of the stage itself
    Said.open_now = 0


def test_a_number_that_glides_keeps_few_stages_open():
    line = timeline(at=0, sot__strength=0).put(timeline(at=200, sot__strength=1))
    stage = follow(line)
    stage.open()
    strengths = [stage([asked(n)])[0][0].strength for n in range(201)]
    assert strengths == pytest.approx([n / 200 for n in range(201)])
    assert Said.open_now <= 34
    stage.close()
    assert Said.open_now == 0


def test_a_stage_that_can_be_tuned_gets_whole_batches():
    line = timeline("frame", 1, amp__morph=0.25)
    stage = follow(line, Tunable, ModelOptions(), AMP)
    batch = [SimpleNamespace(frame_index=n, face=SimpleNamespace(track=-1)) for n in range(3)]
    made = stage(batch)
    assert [(word, options.morph) for word, options, _ in made] == [
        ("tuned", 1.0),
        ("tuned", 0.25),
        ("tuned", 1.0),
    ]
    assert [options.morph for options, _ in stage(batch[::2])] == [1.0, 1.0]


def test_what_the_pipeline_is_built_upon_cannot_change():
    with pytest.raises(ConfigError) as caught:
        follow(timeline(at=0, sot__frames=3).put(timeline(at=5, sot__frames=4)))
    assert str(caught.value) == (
        "color.sot.frames: changes how many frames are looked at, or what is shown, so it is the "
        "same for the whole clip; take it out of the keyframes and set it in the table [color.sot]"
    )
