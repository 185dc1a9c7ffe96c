"""The conformance kit: what the kernel relies on, as test classes for pytest.

A plugin's test module subclasses the class of its kind, names its plugin module and provider, and
overrides what differs: `options` for the options to test with, `make_context` for the nets and
files that the plugin asks for, `make_items` for harder input.
"""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest

from ..errors import ConfigError
from ..geometry import make_crop
from ..options import describe, json_schema, parse, plain
from ..registry import Registry
from ..stages import Context, FaceQuery, Provider
from ..types import Detection, Frame
from .fakes import FakeContext, face_at, frames

HEAVY = ("torch", "onnxruntime", "onnx", "cv2", "av", "numpy")
TOLERANCE = 1e-5
ITEMS = 5


def sent(options: Any) -> Any:
    """The options as another process gets them: picklable by name, and equal but not the same."""
    pickle.dumps(options)
    return copy.deepcopy(options)


class ProviderConformance:
    """The promises of the card: light, named, with options that can be declared, given, pickled."""

    plugin: ClassVar[ModuleType]
    name: ClassVar[str]
    kind: ClassVar[str] = ""
    options: ClassVar[Mapping[str, Any]] = {}

    @pytest.fixture
    def provider(self) -> Provider:
        """The provider under test, through the registry that the program uses."""
        registry = Registry([("under-test", "0", self.plugin)])
        assert not registry.broken, registry.broken
        return registry.entry(self.kind, self.name).provider

    @pytest.fixture
    def context(self, tmp_path: Path) -> Context:
        """What the stage is lent."""
        return self.make_context(tmp_path)

    def make_context(self, folder: Path) -> Context:
        """A context with the nets and files that the plugin asks for."""
        return FakeContext(cache=folder)

    def chosen(self, provider: Provider) -> Any:
        """The options to test with."""
        return parse(provider.options, self.options)

    def test_importing_the_plugin_is_light(self) -> None:
        """`mien --help` imports every plugin: none may bring torch or a codec with it."""
        code = f"import sys, {self.plugin.__name__}; print(*sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert not set(HEAVY) & set(done.stdout.split())

    def test_the_hooks_exist_and_yield_cards(self) -> None:
        """No hook name is mistyped, every card is complete."""
        registry = Registry([("under-test", "0", self.plugin)])
        assert not registry.broken
        assert self.name in registry.names(self.kind)

    def test_the_card_says_what_it_is(self, provider: Provider) -> None:
        """A reader of `mien plugins list` learns what the plugin does and under which licence."""
        assert provider.summary.strip()
        assert "\n" not in provider.summary
        assert provider.licence.strip()
        for file in provider.weights:
            assert file.name
            assert file.size >= 0
            assert len(file.sha256) in (0, *range(8, 65))  # unknown, a beginning, or the whole
            assert set(file.sha256) <= set("0123456789abcdef")
            assert file.licence

    def test_every_option_is_documented_and_its_default_is_allowed(
        self, provider: Provider
    ) -> None:
        """Defaults survive the way through TOML, and every option has its line of help."""
        defaults = provider.options()
        assert parse(provider.options, plain(defaults)) == defaults
        for info in describe(provider.options):
            assert info.help.strip(), f"{info.name} has no help"
        assert json_schema(provider.options)["additionalProperties"] is False

    def test_an_unknown_option_is_refused_by_name(self, provider: Provider) -> None:
        """A typo is answered with the option's name."""
        with pytest.raises(ConfigError, match="no_such_option_here"):
            parse(provider.options, {"no_such_option_here": 1})

    def test_a_value_of_the_wrong_type_is_refused(self, provider: Provider) -> None:
        """No option swallows a table."""
        for info in describe(provider.options):
            with pytest.raises(ConfigError):
                parse(provider.options, {info.name: {"wrong": 1}})

    def test_options_survive_pickling(self, provider: Provider) -> None:
        """Options travel to worker processes."""
        chosen = self.chosen(provider)
        assert sent(chosen) == chosen


