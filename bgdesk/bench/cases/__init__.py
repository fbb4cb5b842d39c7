"""Pictures whose truth is known.

scenes      drawn subjects: no data is needed
corpus      composites of real cut-outs, and folders of photos with masks
folders     which of the given folders hold what
trials      photos as they are and in trouble, for the confidence
simulated   a matte as a network would answer it
metrics     how far an answer is from the truth

May import core, files and numpy; nothing of the engine.
"""
