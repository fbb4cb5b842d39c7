"""The architectures that bgdesk builds itself.

architectures  the table: how to build each, and how it is fed
isnet, u2net   two networks, made of the blocks in rsu
fused          their convolutions as oneDNN does them on a CPU

May import core and torch; architectures imports torch only when a network is built.
"""
