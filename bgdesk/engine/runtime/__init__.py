"""What all stages run on.

kernels        how inner loops are compiled by numba, for the types that each one names
kernel_cache   where their machine code is kept; kernel_folder names the folder
allocator      what the C library does with freed memory
parallel       rectangles on several threads

May import core and numba; nothing else of the engine.
"""
