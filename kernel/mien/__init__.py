"""mien: replaces a face in moving pictures.  The microkernel; everything visible is a plugin."""

from __future__ import annotations

__version__ = "0.1.0"
