"""What a model learns from: facesets in memory, the order of learning, and every face varied.

`supply` is what the loop asks; the rest stands behind it.
"""
