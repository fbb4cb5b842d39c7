"""Alpha, from a trimap, the network's matte, or strokes.

refine         alpha of a whole photo; tiles solves it in bounded memory, guided lifts it to full size
rematte        alpha around a stroke; propagate finds out which labels the stroke means
sampling       sampling-based matting: what the colours around a pixel say
closed_form    the matting Laplacian on the band; solver (CG), multigrid and spans solve its system
matting_net    alpha by a matting network in place of all this

May import core, runtime and networks (only matting_net needs them).
"""
