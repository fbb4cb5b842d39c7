"""The engine: from pixels to a cut-out. Nobody needs more of it than `pipeline.Pipeline`, which is core's EngineProtocol.

runtime      compiled kernels, the C library's allocator, work on several threads
networks     networks that find subjects or work out edges, and the devices that run them
matting      alpha from a trimap, a matte or strokes
colours      the subject's own colours
pipeline     the stages in order: the only module that callers outside need
prepare      all kernels loaded, or compiled where this machine has none yet
confidence   how likely a cut-out is good
self_test    whether this machine's device gives the CPU's answer

May import core, and libraries that compute (numpy, OpenCV, numba, torch, ONNX Runtime); no files of photos, no window. torch
and ONNX Runtime are imported only when a network is opened. Inside: runtime <- networks <- matting, runtime <- colours.
"""