class StageConformance(ProviderConformance):
    """The promises of a stage: one result per item, in order, the same for any batch, repeatable,
    of the declared shape, and nothing kept after `close`."""

    def make_stage(self, provider: Provider, context: Context) -> Any:
        """The stage, not yet open."""
        return provider.create(self.chosen(provider), context)

    @pytest.fixture
    def stage(self, provider: Provider, context: Context) -> Iterator[Any]:
        """The stage, open."""
        stage = self.make_stage(provider, context)
        stage.open()
        yield stage
        stage.close()

    def make_items(self, stage: Any) -> Sequence[Any]:
        """Input that the stage must manage; all items differ."""
        raise AssertionError("a conformance class of a kind defines its items")

    def arrays(self, result: Any, item: Any) -> Sequence[np.ndarray[Any, Any]]:
        """Check one result against its item, and give its numbers for comparison."""
        raise AssertionError("a conformance class of a kind checks its results")

    def run(self, stage: Any, items: Sequence[Any]) -> list[Any]:
        """All items, in batches of the stage's own size."""
        size = stage.batch_size
        results: list[Any] = []
        for start in range(0, len(items), size):
            results += stage(items[start : start + size])
        return results

    def test_one_result_per_item_of_the_declared_form(self, stage: Any) -> None:
        """Shape, dtype and range are what the hook's page says."""
        items = self.make_items(stage)
        results = self.run(stage, items)
        assert len(results) == len(items)
        for result, item in zip(results, items, strict=True):
            for array in self.arrays(result, item):
                assert np.isfinite(array).all()

    def test_results_come_in_the_order_of_the_items(self, stage: Any) -> None:
        """Reversed input gives reversed results."""
        items = list(self.make_items(stage))
        self.compare(
            self.run(stage, items)[::-1], self.run(stage, items[::-1]), items[::-1], TOLERANCE
        )

    def test_a_batch_of_one_gives_the_same_as_a_batch_of_many(self, stage: Any) -> None:
        """How items are cut into batches changes no value beyond rounding."""
        items = list(self.make_items(stage))
        single = [result for item in items for result in stage([item])]
        self.compare(list(stage(items)), single, items, TOLERANCE)

    def test_the_same_input_gives_the_same_bytes(self, provider: Provider, tmp_path: Path) -> None:
        """Two fresh stages with the same options and seed agree to the last bit."""
        runs = []
        items: Sequence[Any] = ()
        context = self.make_context(tmp_path)
        for _ in range(2):
            stage = self.make_stage(provider, context)
            stage.open()
            items = self.make_items(stage)
            runs.append(self.run(stage, items))
            stage.close()
        self.compare(runs[0], runs[1], items, 0.0)

    def test_an_empty_batch_gives_nothing(self, stage: Any) -> None:
        """A frame without faces asks nothing."""
        assert list(stage([])) == []

    def test_something_that_is_no_item_is_refused(self, stage: Any) -> None:
        """Wrong input ends in an exception with words in it, never in a made-up result."""
        with pytest.raises(Exception, match=r"\w"):
            stage(["not an item"])

    def test_closing_gives_everything_back(self, provider: Provider, tmp_path: Path) -> None:
        """No session is held after `close`, which may be called twice, and after no `open`."""
        context = self.make_context(tmp_path)
        stage = self.make_stage(provider, context)
        stage.close()
        stage.open()
        self.run(stage, self.make_items(stage))
        stage.close()
        stage.close()
        if isinstance(context, FakeContext):
            assert context.open_sessions == 0

    def test_it_works_again_after_pickled_options(
        self, provider: Provider, context: Context
    ) -> None:
        """A worker process makes the same stage from the options that it was sent."""
        options = sent(self.chosen(provider))
        stages = [self.make_stage(provider, context), provider.create(options, context)]
        results = []
        items: Sequence[Any] = ()
        for stage in stages:
            stage.open()
            items = self.make_items(stage)
            results.append(self.run(stage, items))
            stage.close()
        self.compare(results[0], results[1], items, 0.0)

    def compare(
        self, got: Sequence[Any], wanted: Sequence[Any], items: Sequence[Any], tolerance: float
    ) -> None:
        """Fail unless all numbers of two lists of results agree within `tolerance`."""
        for one, other, item in zip(got, wanted, items, strict=True):
            pairs = zip(self.arrays(one, item), self.arrays(other, item), strict=True)
            for left, right in pairs:
                assert left.shape == right.shape
                np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance)


