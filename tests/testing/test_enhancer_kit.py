"""The kit's class for enhancers, on the plainest one there can be."""

from types import ModuleType

import cv2
import numpy as np
from mien.hooks import hookimpl
from mien.stages import EnhancerProvider, StageBase
from mien.testing import EnhancerConformance


class Twice(StageBase):
    """Twice the size by interpolation."""

    batch_size = 4

    def __call__(self, batch, /):
        return [np.clip(cv2.resize(image, None, fx=2, fy=2), 0, 1) for image in batch]


def create(options, context):
    return Twice()


@hookimpl
def mien_enhancers():
    yield EnhancerProvider(name="twice", summary="Twice the size", create=create)


class TestTwice(EnhancerConformance):
    plugin = ModuleType("json")  # the kit imports it by name, to see that this is light
    name = "twice"


TestTwice.plugin.mien_enhancers = mien_enhancers
