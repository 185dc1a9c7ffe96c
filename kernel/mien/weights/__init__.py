"""Weight files: where they lie, whether they are what they claim, how to get them."""

from .download import Opener, Progress
from .store import (
    FOLDERS_VARIABLE,
    WeightStatus,
    WeightStore,
    default_cache,
    default_folders,
    file_sha256,
)

__all__ = [
    "FOLDERS_VARIABLE",
    "Opener",
    "Progress",
    "WeightStatus",
    "WeightStore",
    "default_cache",
    "default_folders",
    "file_sha256",
]
