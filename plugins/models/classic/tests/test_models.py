"""Every model learns, is saved and resumed, and swaps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import mien_models_classic
import pytest
import torch
from mien.errors import ConfigError, InputError
from mien.options import parse
from mien.testing.fakes import FakeContext
from mien.testing.models import ModelConformance
from mien.training import checkpoint
from mien.training.base import Side, TrainBatch, TrainerState
from mien.training.learning.people import PeopleTrainer
from mien_models_classic import MODELS
from mien_models_classic.stage import make_swap
from mien_models_classic.trainer import make_trainer
from torch.nn import functional as nnf

OPTIONS = {name: options for name, options, _ in MODELS}
NARROW = {"width": 0.0625, "learning_rate": 1e-3, "eye_multiplier": 1.0, "mouth_multiplier": 1.0}
SMALL: dict[str, dict[str, Any]] = {
    "lightweight": NARROW,
    "iae": NARROW | {"learn_mask": True},
    "dfl-h128": NARROW | {"lowmem": True},
    "dfl-sae": {
        "input_size": 64,
        "architecture": "liae",
        "autoencoder_dims": 32,
        "encoder_dims": 21,
        "decoder_dims": 10,
        "multiscale_decoder": True,
        "eye_multiplier": 1.0,
        "mouth_multiplier": 1.0,
        "learning_rate": 1e-3,
        "learn_mask": True,
    },
    "dlight": NARROW | {"output_size": 128, "learn_mask": True},
    "villain": NARROW | {"lowmem": True, "reflect_padding": True, "icnr_init": True},
    "unbalanced": NARROW | {"input_size": 64},
    "realface": NARROW | {"input_size": 64, "output_size": 96, "learn_mask": True},
}


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Tiny tensors lose more by threads than they win."""
    torch.set_num_threads(1)


class Classic(ModelConformance):
    """One model with the smallest net that is still itself."""

    __test__ = False
    plugin = mien_models_classic


def conformance(model: str) -> type[Classic]:
    members = {"__test__": True, "name": model, "options": SMALL[model]}
    return pytest.mark.slow(type(f"Test{model.title().replace('-', '')}", (Classic,), members))


TestLightweight = conformance("lightweight")
TestIae = conformance("iae")
TestDflH128 = conformance("dfl-h128")
TestDflSae = conformance("dfl-sae")
TestDlight = conformance("dlight")
TestVillain = conformance("villain")
TestUnbalanced = conformance("unbalanced")
TestRealface = conformance("realface")


def trainer_of(model: str, **changes: Any) -> PeopleTrainer:
    options = parse(OPTIONS[model], SMALL[model] | changes)
    return make_trainer(model, options, FakeContext())


def batch(trainer: PeopleTrainer, count: int = 2) -> TrainBatch:
    """Smooth pictures, a square face in each."""
    generator = torch.Generator().manual_seed(3)

    def side() -> Side:
        size = trainer.output_size
        face = torch.rand(count, 3, 3, 3, generator=generator)
        face = nnf.interpolate(face, size=(size, size), mode="bilinear")
        mask = torch.zeros(count, 1, size, size)
        mask[..., size // 4 : -size // 4, size // 4 : -size // 4] = 1
        seen = nnf.interpolate(face, size=(trainer.input_size,) * 2, mode="area")
        return Side(warped=seen, face=face, mask=mask, focus=torch.zeros_like(mask))

    return TrainBatch(source=side(), target=side())


@pytest.mark.parametrize("model", SMALL)
def test_a_model_learns_two_faces(model: str) -> None:
    rates = {"dfl-sae": (3e-4, 12), "unbalanced": (2e-3, 30), "villain": (4e-3, 30)}
    rate, steps = rates.get(model, (4e-3, 12))
    trainer = trainer_of(model, learning_rate=rate, loss="mae", loss_2="none")
    shown = batch(trainer, 1)
    losses = [sum(trainer.step(shown).values()) for _ in range(steps)]
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3])
    columns = trainer.preview(shown)
    assert columns["swap"][0].shape == (trainer.output_size, trainer.output_size, 3)
    assert ("swap mask" in columns) == SMALL[model].get("learn_mask", False)


