"""Weights: from a published ONNX file to safetensors, and from safetensors into a network. Never pickle."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bgdesk.core.errors import ModelError
from bgdesk.core.tasks import Progress, silent
from bgdesk.engine.networks.device import Device, choose, place, probe
from bgdesk.engine.networks.nets.architectures import NETS, Architecture
from bgdesk.engine.networks.network import Opened, Proven
from bgdesk.engine.networks.proof import Unproven, key, prove

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Weights:
    """A verified file of weights for one of bgdesk's own architectures: a Network that torch runs."""

    id: str  #: catalogue id
    net: str  #: key of NETS
    path: Path  #: a safetensors file
    sha256: str  #: of that file, checked by whoever made this

    def devices(self, device: str, precision: str) -> tuple[Device, ...]:
        """See Network.devices."""
        machine, reduced = probe(), NETS[self.net].reduced
        best = choose(machine, device, precision, reduced)
        return (best,) if best.kind == "cpu" else (best, choose(machine, "cpu", "auto", reduced))

    def open(self, device: Device, proven: Proven) -> Opened[Architecture]:
        """See Network.open."""
        net, run = NETS[self.net], place(load(self), device)
        if device.kind != "cpu" and key(self.sha256, device) not in proven:
            try:
                prove(net, run, lambda: place(load(self), Device("cpu", "CPU", "fp32")))
            except Unproven as error:
                raise Unproven(f"in {device.precision} {error}") from None
            proven.add(key(self.sha256, device))
        return Opened(net=net, device=device, run=run)


def convert(onnx: Path, net: str, target: Path, progress: Progress = silent) -> None:
    """Write the convolution weights of a published ONNX file to a safetensors file.

    Convolutions are matched in graph order (the modules are declared in that order) and every shape is checked. The
    stored precision (fp16 or fp32) is kept.

    Parameters
    ----------
    onnx
        The published file.
    net
        The architecture, a key of NETS.
    target
        The file to write; written in place: give a temporary path.

    Raises
    ------
    ModelError
        The file is not an ONNX file, or is not this network.
    """
    import onnx as onnx_format
    import torch
    from google.protobuf.message import DecodeError
    from onnx import numpy_helper
    from safetensors.numpy import save_file

    progress("convert", 0.0)
    again = "Download it again, or choose the network that it belongs to."
    try:
        graph = onnx_format.load(str(onnx), load_external_data=False).graph
        stored = {tensor.name: tensor for tensor in graph.initializer}
        found = [numpy_helper.to_array(stored[name]) for node in graph.node if node.op_type == "Conv" for name in node.input[1:]]
    except (DecodeError, KeyError, ValueError, TypeError) as error:
        raise ModelError(f"{onnx.name} is not a complete ONNX file ({error or type(error).__name__}). {again}") from error
    progress("convert", 0.3)
    with torch.device("meta"):
        wanted = NETS[net].build().state_dict()
    if len(found) != len(wanted):
        counts = f"{len(found)} convolution tensors where {net} has {len(wanted)}"
        raise ModelError(f"{onnx.name} holds {counts}: it is another network. {again}")
    tensors = {}
    for (name, tensor), array in zip(wanted.items(), found, strict=True):
        if tuple(tensor.shape) != array.shape:
            shapes = f"has shape {array.shape} where {net} has {tuple(tensor.shape)}"
            raise ModelError(f"{onnx.name}: {name} {shapes}: it is another network. {again}")
        if array.dtype not in (np.float16, np.float32) or not np.isfinite(array).all():
            raise ModelError(f"{onnx.name}: {name} holds values that are not finite fp16 or fp32 numbers. {again}")
        tensors[name] = np.ascontiguousarray(array)
    progress("convert", 0.7)
    save_file(tensors, target, metadata={"net": net})
    progress("convert", 1.0)


def load(weights: Weights) -> "nn.Module":
    """Build the network with its weights, in fp32, on the CPU, for inference.

    Raises
    ------
    ModelError
        The file cannot be read, or does not belong to the architecture.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    again = f"Remove it and install it again: bgdesk models remove {weights.id}, then bgdesk models install {weights.id}."
    try:
        tensors = load_file(weights.path)
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise ModelError(f"The network file {weights.path.name} could not be read: {error}. {again}") from error
    with torch.device("meta"):
        module = NETS[weights.net].build()
    wanted = module.state_dict()
    wrong = [n for n in wanted if n not in tensors or tensors[n].shape != wanted[n].shape]
    if wrong or len(tensors) != len(wanted):
        raise ModelError(f"The network file {weights.path.name} does not belong to {weights.net}. {again}")
    module.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, assign=True)
    return module.requires_grad_(False).eval()
