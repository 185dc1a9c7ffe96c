"""Models between programs: DFM, ONNX and plain tensors, and DeepFaceLab's own folders.

`contract` is light and says what a DFM file is; the others need torch.
"""
