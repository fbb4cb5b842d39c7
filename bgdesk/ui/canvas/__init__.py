"""The photo on the screen.

Files: viewport (zoom and pan, pure arithmetic), pyramid (a picture at many sizes), finished (finished alpha at many sizes, what was
measured of edges), frame (what a frame composes anew), render (composes in numpy), blending (arithmetic on the
screen's bytes), tools (what the pointer does), brush_outline, canvas (the widget).

A frame costs pixels on the screen, not pixels of the photo. Imports: core, kit and Qt; the photo's arrays come in as render.Layers.
"""
