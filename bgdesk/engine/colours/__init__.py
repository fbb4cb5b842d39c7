"""The subject's own colours where the background shows through, or lights the subject.

foreground     colour decontamination of a whole photo, in bounded memory
levels         its kernels
spill          a coloured backdrop's light on the subject's rim

May import core and runtime; neither networks nor matting.
"""
