"""`mien demo`: two photographs become clips, a model learns both, one face goes on the other.

The whole way of a user, with what is installed and nothing else: extract, train, swap.  Where the
detector or the aligner lacks its weights, the faces are taken from the clips' own movement, and
the rest is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..atomic import reason
from ..config import Setting
from ..demo.clips import SOURCE, TARGET, KnownFaces, Photograph, make_clip, make_sound
from ..errors import OutputError, WeightsError
from ..stages import AlignerProvider, DetectorProvider, Provider
from .extract import extract
from .render import Rendered
from .run import Run, make_run
from .swap import merge, swap
from .train import train

EXTRACT = {"extract.face_type": "full", "extract.size": 160}
TRAIN = {
    "train.batch_size": 4,
    "train.preview_every": 200,
    "train.save_every": 0,
    "train.color": 0.1,
    "train.rotation": 4.0,
    "train.zoom": 0.03,
    "train.shift": 0.03,
    "train.warp": 0.6,
    "model.original.width": 0.25,
    "model.original.learning_rate": 1e-3,
}
"""What a first quick look needs; a real training takes the defaults and a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What the demo made."""

    rendered: Rendered
    model: Path
    iterations: int
    with_nets: bool


def demo(run: Run, folder: Path, *, minutes: float = 3.0) -> Demo:
    """Make the demo in `folder`; training takes `minutes`, the rest about one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({reason(error)})") from error
    with_nets = _have_weights(run)
    if not with_nets:
        run.events.note(
            "the detector or the aligner has no weights on this machine; the demo takes the faces "
            "from the movement of its own clips (mien doctor says what is missing)"
        )
    run.events.note("making two clips of photographs")
    sound = make_sound(folder / "chord.wav")
    clips = {who.name: folder / f"{who.name}.mp4" for who in (SOURCE, TARGET)}
    for who in (SOURCE, TARGET):
        make_clip(who, clips[who.name], sound, run.writer)
        _extract(run, folder, who, clips[who.name], with_nets)
    model = folder / "model"
    learned = train(
        _with(run, "train", {**TRAIN, "train.minutes": minutes}),
        source=folder / "faces" / SOURCE.name,
        target=folder / "faces" / TARGET.name,
        folder=model,
    )
    job = {
        "input": str(clips[TARGET.name]),
        "output": str(folder / "swapped.mp4"),
        "model_folder": str(model),
    }
    sheet = folder / "sheet.png"
    if with_nets:
        rendered = swap(_with(run, "swap", job), sheet=sheet)
    else:
        rendered = merge(_with(run, "merge", job), folder / "workspace", sheet=sheet)
    return Demo(rendered=rendered, model=model, iterations=learned.iteration, with_nets=with_nets)


def _extract(run: Run, folder: Path, who: Photograph, clip: Path, with_nets: bool) -> None:
    extract(
        _with(run, "extract", {**EXTRACT, "input": str(clip)}),
        faceset=folder / "faces" / who.name,
        workspace=folder / "workspace",
        fresh=True,
        known=None if with_nets else KnownFaces(who),
    )


def _have_weights(run: Run) -> bool:
    """Whether the chosen detector and aligner can work right now."""
    providers: Sequence[Provider] = (
        *run.providers(DetectorProvider),
        *run.providers(AlignerProvider),
    )
    for provider in providers:
        ready = not provider.weights
        for file in provider.weights:
            try:
                run.context.weights(file)
            except WeightsError:
                continue
            ready = True
        if not ready:
            return False
    return True


def _with(run: Run, command: str, values: Mapping[str, object]) -> Run:
    """The same run under another command's name, with more settings."""
    settings = [Setting(key=key, value=value, origin="the demo") for key, value in values.items()]
    config = run.config.more(settings)
    return make_run(command, run.registry, config, events=run.events, cancel=run.cancel)
