"""Conformance of models: they learn, are saved and resumed without a seam, and swap."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from ..errors import InputError
from ..geometry import make_crop
from ..stages import Context, Provider
from ..training import checkpoint
from ..training.base import Side, TrainBatch, Trainer, TrainerState
from .conformance import StageConformance, sent
from .fakes import FakeContext, face_at, frames


class ModelConformance(StageConformance):
    """For `mien_models`; set `options` to the smallest net that is still the model."""

    kind = "model"
    batch: ClassVar[int] = 2
    exports: ClassVar[Path]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _keep_exports(cls, tmp_path_factory: pytest.TempPathFactory) -> None:
        """The nets of all tests are one and the same, and exporting one takes seconds."""
        cls.exports = tmp_path_factory.mktemp("exports")

    def make_context(self, folder: Path) -> Context:
        """A context that keeps what was exported for the next test."""
        return FakeContext(cache=self.exports)

    @pytest.fixture
    def trainer(self, provider: Provider, context: Context) -> Trainer:
        """A fresh model, ready to learn."""
        return self.make_trainer(provider, context)

    def make_trainer(self, provider: Any, context: Context) -> Trainer:
        """A fresh model with the options under test."""
        trainer: Trainer = provider.train(self.chosen(provider), context)
        return trainer

    def make_batch(self, trainer: Trainer, seed: int = 0) -> TrainBatch:
        """Random faces of both people."""
        import torch

        generator = torch.Generator().manual_seed(seed)

        def side() -> Side:
            into, out = trainer.input_size, trainer.output_size
            return Side(
                warped=torch.rand(self.batch, 3, into, into, generator=generator),
                face=torch.rand(self.batch, 3, out, out, generator=generator),
                mask=torch.ones(self.batch, 1, out, out),
                focus=torch.zeros(self.batch, 1, out, out),
            )

        return TrainBatch(source=side(), target=side())

    def make_stage(self, provider: Any, context: Context) -> Any:
        """The swap of a model that learned one step, from its saved generation."""
        trainer = self.make_trainer(provider, context)
        trainer.step(self.make_batch(trainer))
        folder = self.folder / "model"
        generation = checkpoint.latest(folder)
        if generation is None:
            generation = checkpoint.save(folder, trainer.state(), 1)
        self.generation = generation.folder
        return provider.create(self.chosen(provider), context, generation.folder)

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make_items(self, stage: Any) -> list[Any]:
        """Crops of faces inside and at the border of their frames."""
        places = [(48, 36, 40, 0), (40, 30, 22, 30), (5, 5, 30, -60)]
        return [
            make_crop(frame, face_at(x, y, size, roll=roll), stage.spec)
            for frame, (x, y, size, roll) in zip(frames(len(places)), places, strict=True)
        ]

    def arrays(self, result: Any, item: Any) -> list[np.ndarray[Any, Any]]:
        """A square float32 picture in 0..1, where its crop was."""
        height, width, _ = result.image.shape
        assert height == width
        assert result.image.dtype == np.float32
        assert result.image.min() >= 0
        assert result.image.max() <= 1
        for mask in result.masks.values():
            assert mask.dtype == np.float32
            assert mask.min() >= 0
            assert mask.max() <= 1
        ratio = height / item.spec.size
        np.testing.assert_allclose(result.matrix[:, :2], item.matrix[:, :2] * ratio, rtol=1e-9)
        return [result.image, *result.masks.values()]

    def test_it_works_again_after_pickled_options(
        self, provider: Provider, context: Context
    ) -> None:
        """A worker process makes the same stage from the options and the folder."""
        stage = self.make_stage(provider, context)
        options = sent(self.chosen(provider))
        again = provider.create(options, context, self.generation)  # type: ignore[call-arg]
        items = self.make_items(stage)
        results = []
        for each in (stage, again):
            each.open()
            results.append(self.run(each, items))
            each.close()
        self.compare(results[0], results[1], items, 0.0)

    def test_a_step_gives_finite_losses_and_changes_the_weights(self, trainer: Trainer) -> None:
        """Learning happens."""
        before = {name: value.clone() for name, value in trainer.state().weights.items()}
        losses = trainer.step(self.make_batch(trainer))
        assert losses
        assert all(np.isfinite(value) for value in losses.values())
        after = trainer.state().weights
        assert any(not value.equal(after[name]) for name, value in before.items())

    def test_repeated_steps_on_one_batch_lower_the_loss(self, trainer: Trainer) -> None:
        """The gradient points the right way."""
        batch = self.make_batch(trainer)
        sums = [sum(trainer.step(batch).values()) for _ in range(12)]
        assert sums[-1] < sums[0]

    def test_resuming_goes_on_as_if_nothing_had_happened(
        self, provider: Provider, context: Context, tmp_path: Path
    ) -> None:
        """Two steps are the same as one, a save, a load and one more."""
        straight = self.make_trainer(provider, context)
        batches = [self.make_batch(straight, seed) for seed in (1, 2)]
        for batch in batches:
            straight.step(batch)
        first = self.make_trainer(provider, context)
        self._same_start(self.make_trainer(provider, context), first)
        first.step(batches[0])
        saved = checkpoint.save(tmp_path / "seam", first.state(), 1)
        second = self.make_trainer(provider, context)
        second.load(saved.state())
        second.step(batches[1])
        for name, value in straight.state().weights.items():
            assert value.equal(second.state().weights[name]), name

    def test_the_preview_has_columns_of_equal_length(self, trainer: Trainer) -> None:
        """A sheet can be made of it."""
        columns = trainer.preview(self.make_batch(trainer))
        assert columns
        lengths = {len(images) for images in columns.values()}
        assert lengths == {self.batch}
        for images in columns.values():
            for image in images:
                assert image.dtype == np.float32
                assert image.shape[2] == 3

    def test_weights_of_another_net_are_refused(self, trainer: Trainer) -> None:
        """A checkpoint of another architecture is an error with a sentence."""
        import torch

        strange = TrainerState(weights={"nobody.knows": torch.zeros(3)})
        with pytest.raises(InputError, match=r"\w"):
            trainer.load(strange)

    def _same_start(self, one: Trainer, other: Trainer) -> None:
        """Same options and seed must mean the same start; this proves it before it is relied on."""
        left, right = one.state().weights, other.state().weights
        assert all(value.equal(right[name]) for name, value in left.items())
