"""Frames that an earlier `mien merge` rendered, for the next one: only what a change touches is
rendered again.

A frame is taken as it was where everything is the same that makes its pixels: the clip, the model's
generation, plugins, their options and weights, what the workspace knows of its faces and of those
in the frames that its steps look at, and the controls of all of these.  What is kept is the
difference to the plate in the smallest box that holds it, without loss, in `rendered.db`.

A frame that is rendered again shares its nets' batches with the same frames as in a render of the
whole clip, so that it gets the same bytes; these frames are worked on, too, up to the blend.
"""

from __future__ import annotations

import hashlib
import logging
import math
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..keyframes import Plan
from ..merging import parse_mask
from ..options import plain
from ..runner import Step
from ..stages import MaskerProvider, Neighbours, Provider, Stage, StageBase
from ..types import Packet, replace
from ..workspace import Workspace
from .kept import FILE, Choice, KeptFrames
from .layers import Layers
from .model import OpenModel
from .resume import ForgetStep
from .run import Run

_log = logging.getLogger(__name__)


def choose(
    store: Workspace,
    clip: int,
    plan: Plan,
    work: WorkName,
    steps: Sequence[Step],
    kinds: str = "",
) -> Choice:
    """Decide which frames are taken.

    steps  all of the render, the blend last;  kinds  of layers that must be kept with a frame
    """
    known = store.face_digests(clip)
    reach = [sum(step.stage.window[side] for step in steps[:-1]) for side in (0, 1)]
    # A blend looks one frame around itself for a face's way, whatever that frame's controls are.
    controls = {n: _controls(plan, n, tracks, work) for n, (_, tracks) in known.items()}
    keys = {}
    for frame in known:
        parts = [work.common, str(frame).encode()]
        for n in range(frame - reach[0] - 1, frame + reach[1] + 2):
            parts.append(known[n][0] if n in known else b"")
            if frame - reach[0] <= n <= frame + reach[1]:
                parts.append(controls.get(n, b""))
        keys[frame] = _hash(*parts)
    with KeptFrames(store.folder) as kept:
        stored = kept.keys(clip, kinds)
    taken = frozenset(frame for frame, key in keys.items() if stored.get(frame) == key)
    return Choice(clip=clip, keys=keys, taken=taken, worked=_worked(set(keys) - taken, steps))


def spare_work(
    run: Run,
    workspace: Path,
    clip: int,
    fingerprint: str,
    plan: Plan,
    steps: Sequence[Step],
    used: Sequence[Provider],
    model: OpenModel,
    failures: Mapping[int, str],
    *,
    forget: ForgetStep,
    layers: Layers | None = None,
) -> list[Step]:
    """The steps of a merge, the faces' recall first and the blend last, with frames taken as kept.

    used    the plugins besides the model;  layers  what is written beside the frames
    forget  knows which frames are only worked on for others
    """
    work = name_work(run, used, model, fingerprint)
    try:
        with Workspace(workspace, create=False) as store:
            choice = choose(store, clip, plan, work, steps, layers.kinds if layers else "")
    except sqlite3.Error as error:
        run.events.note(f"{workspace / FILE}: cannot be used, every frame is rendered: {error}")
        return list(steps)
    if choice.taken:
        run.events.note(
            f"{len(choice.taken)} of {len(choice.keys)} frames with a face are as they were and "
            f"are taken from {workspace / FILE}"
        )

    def unfit(frame: int) -> bool:
        # A run that is stopped ends with shorter batches than one of the whole clip has.
        return frame in failures or run.cancel.is_set() or frame < forget.first

    first, *between, last = steps
    spare = Step(name="spare", stage=SpareStep(choice))
    blend = KeptBlend(last.stage, workspace, choice, unfit, layers)
    kept = Step(name=last.name, stage=blend)
    return [first, spare, *between, kept]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkName:
    """Hashes of what makes the pixels besides the faces and the table [merge].

    common   of all that takes part in every frame
    named    of the maskers that only some expressions name, by name
    options  of the plugins that take part, by table, where no keyframe says otherwise
    """

    common: bytes
    named: Mapping[str, bytes]
    options: Mapping[str, Any] = field(default_factory=dict)