class DetectorConformance(StageConformance):
    """For `mien_detectors`."""

    kind = "detector"

    def make_items(self, stage: Any) -> list[Frame]:
        """Frames of one size, as a clip has them, and one of another."""
        return [*frames(ITEMS - 1), *frames(1, width=61, height=47, seed=9)]

    def arrays(self, result: Any, item: Frame) -> list[np.ndarray[Any, Any]]:
        """Boxes lie the right way round, scores in 0..1, best first."""
        scores = [found.score for found in result]
        assert all(0 <= score <= 1 for score in scores)
        assert scores == sorted(scores, reverse=True)
        for found in result:
            x0, y0, x1, y1 = found.box
            assert x0 < x1
            assert y0 < y1
        rows: list[np.ndarray[Any, Any]] = []
        for found in result:
            rows.append(np.array([*found.box, found.score], dtype=np.float64))
            if found.points5 is not None:
                assert found.points5.dtype == np.float32
                rows.append(found.points5)
        return rows

    def test_sixteen_bit_and_float_frames_give_the_same_boxes(self, stage: Any) -> None:
        """A detector sees the picture, not its number format."""
        (frame,) = frames(1)
        deep = Frame(index=0, image=frame.image.astype(np.uint16) * 257, bits=16)
        real = Frame(index=0, image=frame.image.astype(np.float32) / np.float32(255), bits=32)
        results = [stage([each])[0] for each in (frame, deep, real)]
        for other in results[1:]:
            self.compare([results[0]], [other], [frame], 1e-2)


class AlignerConformance(StageConformance):
    """For `mien_aligners`."""

    kind = "aligner"

    def make_items(self, stage: Any) -> list[FaceQuery]:
        """Faces inside, at the border of and larger than their frames."""
        boxes = [(30, 20, 60, 60), (-9, -7, 25, 30), (70, 40, 110, 90), (-40, -40, 140, 130)]
        made = frames(ITEMS)
        boxes += [(20, 10, 70, 70)]
        return [
            FaceQuery(frame=frame, detection=Detection(box=box, score=0.9))
            for frame, box in zip(made, boxes, strict=True)
        ]

    def arrays(self, result: Any, item: FaceQuery) -> list[np.ndarray[Any, Any]]:
        """68 points in float32 and a score."""
        assert result.points.shape == (68, 2)
        assert result.points.dtype == np.float32
        assert 0 <= result.score <= 1
        return [result.points, np.array([result.score])]


class MaskerConformance(StageConformance):
    """For `mien_maskers`."""

    kind = "masker"

    def make_items(self, stage: Any) -> list[Any]:
        """Crops of faces of several sizes and turns, one of them half outside."""
        places = [(48, 36, 40, 0), (40, 30, 22, 30), (5, 5, 30, -60), (48, 36, 90, 10)]
        made = frames(len(places))
        return [
            make_crop(frame, face_at(x, y, size, roll=roll), stage.spec)
            for frame, (x, y, size, roll) in zip(made, places, strict=True)
        ]

    def arrays(self, result: Any, item: Any) -> list[np.ndarray[Any, Any]]:
        """A float32 mask of the crop's size in 0..1."""
        assert result.shape == (item.spec.size, item.spec.size, 1)
        assert result.dtype == np.float32
        assert result.min() >= 0
        assert result.max() <= 1
        return [result]


class EmbedderConformance(StageConformance):
    """For `mien_embedders`."""

    kind = "embedder"

    def make_items(self, stage: Any) -> list[Any]:
        """Crops of faces of several sizes and turns."""
        places = [(48, 36, 40, 0), (40, 30, 22, 30), (30, 30, 30, -60), (48, 36, 90, 10)]
        made = frames(len(places))
        return [
            make_crop(frame, face_at(x, y, size, roll=roll), stage.spec)
            for frame, (x, y, size, roll) in zip(made, places, strict=True)
        ]

    def arrays(self, result: Any, item: Any) -> list[np.ndarray[Any, Any]]:
        """A float32 vector that is not zero."""
        assert result.ndim == 1
        assert result.dtype == np.float32
        assert np.linalg.norm(result) > 0
        return [result]


__all__ = [
    "AlignerConformance",
    "DetectorConformance",
    "EmbedderConformance",
    "MaskerConformance",
    "ProviderConformance",
    "StageConformance",
]
