"""Recipes for the small default weights: `python -m training.detector --data FOLDER --out FOLDER`.

Not part of any package that is installed; run from the top of the repository.
"""
