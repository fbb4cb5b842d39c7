"""What all stages run on.

kernels      numba, and where its machine code is kept
allocator    what the C library does with freed memory
parallel     rectangles on several threads

May import core and numba; nothing else of the engine.
"""
