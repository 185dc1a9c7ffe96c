"""The net of each model, by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from mien.nets.fsnets import PeopleNet

from .config import NetConfig
from .dfl_sae import dfl_sae
from .dlight import dlight
from .realface import realface
from .simple import Iae, dfl_h128, lightweight
from .unbalanced import unbalanced
from .villain import villain

_NETS: Mapping[str, Callable[[Any], PeopleNet]] = MappingProxyType(
    {
        "lightweight": lightweight,
        "iae": Iae,
        "dfl-h128": dfl_h128,
        "dfl-sae": dfl_sae,
        "dlight": dlight,
        "villain": villain,
        "unbalanced": unbalanced,
        "realface": realface,
    }
)


def make_net(name: str, config: NetConfig) -> PeopleNet:
    """The net, with torch's own first weights."""
    return _NETS[name](config)
