"""What trainers of models share: nets with their optimizers and judges, saved and loaded as one."""
