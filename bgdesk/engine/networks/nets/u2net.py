"""U²-Net, small version: Qin et al., "U²-Net", Pattern Recognition 106 (2020)."""

import torch
from torch import Tensor, nn

from bgdesk.engine.networks.nets.rsu import RSU, RSU4F, pool, resize_like


class U2NetSmall(nn.Module):
    """1×3×H×W, ImageNet-normalised, to 1×1×H×W opacity in [0, 1], not yet stretched to the full range.

    The modules are declared in the order of the published graph: converting weights relies on it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stage1 = RSU(7, 3, 16, 64)
        self.stage2 = RSU(6, 64, 16, 64)
        self.stage3 = RSU(5, 64, 16, 64)
        self.stage4 = RSU(4, 64, 16, 64)
        self.stage5 = RSU4F(64, 16, 64)
        self.stage6 = RSU4F(64, 16, 64)
        self.stage5d = RSU4F(128, 16, 64)
        self.stage4d = RSU(4, 128, 16, 64)
        self.stage3d = RSU(5, 128, 16, 64)
        self.stage2d = RSU(6, 128, 16, 64)
        self.stage1d = RSU(7, 128, 16, 64)
        self.sides = nn.ModuleList(nn.Conv2d(64, 1, 3, padding=1) for _ in range(6))
        self.fuse = nn.Conv2d(6, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x1 = self.stage1(x)
        x2 = self.stage2(pool(x1))
        x3 = self.stage3(pool(x2))
        x4 = self.stage4(pool(x3))
        x5 = self.stage5(pool(x4))
        x6 = self.stage6(pool(x5))
        y5 = self.stage5d(resize_like(x6, x5), x5)
        y4 = self.stage4d(resize_like(y5, x4), x4)
        y3 = self.stage3d(resize_like(y4, x3), x3)
        y2 = self.stage2d(resize_like(y3, x2), x2)
        y1 = self.stage1d(resize_like(y2, x1), x1)
        maps = [side(y) for side, y in zip(self.sides, (y1, y2, y3, y4, y5, x6), strict=True)]
        return torch.sigmoid(self.fuse(torch.cat([maps[0]] + [resize_like(m, maps[0]) for m in maps[1:]], 1)).float())
