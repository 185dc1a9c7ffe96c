"""The arithmetic of colours that several colour transfers share; on plain arrays, without a run."""
