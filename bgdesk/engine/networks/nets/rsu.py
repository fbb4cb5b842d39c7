"""Residual U-blocks, the part that U²-Net and IS-Net are made of.

Source: Qin et al., "U²-Net: Going deeper with nested U-structure for salient object detection", Pattern Recognition
106 (2020). Batch norm is folded into the convolutions, so a layer is convolution, bias and ReLU.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ConvReLU(nn.Conv2d):
    """3×3 convolution of the same size, then ReLU in place. Several inputs lie one behind the other in their channels."""

    def __init__(self, inputs: int, outputs: int, dilation: int = 1) -> None:
        super().__init__(inputs, outputs, 3, padding=dilation, dilation=dilation)

    def forward(self, input: Tensor, *more: Tensor) -> Tensor:
        return F.relu_(super().forward(torch.cat((input, *more), 1) if more else input))


def pool(x: Tensor) -> Tensor:
    """Half the size, rounded up, keeping each 2×2 block's largest value."""
    if x.shape[-2] % 2 or x.shape[-1] % 2:
        return F.max_pool2d(x, 2, 2, ceil_mode=True)
    # torch's own also writes down where each value came from, which takes twice the time on the CPU.
    rows = torch.maximum(x[:, :, ::2], x[:, :, 1::2])
    return torch.maximum(rows[..., ::2], rows[..., 1::2])


def resize_like(x: Tensor, reference: Tensor) -> Tensor:
    """Bilinear, to the height and width of `reference`."""
    return F.interpolate(x, size=reference.shape[-2:], mode="bilinear", align_corners=False)


class RSU(nn.Module):
    """Residual U-block of `depth` levels: `depth` - 1 on the way down, one dilated at the bottom, the way back up."""

    def __init__(self, depth: int, inputs: int, middle: int, outputs: int) -> None:
        super().__init__()
        self.entry = ConvReLU(inputs, outputs)
        self.down = nn.ModuleList([ConvReLU(outputs, middle)] + [ConvReLU(middle, middle) for _ in range(depth - 2)])
        self.bottom = ConvReLU(middle, middle, dilation=2)
        self.up = nn.ModuleList([ConvReLU(2 * middle, middle) for _ in range(depth - 2)] + [ConvReLU(2 * middle, outputs)])

    def forward(self, x: Tensor, *more: Tensor) -> Tensor:
        entry = self.entry(x, *more)
        skips: list[Tensor] = []
        x = entry
        for level, conv in enumerate(self.down):
            x = conv(pool(x) if level else x)
            skips.append(x)
        x = self.bottom(x)
        for conv in self.up:
            skip = skips.pop()
            x = x if x.shape[-2:] == skip.shape[-2:] else resize_like(x, skip)
            x = conv(x, skip)
        return x.add_(entry)


class RSU4F(nn.Module):
    """The block for small maps: dilation 1, 2, 4, 8 in place of pooling, so every level keeps its size."""

    def __init__(self, inputs: int, middle: int, outputs: int) -> None:
        super().__init__()
        self.entry = ConvReLU(inputs, outputs)
        self.down = nn.ModuleList([ConvReLU(outputs, middle), ConvReLU(middle, middle, 2), ConvReLU(middle, middle, 4)])
        self.bottom = ConvReLU(middle, middle, 8)
        self.up = nn.ModuleList([ConvReLU(2 * middle, middle, 4), ConvReLU(2 * middle, middle, 2), ConvReLU(2 * middle, outputs)])

    def forward(self, x: Tensor, *more: Tensor) -> Tensor:
        entry = self.entry(x, *more)
        skips: list[Tensor] = []
        x = entry
        for conv in self.down:
            x = conv(x)
            skips.append(x)
        x = self.bottom(x)
        for conv in self.up:
            x = conv(x, skips.pop())
        return x.add_(entry)
