"""Which stages look at swaps: those that are named, or those that a run has anyway."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from mien.config import Config, Setting
from mien.errors import PluginError, WeightsError
from mien.hooks import hookimpl
from mien.jobs.probes import make_probes
from mien.jobs.run import Run, Silent
from mien.registry import Registry
from mien.stages import AlignerProvider, Context, EmbedderProvider, NoOptions
from mien.testing.fakes import FakeContext
from mien.training.options_show import ShowOptions


def refuse(options: NoOptions, context: Context) -> Any:
    raise WeightsError("no weights here")


def make(name: str) -> Callable[[NoOptions, Context], Any]:
    return lambda options, context: name


@hookimpl
def mien_aligners() -> list[AlignerProvider]:
    return [
        AlignerProvider(name="compact", summary="A", create=make("compact")),
        AlignerProvider(name="other", summary="B", create=make("other")),
        AlignerProvider(name="broken", summary="C", create=refuse),
    ]


@hookimpl
def mien_embedders() -> list[EmbedderProvider]:
    return [EmbedderProvider(name="toy", summary="A", create=make("toy"))]


def a_run(*hooks: Any, **settings: Any) -> Run:
    plugin = SimpleNamespace(**{hook.__name__: hook for hook in hooks})
    registry = Registry([("mien-toys", "1", plugin)])
    given = [Setting(key=k.replace("__", "."), value=v, origin="test") for k, v in settings.items()]
    return Run(
        command="train",
        registry=registry,
        config=Config(registry, given),
        context=FakeContext(),
        events=Silent(),
    )


def test_auto_takes_the_runs_aligner_and_any_embedder() -> None:
    probes = make_probes(a_run(mien_aligners, mien_embedders), ShowOptions())
    assert (probes.aligner, probes.embedder) == ("compact", "toy")
    run = a_run(mien_aligners, mien_embedders, aligner__use="other")
    assert make_probes(run, ShowOptions()).aligner == "other"


def test_auto_is_nothing_where_nothing_is_installed() -> None:
    probes = make_probes(a_run(), ShowOptions())
    assert (probes.aligner, probes.embedder) == (None, None)


def test_auto_goes_without_what_cannot_be_had_and_says_so() -> None:
    run = a_run(mien_aligners, aligner__use="broken")
    assert make_probes(run, ShowOptions()).aligner is None
    assert isinstance(run.events, Silent)
    assert run.events.notes == ["held-out faces are measured without the aligner: no weights here"]


def test_a_name_is_taken_at_its_word() -> None:
    options = ShowOptions(held_out_aligner="other", held_out_embedder="none")
    probes = make_probes(a_run(mien_aligners, mien_embedders), options)
    assert (probes.aligner, probes.embedder) == ("other", None)
    with pytest.raises(PluginError, match="'absent'"):
        make_probes(a_run(mien_aligners), ShowOptions(held_out_aligner="absent"))
    with pytest.raises(WeightsError):
        make_probes(a_run(mien_aligners), ShowOptions(held_out_aligner="broken"))


def test_nothing_is_made_where_nothing_is_measured() -> None:
    run = a_run(mien_aligners, mien_embedders)
    for options in (ShowOptions(held_out=0.0), ShowOptions(held_out_every=0)):
        assert make_probes(run, options).aligner is None
