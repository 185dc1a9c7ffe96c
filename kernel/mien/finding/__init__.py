"""Finding: from frames to aligned, tracked faces; the upper half of the line of work.

    options.py   what a user may set: the ``[find]`` table
    detect.py    boxes, from one detector or several, in turned frames too, within limits
    align.py     the 68 points, with normalised light, jittered boxes and a second look
    identity.py  who it is, and whether that person is wanted
    tracks.py    shots, and the same person through a shot
    smooth.py    points that do not tremble

`line.py` puts them in order.  Masks follow in `mien.pipeline`.
"""
