"""Readers: one decoder a module. `files.load` chooses among them.

sniff         what a file is, told from its first bytes
decoded       what every decoder gives, how one refuses a file, and the limits of size
pillow_read   most kinds. opencv_read: ordinary JPEG in half the time, 16-bit PNG and TIFF at full depth
heif_read     HEIC and HEIF. psd_read: the merged picture of PSD and PSB
png_chunks    the chunks of a PNG: whether those that hold the picture are whole
cut_short     whether a file that would not decode ends too early
orient        turning a picture upright

May import core, and of files only colour, icc and metadata. A new kind of file takes a reader here, and a line in `sniff`.
"""
