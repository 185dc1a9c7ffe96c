"""Weight files: where they lie, whether they are what they claim, how to get and to read them."""

from .download import Opener, Progress
from .store import (
    FOLDERS_VARIABLE,
    WeightStatus,
    WeightStore,
    can_verify,
    default_cache,
    default_folders,
    file_sha256,
    tell_damage,
    way_to_get,
)

__all__ = [
    "FOLDERS_VARIABLE",
    "Opener",
    "Progress",
    "WeightStatus",
    "WeightStore",
    "can_verify",
    "default_cache",
    "default_folders",
    "file_sha256",
    "tell_damage",
    "way_to_get",
]
