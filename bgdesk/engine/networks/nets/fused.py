"""Convolution, bias and ReLU in one go, as oneDNN does them on a CPU, with the weights laid out ahead for it.

Inputs that lie one behind the other in their channels are never copied into one: a convolution is linear, so each part
is convolved by itself, and the second adds to what the first gave. torch reaches these kernels by names made for its own
compiler (`torch.ops.mkldnn`), not by its public interface: so they are tried on a small convolution first, and where
they are missing, refuse or err, the network runs as it was.
"""

from typing import Any

import torch
from torch import Tensor, nn

from bgdesk.engine.networks.nets.rsu import ConvReLU

#: Most that the trial may differ from the plain convolution, whose values are about 1: a few steps of bf16.
_MOST = 0.05


class _Fused(nn.Module):
    """A ConvReLU on the CPU, which it takes the place of."""

    def __init__(self, plain: ConvReLU) -> None:
        super().__init__()
        self._bias, self._weight = plain.bias, plain.weight
        self._shape = (plain.padding, plain.stride, plain.dilation, plain.groups)
        self._packed: dict[tuple[int, ...], list[Any]] = {}

    def _pack(self, parts: tuple[Tensor, ...]) -> list[Any]:
        """The weights of each part in oneDNN's own layout, for maps of this size; kept."""
        key = tuple(part.shape[1] for part in parts)
        if key not in self._packed:
            layout: Any = torch._C._nn.mkldnn_reorder_conv2d_weight
            weights = torch.split(self._weight, list(key), 1)
            self._packed[key] = [
                layout(weight.contiguous(memory_format=torch.channels_last).to_mkldnn(), *self._shape, list(part.shape))
                for weight, part in zip(weights, parts, strict=True)
            ]
        return self._packed[key]

    def forward(self, *parts: Tensor) -> Tensor:
        ops, weights = torch.ops.mkldnn, self._pack(parts)
        last = len(parts) - 1
        first = "none" if last else "relu"
        answer: Tensor = ops._convolution_pointwise(parts[last], weights[last], self._bias, *self._shape, first, [], "")
        for index in reversed(range(last)):
            then = None if index else "relu"
            ops._convolution_pointwise_.binary(answer, parts[index], weights[index], None, *self._shape, "add", 1.0, then, [], "")
        return answer


def fuse(module: nn.Module) -> bool:
    """Replace every ConvReLU of `module`, which lies on the CPU in channels-last order. False if that cannot be done here."""
    found = [(parent, name, child) for parent in module.modules() for name, child in parent.named_children() if isinstance(child, ConvReLU)]
    if not found or not _possible(found[0][2].weight.dtype):
        return False
    for parent, name, child in found:
        setattr(parent, name, _Fused(child))
    return True


def _possible(dtype: torch.dtype) -> bool:
    plain = ConvReLU(16, 8, 2).requires_grad_(False).to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    whole = torch.linspace(-1, 1, 16 * 12 * 12).reshape(1, 16, 12, 12).to(dtype)
    parts = [part.contiguous(memory_format=torch.channels_last) for part in torch.split(whole, 8, 1)]
    try:
        with torch.inference_mode():
            difference = (_Fused(plain)(*parts) - plain(*parts)).abs().max()
    except (AttributeError, RuntimeError, TypeError):  # another torch, or one without oneDNN
        return False
    return bool(difference <= _MOST)
