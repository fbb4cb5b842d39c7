"""Pixel arithmetic that several rooms need.

brush       one stretch of a stroke, rasterised into labels
composite   a cut-out on a ground, on a canvas, at another size
resample    another size for an array, typed

May import core's values (arrays, geometry, recipe, trimap, cutout).
"""
