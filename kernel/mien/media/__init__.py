"""Clips in and out: video files through PyAV, pictures through OpenCV, both behind `base`."""
