"""The registry: what is installed, what is broken, what is said about both."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from mien import registry as registry_module
from mien.errors import PluginError
from mien.hooks import hookimpl
from mien.registry import CATALOGUES, Registry
from mien.stages import BlendProvider, DetectorProvider


def plugin(*providers: Any, hook: str = "mien_detectors") -> Any:
    def catalogue():
        yield from providers

    return SimpleNamespace(__name__="plugin", **{hook: hookimpl(catalogue)})


def detector(name: str = "blaze", **more: Any) -> DetectorProvider:
    return DetectorProvider(name=name, summary="x", create=lambda o, c: None, **more)


def test_a_provider_is_found_by_kind_and_name():
    card = detector()
    registry = Registry([("mien-blaze", "1.2", plugin(card))])
    assert registry.get(DetectorProvider, "blaze") is card
    entry = registry.entry("detector", "blaze")
    assert (entry.dist, entry.version) == ("mien-blaze", "1.2")
    assert registry.names("detector") == ("blaze",)
    assert registry.names("blend") == ()


def test_a_missing_plugin_is_answered_with_what_is_there_and_what_to_install():
    registry = Registry([("mien-blaze", "1", plugin(detector()))])
    with pytest.raises(PluginError) as caught:
        registry.get(DetectorProvider, "retinaface")
    assert str(caught.value) == (
        "no detector named 'retinaface' is installed; there is: blaze; "
        "it comes with: pip install mien-retinaface"
    )
    with pytest.raises(PluginError, match="did you mean 'blaze'"):
        registry.get(DetectorProvider, "blase")


def test_two_plugins_of_one_name_are_an_error_that_names_both():
    registry = Registry(
        [("mien-blaze", "1", plugin(detector())), ("other-blaze", "2", plugin(detector()))]
    )
    with pytest.raises(PluginError, match="comes from mien-blaze and other-blaze: uninstall one"):
        registry.get(DetectorProvider, "blaze")


@dataclass(frozen=True)
class Undeclared:
    threshold: float = 0.5


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (plugin(detector(), hook="mien_detektors"), "is not a valid plugin"),
        (plugin("no card"), "describes itself wrongly: TypeError: yields str where"),
        (plugin(detector(name="Has Space")), "the name 'Has Space' must be lower case"),
        (plugin(detector(options=Undeclared)), "is not made by option"),
        (
            plugin(BlendProvider(name="b", summary="", create=lambda o, c: None)),
            "yields BlendProvider where a DetectorProvider is due",
        ),
    ],
)
def test_a_broken_plugin_is_named_and_skipped(broken, reason):
    registry = Registry([("bad", "0", broken), ("mien-blaze", "1", plugin(detector()))])
    assert registry.names("detector") == ("blaze",)
    (fault,) = registry.broken
    assert fault.dist == "bad"
    assert reason in fault.reason


def test_an_entry_point_that_cannot_be_imported_is_noted(monkeypatch):
    class Point:
        name = "broken"
        dist = SimpleNamespace(name="mien-broken", version="3")

        def load(self) -> Any:
            raise ImportError("No module named 'tensorflow'")

    monkeypatch.setattr(registry_module.metadata, "entry_points", lambda group: [Point()])
    registry = Registry.installed()
    (fault,) = registry.broken
    assert fault.dist == "mien-broken"
    assert "No module named 'tensorflow'" in fault.reason
    with pytest.raises(PluginError, match="note: plugin mien-broken cannot be imported"):
        registry.get(DetectorProvider, "blaze")


def test_entries_are_listed_in_pipeline_order():
    registry = Registry(
        [
            (
                "b",
                "1",
                plugin(
                    BlendProvider(name="over", summary="", create=lambda o, c: None),
                    hook="mien_blends",
                ),
            ),
            ("d", "1", plugin(detector("z"), detector("a"))),
        ]
    )
    assert [entry.provider.name for entry in registry.entries()] == ["a", "z", "over"]


def test_every_kind_has_its_catalogue():
    from mien import hooks

    for name in CATALOGUES:
        assert getattr(hooks, name).__doc__


def test_a_plugin_without_providers_is_listed_by_its_distribution():
    class Reader:
        """Reads what others wrote."""

        @staticmethod
        @hookimpl
        def mien_open_faceset(path):
            return None

    registry = Registry([("mien-reader", "1.2", Reader())])
    (other,) = registry.others
    assert (other.dist, other.version, other.summary) == (
        "mien-reader",
        "1.2",
        "Reads what others wrote.",
    )
