"""What each net tells apart, in words: class name to the numbers that the net gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from mien.errors import ConfigError

ClassName = Literal[
    "background",
    "skin",
    "forehead",
    "brows",
    "eyes",
    "nose",
    "lips",
    "mouth",
    "glasses",
    "ears",
    "earring",
    "neck",
    "necklace",
    "cloth",
    "hair",
    "hat",
]
Numbers = Mapping[str, tuple[int, ...]]

# The small net of mien; "skin" ends at the line above the brows, "mouth" is between the lips.
SMALL: Numbers = {
    "background": (0,),
    "skin": (1,),
    "forehead": (2,),
    "brows": (3,),
    "eyes": (4,),
    "lips": (5,),
    "mouth": (6,),
}
# CelebAMask-HQ.  Its net does not know left from right: the two were mirrored without swapping
# the labels, so each pair is one class here.
CELEBA: Numbers = {
    "background": (0,),
    "skin": (1,),
    "brows": (2, 3),
    "eyes": (4, 5),
    "glasses": (6,),
    "ears": (7, 8),
    "earring": (9,),
    "nose": (10,),
    "mouth": (11,),
    "lips": (12, 13),
    "neck": (14,),
    "necklace": (15,),
    "cloth": (16,),
    "hair": (17,),
    "hat": (18,),
}
# The nets that faceswap trained; "skin" holds all of the face.
FACESWAP: Numbers = {
    "background": (0,),
    "skin": (1,),
    "ears": (2,),
    "hair": (3,),
    "glasses": (4,),
}
BY_COUNT: Mapping[int, Numbers] = {
    1 + max(max(numbers) for numbers in table.values()): table
    for table in (SMALL, CELEBA, FACESWAP)
}
# What a face is made of where the user names nothing.
FACE = ("skin", "forehead", "brows", "eyes", "nose", "lips", "mouth", "glasses")
# For these the crop must show more than the face.
_AROUND = {"neck", "necklace", "cloth", "hair", "hat"}


def choose(names: Sequence[str], table: Numbers, source: str) -> tuple[bool, ...]:
    """For each class of a net, whether it belongs to the mask.

    names   of the classes that count, none for those of a face
    source  of the net, for the message: ConfigError where the net does not know a name
    """
    unknown = [name for name in names if name not in table]
    if unknown:
        raise ConfigError(
            f"masker.bisenet.classes: the net of {source} does not tell {', '.join(unknown)} "
            f"apart; it knows {', '.join(table)}"
        )
    wanted = {number for name in names or FACE for number in table.get(name, ())}
    count = 1 + max(max(numbers) for numbers in table.values())
    return tuple(number in wanted for number in range(count))


def shows_around(names: Sequence[str]) -> bool:
    """Whether the classes reach so far beyond the face that the crop must show the whole head."""
    return not _AROUND.isdisjoint(names)
