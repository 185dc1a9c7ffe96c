"""What every model owes, by both families of nets, with and without judges."""

from __future__ import annotations

from typing import Any, ClassVar

import mien_model_saehd
import pytest
import torch
from mien.errors import ConfigError
from mien.options import parse
from mien.testing import FakeContext
from mien.testing.models import ModelConformance

SMALL = {"resolution": 64, "ae_dims": 32, "e_dims": 16, "d_dims": 16, "d_mask_dims": 16}


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Tiny tensors lose more by threads than they win."""
    torch.set_num_threads(1)


class TestDf(ModelConformance):
    plugin = mien_model_saehd
    name = "saehd"
    options: ClassVar[dict[str, Any]] = {**SMALL, "archi": "df-ud", "learning_rate": 1e-3}


class TestLiaeWithJudges(ModelConformance):
    plugin = mien_model_saehd
    name = "saehd"
    options: ClassVar[dict[str, Any]] = {
        **SMALL,
        "archi": "liae",
        "gan_power": 0.1,
        "face_style_power": 1.0,
        "bg_style_power": 1.0,
        "eyes_mouth_prio": True,
        "blur_out_mask": True,
        "lr_dropout": True,
        "clip": True,
        "optimizer": "rmsprop",
    }


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"true_face_power": 0.1}, "true_face_power: is for df only, and archi is 'liae-ud'"),
        ({"freeze_common": True, "archi": "df"}, "freeze_common: is for liae only"),
        ({"archi": "df-x"}, "archi 'df-x': must be df or liae"),
        ({"resolution": 80}, "resolution 80: must be a multiple of 32"),
        ({"gan_power": 0.1, "gan_patch_size": 128, "resolution": 96}, "gan_patch_size 128"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        mien_model_saehd.train(parse(mien_model_saehd.Options, options), FakeContext())


def test_all_contradictions_are_said_at_once() -> None:
    options = {"resolution": 80, "true_face_power": 0.1, "gan_power": 0.1, "gan_patch_size": 128}
    with pytest.raises(ConfigError) as caught:
        mien_model_saehd.train(parse(mien_model_saehd.Options, options), FakeContext())
    assert len(caught.value.problems) == 3


def test_a_judge_that_was_switched_on_later_begins_anew() -> None:
    plain = mien_model_saehd.train(
        parse(mien_model_saehd.Options, {**SMALL, "archi": "df"}), FakeContext()
    )
    judged = mien_model_saehd.train(
        parse(mien_model_saehd.Options, {**SMALL, "archi": "df", "gan_power": 0.1}), FakeContext()
    )
    first = {name: value.clone() for name, value in judged._judge.net.state_dict().items()}
    judged.load(plain.state())
    assert all(torch.equal(first[n], v) for n, v in judged._judge.net.state_dict().items())
    for name, value in plain._net.state_dict().items():
        assert torch.equal(value, judged._net.state_dict()[name])


@pytest.mark.parametrize(("archi", "parts"), [("df", {"inter"}), ("liae", {"inter_AB", "inter_B"})])
def test_after_learning_faces_in_general_the_bottlenecks_begin_anew(
    archi: str, parts: set[str]
) -> None:
    options = {**SMALL, "archi": archi}
    trainer = mien_model_saehd.train(parse(mien_model_saehd.Options, options), FakeContext())
    names = trainer.learners.net.state_dict()
    people = {name for name in names if name.startswith(trainer.learners.people)}
    assert {name.partition(".")[0] for name in people} == parts


def test_learning_faces_in_general_switches_off_what_belongs_to_the_end() -> None:
    (card,) = mien_model_saehd.mien_models()
    late = {"gan_power": 0.1, "true_face_power": 0.1, "bg_style_power": 1.0, "lr_dropout": True}
    options = parse(card.options, {**SMALL, "archi": "df", **late, **card.pretraining})
    trainer = mien_model_saehd.train(options, FakeContext())
    assert not trainer.learners.judges
    assert not options.bg_style_power
    assert not options.lr_dropout
