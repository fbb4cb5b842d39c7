"""Networks, and the devices that run them.

network        the protocol Network, and how a network is fed: all that the pipeline knows
resident       a network in memory; the one place that falls back to the CPU, and says why
device         which devices there are, which one is chosen, and how a torch network is placed on it
backends       how torch is used on each kind of device
proof          whether a device gives the CPU's answer
segment        from a photo to its matte
weights        networks of our own architectures (nets), run by torch
onnx_net       networks from ONNX files, run by ONNX Runtime; onnx_file takes such a file in, onnx_trial tries it once
onnx_baseline  a published file run plainly, for the bench

May import core and runtime, torch, safetensors, onnx and ONNX Runtime; all of these only when they are needed.
"""
