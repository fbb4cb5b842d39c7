"""What `core.finish` is made of.

contour   where an edge lies, to a hundredth of a pixel, and how it moves
edges     what an edge is made of: a clean line, a blur, or strands
filters   the filters of both, each with the distance that it reads

May import core's values (arrays, geometry). Nobody but core.finish imports this room.
"""
