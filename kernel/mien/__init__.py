"""mien: replaces a face in moving pictures.  The microkernel; everything visible is a plugin."""

from __future__ import annotations

import os

# onnxruntime tells its makers which program runs on which machine, unless this is said before it is
# imported.  Who wants that may say 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
