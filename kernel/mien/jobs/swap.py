"""`mien swap` and `mien merge`: a model's face into a clip, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ConfigError, InputError
from ..keyframes import NamedMaskStep, Plan
from ..media.base import OutputOptions, Source
from ..merging.steps import Seen, merge_steps
from ..merging.swapping import Failures
from ..pipeline import MaskStep
from ..runner import Step
from ..stages import (
    BlendProvider,
    ColorTransferProvider,
    EnhancerProvider,
    MaskerProvider,
    Provider,
    StageBase,
)
from ..types import Frame, Packet
from ..workspace import Workspace
from .find import find_steps, finders
from .keyframes import constant_plan, follow, masks_of, plan_of, say_what_is_idle, versions_of
from .layers import Layers, check_layers, mask_plan
from .model import OpenModel, open_model
from .outputs import check_output, writing_alone
from .patches import PatchFolder
from .render import Rendered, render, say_what_was_left
from .rendered import spare_work
from .resume import ForgetStep, Resume, hash_of_faces, name_of_work
from .run import Run

SECTIONS = ("runtime", "find", "merge", "encode")


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What a render makes besides its clip.

    sheet    a contact sheet;  masks  a clip or folder of the alpha that was used
    patches  a folder of the new faces and their places, for compositing programs
    resume   go on with an unfinished render of the same work, and leave one to go on with
    """

    sheet: Path | None = None
    masks: str = ""
    patches: Path | None = None
    resume: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The lower half of the line, and all that takes part in it."""

    steps: Sequence[Step]
    used: Sequence[Provider]
    model: OpenModel
    failures: Failures


def swap(run: Run, *, sheet: Path | None = None, extras: Extras | None = None) -> Rendered:
    """Find the faces of a clip and put the model's face on them.

    Takes input, output and model from the run's configuration.
    """
    job = run.config.job()
    check_output(job.output, job.input)
    plan = constant_plan(run)
    maskers = maskers_of(run, plan)
    with run.source(job.input) as source:
        forget = ForgetStep()
        steps = [*find_steps(run), Step(name="forget", stage=forget)]
        steps += steps_of_maskers(run, plan, maskers)
        used = [*finders(run), *maskers]
        wanted = extras or Extras(sheet=sheet)
        with writing_alone(job.output, wanted.masks, wanted.patches):
            return _render(run, source, steps, used, wanted, plan, forget)


def merge(
    run: Run,
    workspace: Path,
    *,
    sheet: Path | None = None,
    extras: Extras | None = None,
    cache: bool = True,
) -> Rendered:
    """Put the model's face on the faces that a workspace knows of a clip.

    cache  take the frames that are as they were from the workspace, and keep the others there
    """
    job = run.config.job()
    check_output(job.output, job.input)
    with run.source(job.input) as source:
        with Workspace(workspace, create=False) as store:
            clip = store.find_clip(source.info)
            if not store.count_faces(clip):
                raise InputError(f"{workspace}: holds no face of {job.input}")
            plan = plan_of(run, store, source.info)
        maskers = maskers_of(run, plan)
        steps = [Step(name="recall", stage=RecallStep(workspace, clip))]
        forget = ForgetStep()
        steps += [Step(name="forget", stage=forget), *steps_of_maskers(run, plan, maskers)]
        wanted = extras or Extras(sheet=sheet)
        kept = clip if cache else None
        with writing_alone(job.output, wanted.masks, wanted.patches):
            return _render(run, source, steps, maskers, wanted, plan, forget, workspace, kept)


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
    extras: Extras,
    plan: Plan,
    forget: ForgetStep,
    workspace: Path | None = None,
    kept: int | None = None,
) -> Rendered:
    job = run.config.job()
    check_layers(extras.masks, job.output, extras.patches)
    wants = {"masks": bool(extras.masks), "patches": extras.patches is not None}
    layers = Layers(**wants) if any(wants.values()) else None
    line = lower_line(run, plan, providers, layers.seen if layers else None)
    model = line.model
    facts = {
        **run.versions([*line.used, model.provider]),
        **versions_of(plan),
        "input": source.info.fingerprint,
        "model": model.words,
    }
    more = {"model": {model.provider.name: model.asked}} if model.asked else None
    resume = None
    if extras.resume:
        known = hash_of_faces(workspace) if workspace else ""
        tables = run.config.resolved(SECTIONS, line.used) | (more or {})
        work = name_of_work(tables, facts, known)
        resume = Resume(work=work, forget=forget, stateful=workspace is None)
    if layers:
        _begin_layers(run, source, extras, layers, resume)
    steps = [*steps, *line.steps]
    if workspace and kept is not None:
        lent = (source.info.fingerprint, plan, steps, line.used, model, line.failures)
        steps = spare_work(run, workspace, kept, *lent, forget=forget, layers=layers)
    done = render(run, source, steps, plan, job.output, extras.sheet, layers, resume)
    done = replace(done, failed=dict(sorted(line.failures.items())))
    say_what_was_left(run, done)
    run.write_run_file(
        done.path.with_name(f"{done.path.name}.mien.toml"),
        {"input": job.input, "output": job.output, "model_folder": job.model_folder},
        SECTIONS,
        line.used,
        facts,
        more,
    )
    return done


def lower_line(
    run: Run, plan: Plan, providers: Sequence[Provider], seen: Seen | None = None
) -> Line:
    """The steps from packets with landmarks to finished frames, as the run chose them.

    providers  what takes part before them;  seen  told of every frame what was put on it
    """
    colors, enhancers = run.providers(ColorTransferProvider), run.providers(EnhancerProvider)
    for word, found in (("colour transfer", colors), ("enhancer", enhancers)):
        if len(found) > 1:
            raise ConfigError(f"{found[0].kind}.use: must name one {word}, names {len(found)}")
    enhanced = any(plan.ever("enhance"))
    if enhanced and not enhancers:
        raise ConfigError("merge.enhance: needs an enhancer; name one with --enhancer")
    lookers = [
        run.registry.get(MaskerProvider, name.removesuffix(".swap"))
        for name in masks_of(plan)
        if name.endswith(".swap")
    ]
    blend = run.provider(BlendProvider)
    model = open_model(run, run.config.job().model_folder)
    failures = Failures()
    steps = merge_steps(
        follow(plan, model.provider, model.stage, model.options, model.make),
        _made(run, plan, colors[0]) if colors else None,
        _made(run, plan, blend),
        plan.merge,
        enhancer=run.make(enhancers[0]) if enhancers and enhanced else None,
        swap_maskers={each.name: _made(run, plan, each) for each in lookers},
        rng=run.context.rng,
        moving=any(plan.ever("motion_blur")),
        failures=failures,
        seen=seen,
    )
    unique = {each.name: each for each in (*providers, *lookers)}
    used = [*unique.values(), *enhancers, *colors, blend]
    say_what_is_idle(run, plan, [*used, model.provider])
    return Line(steps=steps, used=used, model=model, failures=failures)


def _made(run: Run, plan: Plan, provider: Provider) -> Any:
    """The stage of a plugin, whose options follow the keyframes."""
    options = run.config.options(provider)

    def make(wanted: Any) -> Any:
        return provider.create(wanted, run.context)

    return follow(plan, provider, make(options), options, make)


def _begin_layers(
    run: Run, source: Source, extras: Extras, layers: Layers, resume: Resume | None
) -> None:
    name = resume.work if resume else ""
    patches = PatchFolder(extras.patches, source.info, name) if extras.patches else None
    layers.begin(None, patches)
    if not extras.masks:
        return
    options = run.config.section("encode", OutputOptions)
    plan = mask_plan(extras.masks, source.info, options, name)
    try:
        layers.begin(run.writer(extras.masks, plan), patches)
    except BaseException:
        if patches is not None:
            patches.keep_partial()
        raise


def maskers_of(run: Run, plan: Plan) -> list[MaskerProvider]:
    """The chosen maskers, and those that the masks' expressions name besides."""
    chosen = run.providers(MaskerProvider)
    names = {each.name for each in chosen}
    installed = run.registry.names(MaskerProvider.kind)
    others = [name for name in masks_of(plan) if name in installed and name not in names]
    return chosen + [run.registry.get(MaskerProvider, name) for name in others]


def steps_of_maskers(run: Run, plan: Plan, maskers: Sequence[MaskerProvider]) -> list[Step]:
    """The chosen maskers look at every face, the others where an expression names them."""
    chosen = run.config.chosen(MaskerProvider.kind)
    steps = []
    for each in maskers:
        stage = _made(run, plan, each)
        always = each.name in chosen
        step = MaskStep(each.name, stage) if always else NamedMaskStep(each.name, stage, plan)
        steps.append(Step(name=f"mask {each.name}", stage=step))
    return steps
