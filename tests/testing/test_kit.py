"""The conformance kit itself: it passes for an honest plugin and fails for each broken promise."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from mien import testing
from mien.registry import CATALOGUES

HEAD = """
import sys, types
import numpy as np
from dataclasses import dataclass
from mien.hooks import hookimpl
from mien.options import option
from mien.stages import ColorTransferProvider, StageBase
from mien.testing import ColorTransferConformance, FakeContext, FakeNet


class Honest(StageBase):
    batch_size = 2

    def __init__(self, options, context):
        self.context = context

    def __call__(self, batch):
        return [pair.swap * np.float32(0.5) for pair in batch]


def card(stage, **more):
    @hookimpl
    def mien_color_transfers():
        yield ColorTransferProvider(**{"name": "x", "summary": "x", "create": stage, **more})

    return types.SimpleNamespace(__name__="json", mien_color_transfers=mien_color_transfers)


class Base(ColorTransferConformance):
    name = "x"
    def make_context(self, folder):
        return FakeContext(net=FakeNet([np.zeros(1)]))
"""

BROKEN = {
    "test_one_result_per_item_of_the_declared_form": """
        class Stage(Honest):
            def __call__(self, batch):
                return [pair.swap.astype(np.float64) for pair in batch]
    """,
    "test_results_come_in_the_order_of_the_items": """
        class Stage(Honest):
            def __call__(self, batch):
                return super().__call__(batch)[::-1]
    """,
    "test_a_batch_of_one_gives_the_same_as_a_batch_of_many": """
        class Stage(Honest):
            def __call__(self, batch):
                return [pair.swap / np.float32(len(batch)) for pair in batch]
    """,
    "test_the_same_input_gives_the_same_bytes": """
        class Stage(Honest):
            def __call__(self, batch):
                noise = np.float32(np.random.default_rng().uniform(0.4, 0.5))
                return [pair.swap * noise for pair in batch]
    """,
    "test_closing_gives_everything_back": """
        class Stage(Honest):
            def open(self):
                self.session = self.context.onnx(None)
    """,
    "test_an_empty_batch_gives_nothing": """
        class Stage(Honest):
            def __call__(self, batch):
                return list(np.stack([pair.swap for pair in batch]))
    """,
    "test_something_that_is_no_item_is_refused": """
        class Stage(Honest):
            def __call__(self, batch):
                return [getattr(pair, "swap", np.zeros((4, 4, 3), np.float32)) for pair in batch]
    """,
    "test_options_survive_pickling": """
        Stage = Honest
        def make():
            @dataclass(frozen=True)
            class Options:
                a: int = option(1, "A number")
            return Options
        more["options"] = make()
    """,
    "test_every_option_is_documented_and_its_default_is_allowed": """
        Stage = Honest
        @dataclass(frozen=True)
        class Options:
            a: int = option(0, "A number", ge=1)
        more["options"] = Options
    """,
    "test_the_card_says_what_it_is": """
        Stage = Honest
        more["summary"] = " "
    """,
    "test_the_hooks_exist_and_yield_cards": """
        Stage = Honest
        more["name"] = "y"
    """,
    "test_importing_the_plugin_is_light": """
        Stage = Honest
        name = "mien.testing"
    """,
}


def run_kit(folder: Path, body: str) -> tuple[set[str], set[str]]:
    """Run the kit on a plugin; names of the tests that passed and that failed."""
    lines = [
        HEAD,
        "more = {}",
        "name = 'json'",
        textwrap.dedent(body),
        "plugin = card(Stage, **more)",
    ]
    lines += ["plugin.__name__ = name", "class TestIt(Base):", "    plugin = plugin"]
    file = folder / "test_it.py"
    file.write_text("\n".join(lines))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "-q", "-p", "no:cacheprovider", str(file)],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    words = [line.split() for line in done.stdout.splitlines()]
    found: dict[str, set[str]] = {"PASSED": set(), "FAILED": set(), "ERROR": set()}
    for line in words:
        if line and line[0] in found and "::" in line[1]:
            found[line[0]].add(line[1].rpartition("::")[2])
    assert found["PASSED"] | found["FAILED"] | found["ERROR"], done.stdout + done.stderr
    return found["PASSED"], found["FAILED"] | found["ERROR"]


def test_an_honest_plugin_passes(tmp_path):
    passed, failed = run_kit(tmp_path, "Stage = Honest")
    assert not failed
    assert set(BROKEN) <= passed


@pytest.mark.slow
@pytest.mark.parametrize("promise", BROKEN)
def test_a_broken_promise_fails_its_own_test(promise, tmp_path):
    _, failed = run_kit(tmp_path, BROKEN[promise])
    assert promise in failed


def test_every_kind_of_plugin_has_its_class():
    covered = {
        getattr(testing, name).kind for name in testing.__all__ if name.endswith("Conformance")
    }
    assert covered == {cls.kind for cls in CATALOGUES.values()}
