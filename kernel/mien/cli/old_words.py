"""Flags of other programs' trainings: whoever types one is told what it is called here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

TRAIN: Mapping[str, str] = {
    # faceswap
    "--input-A": "say --target FACES: A is the person of the clip",
    "--input-B": "say --source FACES: B is the person whose face is put in",
    "--model-dir": "say -o FOLDER",
    "--trainer": "name the model first, as in: mien train dfaker …",
    "--load-weights": "say --begin-with FOLDER",
    "--freeze-weights": "say which parts stay, as in --freeze encoder",
    "--summary": "`mien plugins show MODEL` lists what a model can be told",
    "--warmup": "say --warm-up N",
    "--distributed": "start it as: torchrun --nproc-per-node GPUS -m mien train …",
    "--no-logs": "say --tensorboard off",
    "--use-lr-finder": "say --find-rate 1000",
    "--save-interval": "say --save-every N",
    "--snapshot-interval": "say --snapshot-every N",
    "--timelapse-input-A": "say --timelapse-target FACES",
    "--timelapse-input-B": "say --timelapse-source FACES",
    "--timelapse-output": "sheets lie in preview/timelapse of the model's folder",
    "--preview": "there is no window: preview/latest.png of the model is its newest sheet, "
    "and an empty file named preview.now there asks for another",
    "--write-image": "preview/latest.png of the model's folder is always the newest sheet",
    "--warp-to-landmarks": "say --warp-kind landmarks",
    "--no-flip": "say --flip-source 0 --flip-target 0",
    "--no-augment-color": "say --color 0",
    "--no-warp": "say --warp 0",
    "--exclude-gpus": "set CUDA_VISIBLE_DEVICES to the GPUs that it may use",
    # DeepFaceLab
    "--training-data-src-dir": "say --source FACES",
    "--training-data-dst-dir": "say --target FACES",
    "--pretraining-data-dir": "say --pretrain FACES",
    "--pretrained-model-dir": "say --begin-with FOLDER, of a model that `mien import` made of it",
    "--no-preview": "say --preview-every 0",
    "--force-model-name": "say -o FOLDER: a folder holds one model",
    "--cpu-only": "say --device cpu",
    "--force-gpu-idxs": "set CUDA_VISIBLE_DEVICES to the GPUs that it may use",
    "--silent-start": "nothing is asked here: what is not said is as it was, or has its default",
    "--execute-program": "code of the command line is never run; a plugin hears of runs by hooks",
}  # fmt: skip


def refuse(words: Mapping[str, str]) -> Callable[[click.Command], click.Command]:
    """Adds flags to a command that no help shows, and that end it with advice."""

    def add(command: click.Command) -> click.Command:
        command.params += [_refused(flag, advice) for flag, advice in words.items()]
        return command

    return add


def _refused(flag: str, advice: str) -> click.Parameter:
    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        if value is not None:
            raise click.UsageError(f"{flag} is another program's; {advice}", ctx)

    return click.Option(
        [flag],
        is_flag=False,
        flag_value="",  # so that it is understood with a value and without
        default=None,
        hidden=True,
        expose_value=False,
        is_eager=True,  # before what is missing is missed
        callback=callback,
    )
