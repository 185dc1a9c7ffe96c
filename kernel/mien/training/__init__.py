"""The torch engine that every model shares: data, augmentation, loop, checkpoints, previews."""
