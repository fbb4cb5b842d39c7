"""The photo on the screen.

Files: viewport (zoom and pan, pure arithmetic), pyramid (a picture at many sizes), finished (alpha as its edge recipe wants it, at
those sizes), render (composes parts of a frame in numpy), blending (its arithmetic on bytes), frame (what is kept of a frame, and
when it is coarse), tools (what the pointer does), brush_outline, canvas (the widget).

A frame costs pixels on the screen, not pixels of the photo. Imports: core, kit and Qt; the photo's arrays come in as render.Layers.
"""
