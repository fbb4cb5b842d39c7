"""Values and pixel arithmetic: numpy and OpenCV only; no files, no networks, no window.

Values:     arrays (names of the arrays that travel), geometry (rectangles, sizes), trimap (labels), cutout, results (what the
            engine answers), errors, tasks (progress and cancelling), stages (parts of the work on a photo)
Choices:    recipe (what is to be made of a photo), parameters (its numbers: ranges, labels, help), formats (of files)
Protocols:  engine (what an engine can be asked), network (what a network takes and gives)
Arithmetic: finish (a solved alpha as its edge recipe wants it), with finishing/; pixels/ (brush, composite, resample)

Imports nothing of bgdesk but itself.
"""
