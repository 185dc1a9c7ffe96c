"""How many faces fit into memory: found by trying, since no formula knows what torch will take."""
# ruff: noqa: TID253  (only the training loop imports this module)

from __future__ import annotations

from collections.abc import Callable

import torch

from ..errors import StageError

MOST = 256
SPARE = 0.9
"""Of the largest batch that fitted: other programs want memory too, and it is cut into pieces."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there was no memory, of the GPU or of the computer."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return "not enough memory" in str(error) or "out of memory" in str(error)


def check_device(error: BaseException, model: str, iteration: int, saved: int) -> None:
    """Raise StageError where an error says that the GPU is gone.

    iteration  the one at hand;  saved  the last one that was
    """
    gone = isinstance(error, torch.AcceleratorError) or "CUDA error" in str(error)
    if is_out_of_memory(error) or not gone:
        return
    raise StageError(
        f"the GPU was lost in iteration {iteration} ({str(error).splitlines()[0]}); the model "
        f"stands at iteration {saved}, the last one saved.  The same command goes on",
        stage=model,
    ) from error


def fitting_batch(attempt: Callable[[int], None], *, most: int) -> int:
    """About the largest batch of at most `most` faces that fits.

    attempt  learns from so many faces, and raises where they do not fit
    """
    limit = min(most, MOST)
    low, high = 1, 2
    while high <= limit and _fits(attempt, high):
        low, high = high, high * 2
    while high - low > max(1, low // 8):
        middle = (low + high) // 2
        if middle <= limit and _fits(attempt, middle):
            low = middle
        else:
            high = middle
    if low <= 8 or low >= limit:
        return low
    return int(low * SPARE) // 2 * 2


def _fits(attempt: Callable[[int], None], count: int) -> bool:
    try:
        attempt(count)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return False
    return True
