"""CPU time of `mien --help` with all plugins installed, beside a bare Python and click alone.

python benchmarks/startup.py [--repeats 15] > startup.json
"""

from __future__ import annotations

import argparse

from harness import report, run_child, spread

HELP = "from mien.cli import main; main(['--help'])"
VARIANTS = {
    "python alone": ("-c", "pass"),
    "python and click": ("-c", "import click"),
    "mien --help": ("-c", HELP),
    "mien swap --help": ("-c", HELP.replace("['--help']", "['swap', '--help']")),
    "mien plugins list": ("-c", HELP.replace("['--help']", "['plugins', 'list']")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    times: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for _ in range(repeats):
        for name, words in VARIANTS.items():
            times[name].append(run_child(*words)["cpu"])
    report(
        "startup",
        {"repeats": repeats, "unit": "CPU seconds"},
        {name: spread(values) for name, values in times.items()},
    )


if __name__ == "__main__":
    main()
