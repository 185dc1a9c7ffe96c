"""`python -m mien` is `mien`."""

from __future__ import annotations

from .cli import main

main()
