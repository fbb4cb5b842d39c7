"""What `core.finish` is made of.

contour   where an edge lies, to about a thousandth of a pixel, and how it was drawn
edges     what an edge is made of, a clean line, a blur or strands, and how each moves
filters   the filters of both, each with the distance that it reads

May import core's values (arrays, geometry). Nobody but core.finish imports this room.
"""
