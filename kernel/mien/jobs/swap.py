"""`mien swap` and `mien merge`: a model's face into a clip, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..compose import MergeOptions
from ..errors import ConfigError, InputError
from ..media.base import Source
from ..pipeline import mask_steps, merge_steps
from ..runner import Step
from ..stages import BlendProvider, ColorTransferProvider, MaskerProvider, Provider, StageBase
from ..types import Frame, Packet
from ..workspace import Workspace
from .find import find_steps, finders
from .model import open_model
from .render import Rendered, render, say_what_was_left
from .run import Run

SECTIONS = ("runtime", "find", "merge", "encode")


def swap(run: Run, *, sheet: Path | None = None) -> Rendered:
    """Find the faces of a clip and put the model's face on them.

    Takes input, output and model from the run's configuration.
    """
    job = run.config.job()
    _check_output(job.input, job.output)
    maskers = run.providers(MaskerProvider)
    with run.source(job.input) as source:
        steps = [*find_steps(run), *mask_steps([(m.name, run.make(m)) for m in maskers])]
        return _render(run, source, steps, [*finders(run), *maskers], sheet)


def merge(run: Run, workspace: Path, *, sheet: Path | None = None) -> Rendered:
    """Put the model's face on the faces that a workspace knows of a clip."""
    job = run.config.job()
    _check_output(job.input, job.output)
    maskers = run.providers(MaskerProvider)
    with run.source(job.input) as source:
        with Workspace(workspace, create=False) as store:
            clip = store.find_clip(source.info)
            if not store.count_faces(clip):
                raise InputError(f"{workspace}: holds no face of {job.input}")
        steps = [Step(name="recall", stage=RecallStep(workspace, clip))]
        steps += mask_steps([(m.name, run.make(m)) for m in maskers])
        return _render(run, source, steps, maskers, sheet)


class RecallStep(StageBase):
    """Gives every frame the faces that a workspace knows of it."""

    batch_size = 8

    def __init__(self, folder: Path, clip: int) -> None:
        self._folder, self._clip = folder, clip
        self._store: Workspace | None = None

    def open(self) -> None:
        """Open the workspace in the thread that will read it."""
        self._store = Workspace(self._folder, create=False)

    def close(self) -> None:
        """Close it."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def __call__(self, batch: Sequence[Frame], /) -> list[Packet]:
        """One packet per frame."""
        assert self._store is not None, "the step is not open"
        return [
            Packet(frame=frame, faces=self._store.faces(self._clip, frame.index)) for frame in batch
        ]


def _render(
    run: Run,
    source: Source,
    steps: Sequence[Step],
    providers: Sequence[Provider],
    sheet: Path | None,
) -> Rendered:
    job = run.config.job()
    merging = run.config.section("merge", MergeOptions)
    colors = run.providers(ColorTransferProvider)
    if len(colors) > 1:
        raise ConfigError(f"color.use: must name one colour transfer, names {len(colors)}")
    blend = run.provider(BlendProvider)
    model = open_model(run, job.model_folder)
    color = run.make(colors[0]) if colors else None
    lower = merge_steps(model.stage, color, run.make(blend), merging)
    done = render(run, source, [*steps, *lower], job.output, sheet)
    say_what_was_left(run, done)
    used = [*providers, *colors, blend]
    run.write_run_file(
        done.path.with_name(f"{done.path.name}.mien.toml"),
        {"input": job.input, "output": job.output, "model_folder": job.model_folder},
        SECTIONS,
        used,
        {
            **run.versions([*used, model.provider]),
            "input": source.info.fingerprint,
            "model": model.words,
        },
        {"model": {model.provider.name: model.asked}} if model.asked else None,
    )
    return done


def _check_output(target: str, output: str) -> None:
    """The result must not be the clip that is still being read."""
    if output and target and Path(output).resolve() == Path(target).resolve():
        raise ConfigError(f"-o {output}: is the clip itself; name another file")
