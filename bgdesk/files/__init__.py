"""Files: from a photo's bytes to pixels, and from a cut-out to bytes. Nothing of what is computed between the two.

load       any photo -> upright sRGB pixels (`load`), a small picture (`preview`), its size (`measure`), a trimap
readers    one decoder a module, and what tells the kind of a file from its content
save       a cut-out -> a file, read back and compared before it takes its place; the table of writers
writers    one format a module
atomic     writing beside the target, and putting the result in its place in one step
colour     embedded profiles -> sRGB; transparency -> white. icc: matrix profiles in full depth
metadata   what a photo carries beside its pixels, made true for its cut-out
find       which photos are meant by files and folders. names: suffixes, and names that nobody has yet

May import core, and Pillow, OpenCV, psd-tools and pi-heif (the last two when such a file is met). What is true of each format
that is written stands in core.formats.
"""
