"""From entry points to providers.  A broken plugin is noted by name and skipped, never fatal.

Entry points of the group ``mien`` are loaded one by one; each is checked against the hook specs
at once, so that a mistyped hook name is reported with its plugin.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any, TypeVar, cast

import pluggy

from . import hooks
from .errors import PluginError
from .options import describe, nearest
from .stages import (
    AlignerProvider,
    BlendProvider,
    ColorTransferProvider,
    DetectorProvider,
    EmbedderProvider,
    EnhancerProvider,
    MaskerProvider,
    ModelProvider,
    Provider,
)

P = TypeVar("P", bound=Provider)

GROUP = "mien"

CATALOGUES: Mapping[str, type[Provider]] = {
    "mien_detectors": DetectorProvider,
    "mien_aligners": AlignerProvider,
    "mien_embedders": EmbedderProvider,
    "mien_maskers": MaskerProvider,
    "mien_models": ModelProvider,
    "mien_enhancers": EnhancerProvider,
    "mien_color_transfers": ColorTransferProvider,
    "mien_blends": BlendProvider,
}

KNOWN_DISTS: Mapping[str, str] = {
    "detector.retinaface": "mien-retinaface",
    "detector.s3fd": "mien-s3fd",
    "aligner.compact": "mien-compact",
    "aligner.fan": "mien-fan",
    "aligner.mesh": "mien-mesh",
    "interop.dfl": "mien-dfl",
    "interop.faceswap": "mien-faceswap",
    "masker.bisenet": "mien-mask-bisenet",
    "masker.custom": "mien-mask-custom",
    "masker.unet-dfl": "mien-mask-unet-dfl",
    "masker.vgg-clear": "mien-mask-vgg",
    "masker.vgg-obstructed": "mien-mask-vgg",
    "masker.xseg": "mien-mask-xseg",
    "masker.landmarks": "mien-mask-landmarks",
    "model.amp": "mien-model-amp",
    "model.dfaker": "mien-model-dfaker",
    "model.dfl-h128": "mien-models-classic",
    "model.dfl-sae": "mien-models-classic",
    "model.dfm": "mien-model-dfm",
    "model.dlight": "mien-models-classic",
    "model.iae": "mien-models-classic",
    "model.lightweight": "mien-models-classic",
    "model.original": "mien-model-original",
    "model.quick96": "mien-model-quick96",
    "model.realface": "mien-models-classic",
    "model.saehd": "mien-model-saehd",
    "model.unbalanced": "mien-models-classic",
    "model.villain": "mien-models-classic",
    "color.avg-color": "mien-color-avg-color",
    "color.histogram": "mien-color-histogram",
    "color.idt": "mien-color-idt",
    "color.linear": "mien-color-linear",
    "color.manual-balance": "mien-color-manual-balance",
    "color.match-hist": "mien-color-match-hist",
    "color.mix": "mien-color-mix",
    "color.mkl": "mien-color-mkl",
    "color.reinhard": "mien-color-reinhard",
    "color.sot": "mien-color-sot",
    "color.steady": "mien-color-steady",
    "blend.hist-match": "mien-blend-hist-match",
    "blend.laplacian": "mien-blend-laplacian",
    "blend.overlay": "mien-blend-overlay",
    "blend.raw-predict": "mien-blend-raw",
    "blend.raw-rgb": "mien-blend-raw",
    "blend.seamless": "mien-blend-seamless",
    "blend.seamless-hist-match": "mien-blend-seamless",
}
"""Which distribution brings a plugin of this project, so that an error can say what to install."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A plugin that could not be loaded: its distribution and the reason, one sentence."""

    dist: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A provider and the distribution it came from."""

    provider: Provider
    dist: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """A plugin that brings no providers: readers, writers or commands; `summary` is its own."""

    dist: str
    version: str
    summary: str


class Registry:
    """All providers that are installed, by kind and name."""

    def __init__(self, plugins: Iterable[tuple[str, str, Any]] = ()) -> None:
        """`plugins` are (distribution, version, module or object with hooks)."""
        self._manager = pluggy.PluginManager(hooks.PROJECT)
        self._manager.add_hookspecs(hooks)
        self._entries: dict[tuple[str, str], list[Entry]] = {}
        self.broken: list[Broken] = []
        self.others: list[Other] = []
        for dist, version, plugin in plugins:
            self.add(dist, version, plugin)

    @classmethod
    def installed(cls) -> Registry:
        """The kernel's own plugin and everything behind the entry points of group ``mien``."""
        from .media import plugin as media_plugin

        registry = cls([("mien", "", media_plugin)])
        for point in sorted(metadata.entry_points(group=GROUP), key=lambda point: point.name):
            dist, version = _dist_of(point)
            try:
                module = point.load()
            except Exception as error:
                registry.note(dist, f"cannot be imported: {_short(error)}")
                continue
            registry.add(dist, version, module)
        return registry

    def add(self, dist: str, version: str, plugin: Any) -> None:
        """Register a plugin; what is wrong with it is noted under `broken`."""
        try:
            self._manager.register(plugin, name=f"{dist}:{getattr(plugin, '__name__', plugin)}")
            self._manager.check_pending()
        except Exception as error:
            self._drop(plugin)
            self.note(dist, f"is not a valid plugin: {_short(error)}")
            return
        found: list[Provider] = []
        try:
            for hook, kind in CATALOGUES.items():
                implementation = getattr(plugin, hook, None)
                if implementation is not None:
                    found += [_checked(card, kind) for card in implementation()]
        except Exception as error:
            self._drop(plugin)
            self.note(dist, f"describes itself wrongly: {_short(error)}")
            return
        if not found and version:
            about = (getattr(plugin, "__doc__", None) or "").strip().partition("\n")[0]
            self.others.append(Other(dist=dist, version=version, summary=about))
        for provider in found:
            entry = Entry(provider=provider, dist=dist, version=version)
            self._entries.setdefault((provider.kind, provider.name), []).append(entry)

    def note(self, dist: str, reason: str) -> None:
        """Remember that a plugin is broken."""
        self.broken.append(Broken(dist=dist, reason=reason))

    @property
    def hook(self) -> Any:
        """pluggy's caller, for the hooks that are not catalogues."""
        return self._manager.hook

    def entries(self, kind: str | None = None) -> Iterator[Entry]:
        """Everything installed, by kind in pipeline order, then by name."""
        order = [cls.kind for cls in CATALOGUES.values()]
        for key in sorted(self._entries, key=lambda key: (order.index(key[0]), key[1])):
            if kind is None or key[0] == kind:
                yield from self._entries[key]

    def names(self, kind: str) -> tuple[str, ...]:
        """Names of the installed plugins of a kind."""
        return tuple(sorted(name for found, name in self._entries if found == kind))

    def get(self, kind: type[P], name: str) -> P:
        """The provider `name` of this kind.

        Raises PluginError that says what is installed and what to install.
        """
        return cast("P", self.entry(kind.kind, name).provider)

    def entry(self, kind: str, name: str) -> Entry:
        """The provider `name` of this kind, with its distribution; PluginError as `get`."""
        found = self._entries.get((kind, name), [])
        if len(found) > 1:
            dists = " and ".join(sorted(entry.dist for entry in found))
            raise PluginError(
                f"{kind} '{name}' comes from {dists}: uninstall one of them, "
                f"as in: pip uninstall {found[0].dist}"
            )
        if found:
            return found[0]
        raise PluginError(self._missing(kind, name))

    def _missing(self, kind: str, name: str) -> str:
        names = self.names(kind)
        text = f"no {kind} named '{name}' is installed{nearest(name, names)}"
        dist = KNOWN_DISTS.get(f"{kind}.{name}")
        if dist:
            text += f"; it comes with: pip install {dist}"
        for broken in self.broken:
            text += f"\n       note: plugin {broken.dist} {broken.reason}"
        return text

    def _drop(self, plugin: Any) -> None:
        if self._manager.is_registered(plugin):
            self._manager.unregister(plugin)


def _checked(card: Any, kind: type[Provider]) -> Provider:
    if not isinstance(card, kind):
        raise TypeError(f"yields {type(card).__name__} where a {kind.__name__} is due")
    if not card.name or card.name != card.name.lower() or set(card.name) & set(". /\\="):
        raise ValueError(f"the name '{card.name}' must be lower case without dots, spaces, slashes")
    describe(card.options)
    return card


def _dist_of(point: metadata.EntryPoint) -> tuple[str, str]:
    dist = point.dist
    return (dist.name, dist.version) if dist is not None else (point.name, "")


def _short(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