def name_work(run: Run, providers: Sequence[Provider], model: OpenModel, clip: str) -> WorkName:
    """The names of a run's work.  clip  the fingerprint"""
    named: dict[str, bytes] = {}
    common: list[Any] = [run.versions([model.provider]), model.words, dict(model.asked), clip]
    common.append(run.config.resolved(("runtime",), [])["runtime"])
    chosen = run.config.chosen(MaskerProvider.kind)
    for each in providers:
        words = [each.kind, each.name, run.versions([each]), plain(run.config.options(each))]
        if each.kind == MaskerProvider.kind and each.name not in chosen:
            named[each.name] = _hash(repr(words).encode())
        else:
            common.append(words)
    options = {f"{each.kind}.{each.name}": run.config.options(each) for each in providers}
    options[f"{model.provider.kind}.{model.provider.name}"] = model.options
    return WorkName(common=_hash(repr(common).encode()), named=named, options=options)


def _controls(plan: Plan, frame: int, tracks: Sequence[int], work: WorkName) -> bytes:
    parts = []
    for track in tracks:
        options = plan.at(frame, track)
        names = [name.removesuffix(".swap") for name in parse_mask(options.mask).names]
        parts.append(repr(options).encode())
        parts += [work.named[name] for name in names if name in work.named]
        for table, base in work.options.items():
            tuned = plan.options(table, base, frame, track)
            if tuned != base:  # a frame that no key touches keeps the name that it had
                parts.append(repr((table, tuned)).encode())
    return _hash(*parts)


def _worked(anew: set[int], steps: Sequence[Step]) -> frozenset[int]:
    """The frames to work on for some to be rendered anew, in whole batches of every step."""
    before, after = (sum(step.stage.window[side] for step in steps) for side in (0, 1))
    grid = math.lcm(*(step.stage.batch_size for step in steps))
    batches = {n // grid for f in anew for n in range(max(f - before, 0), f + after + 1)}
    return frozenset(n for batch in batches for n in range(batch * grid, (batch + 1) * grid))


class SpareStep(StageBase):
    """Takes the faces from the frames that need no work."""

    batch_size = 8

    def __init__(self, choice: Choice) -> None:
        self._worked = choice.worked

    def __call__(self, batch: Sequence[Packet], /) -> list[Packet]:
        """One packet per packet."""
        return [
            each if each.frame.index in self._worked else replace(each, faces=()) for each in batch
        ]


class KeptBlend(StageBase):
    """A blend that keeps what it makes, and gives back what it kept."""

    def __init__(
        self,
        blend: Stage[Any, Packet],
        folder: Path,
        choice: Choice,
        unfit: Callable[[int], bool],
        layers: Layers | None = None,
    ) -> None:
        """unfit   whether a frame must not be kept, for something was otherwise than it should be
        layers  told what was put on the frames that are taken, and asked for that of the others
        """
        self._layers = layers
        self._blend, self._folder, self._choice, self._unfit = blend, folder, choice, unfit
        self.batch_size, self.window = blend.batch_size, blend.window
        self._kept: KeptFrames | None = None
        self._full = False

    def open(self) -> None:
        """Open the blend, and the file in the thread that will use it."""
        self._kept = KeptFrames(self._folder)
        self._blend.open()

    def close(self) -> None:
        """Close both."""
        self._blend.close()
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def __call__(self, batch: Sequence[Packet | Neighbours[Packet]], /) -> list[Packet]:
        """The packets with their finished frames."""
        assert self._kept is not None, "the step is not open"
        plates = [each.item if isinstance(each, Neighbours) else each for each in batch]
        blended = self._blend([self._asked(each) for each in batch])
        fresh, done = [], []
        for plate, packet in zip(plates, blended, strict=True):
            number = plate.frame.index
            if number in self._choice.taken:
                packet, layer = self._kept.restore(self._choice, plate)
                if self._layers is not None:
                    self._layers.put(number, layer)
            elif number in self._choice.keys and not self._unfit(number):
                fresh.append((plate, packet))
            done.append(packet)
        self._keep(fresh)
        return done

    def _asked(self, each: Packet | Neighbours[Packet]) -> Packet | Neighbours[Packet]:
        packet = each.item if isinstance(each, Neighbours) else each
        if packet.frame.index not in self._choice.taken:
            return each
        bare = replace(packet, swaps=())
        return replace(each, item=bare) if isinstance(each, Neighbours) else bare

    def _keep(self, fresh: Sequence[tuple[Packet, Packet]]) -> None:
        if self._full or not fresh:
            return
        assert self._kept is not None
        try:
            self._kept.put(self._choice, fresh, self._layers)
        except sqlite3.Error as error:
            self._full = True
            _log.warning("%s: no more frames are kept: %s", self._folder / FILE, error)


def _hash(*parts: bytes) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.digest()
