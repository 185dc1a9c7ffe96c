"""Networks that several model plugins share, and the weight files of the program they come from.

`shape` and `dflfiles` need no torch to be imported; the others do.
"""
