"""What a training shows of itself: sheets, curves, figures of held-out faces, logs."""