def copied(state: TrainerState) -> TrainerState:
    return TrainerState(
        weights={name: value.clone() for name, value in state.weights.items()},
        optimizer={name: value.clone() for name, value in state.optimizer.items()},
        facts=state.facts,
    )


@pytest.mark.parametrize("model", ["dlight", "unbalanced"])
def test_what_drops_out_is_the_same_after_a_resume_and_new_in_every_step(model: str) -> None:
    straight = trainer_of(model)
    shown = batch(straight)
    straight.step(shown)
    saved = copied(straight.state())
    again = trainer_of(model)
    again.load(saved)
    assert again.step(shown) == straight.step(shown)
    for name, value in straight.state().weights.items():
        assert value.equal(again.state().weights[name]), name
    still = trainer_of(model, learning_rate=1e-12, masked=False)
    first, second = (still.step(shown) for _ in range(2))
    assert first != second


def test_a_preview_changes_nothing_that_learns() -> None:
    trainer = trainer_of("dlight")
    shown = batch(trainer)
    trainer.step(shown)
    before = copied(trainer.state()).weights
    one, two = (trainer.preview(shown)["swap"][0] for _ in range(2))
    assert (one == two).all()
    for name, value in trainer.state().weights.items():
        assert value.equal(before[name]), name


def test_batch_norms_are_saved_with_the_weights(tmp_path: Path) -> None:
    trainer = trainer_of("dlight")
    trainer.step(batch(trainer))
    saved = checkpoint.save(tmp_path, trainer.state(), 1)
    weights = saved.weights()
    means = [name for name in weights if name.endswith(".mean")]
    assert len(means) == 2
    assert all(weights[name].abs().max() > 0 for name in means)


def test_only_weights_of_one_person_begin_anew_for_others() -> None:
    for model, own in {
        "villain": ("source.", "target."),
        "iae": ("inter_source.", "inter_target."),
        "dfl-sae": ("inter_source.",),
    }.items():
        learners = trainer_of(model).learners
        assert learners.people == own
        assert all(any(n.startswith(each) for n in learners.net.state_dict()) for each in own)


def test_every_size_of_a_multiscale_face_must_suit_the_losses() -> None:
    with pytest.raises(ConfigError, match="the loss laploss needs faces of 32 pixels; the model"):
        trainer_of("dfl-sae", loss_3="laploss")


def test_a_swap_refuses_a_model_of_another_shape(tmp_path: Path) -> None:
    trainer = trainer_of("dfl-sae")
    generation = checkpoint.save(tmp_path, trainer.state(), 1).folder
    options = parse(OPTIONS["dfl-sae"], SMALL["dfl-sae"])
    other = replace(options, decoder_dims=11)  # type: ignore[call-arg]
    with pytest.raises(InputError, match="decoder_dims is 10, the options ask for 11"):
        make_swap("dfl-sae", other, FakeContext(), generation)
    lightweight = parse(OPTIONS["lightweight"], SMALL["lightweight"])
    with pytest.raises(InputError, match="it holds another net"):
        make_swap("lightweight", lightweight, FakeContext(), generation)


def test_no_two_faces_of_a_step_lose_the_same_channels() -> None:
    trainer = make_trainer("dlight", parse(OPTIONS["dlight"], SMALL["dlight"]), FakeContext())
    optimizer, drawn = trainer.learners.optimizer, []
    # Both people, the two batches of a gathered step, and two processes.
    optimizer.gather = 2
    for place in ((0, 2), (1, 2)):
        optimizer.place = place
        for gathered in (0, 1):
            optimizer._gathered = gathered
            trainer._give_noise(6)
            drawn += [each.noise for each in trainer._dropouts[:1]]
    noise = torch.cat([each for each in drawn if each is not None])
    assert len(noise) == 24
    assert len(noise.unique(dim=0)) == 24
