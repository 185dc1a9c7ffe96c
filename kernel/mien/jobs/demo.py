"""`mien demo`: two photographs become clips, a model learns both, one face goes on the other.

The whole way of a user, with what is installed and nothing else: extract, train, swap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..atomic import reason
from ..config import Setting
from ..demo.clips import SOURCE, TARGET, make_clip, make_sound
from ..errors import OutputError
from .extract import extract
from .render import Rendered
from .run import Run, make_run
from .swap import swap
from .train import train

EXTRACT = {"extract.face_type": "full", "extract.size": 160, "find.max_faces": 1}
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


def demo(run: Run, folder: Path, *, minutes: float = 3.0) -> Demo:
    """Make the demo in `folder`; training takes `minutes`, the rest about one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({reason(error)})") from error
    run.events.note("making two clips of photographs")
    sound = make_sound(folder / "chord.wav")
    clips = {who.name: folder / f"{who.name}.mp4" for who in (SOURCE, TARGET)}
    for who in (SOURCE, TARGET):
        make_clip(who, clips[who.name], sound, run.writer)
        extract(
            _with(run, "extract", {**EXTRACT, "input": str(clips[who.name])}),
            faceset=folder / "faces" / who.name,
            fresh=True,
        )
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
    rendered = swap(_with(run, "swap", job), sheet=folder / "sheet.png")
    return Demo(rendered=rendered, model=model, iterations=learned.iteration)


def _with(run: Run, command: str, values: Mapping[str, object]) -> Run:
    """The same run under another command's name, with more settings."""
    settings = [Setting(key=key, value=value, origin="the demo") for key, value in values.items()]
    config = run.config.more(settings)
    return make_run(command, run.registry, config, events=run.events, cancel=run.cancel)
