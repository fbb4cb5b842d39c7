"""IS-Net: Qin et al., "Highly Accurate Dichotomous Image Segmentation", ECCV 2022."""

import torch
from torch import Tensor, nn

from bgdesk.engine.networks.nets.rsu import RSU, RSU4F, pool, resize_like


class ISNet(nn.Module):
    """1×3×H×W, values (x - 128) / 256 of 8-bit sRGB, to 1×1×H×W opacity in [0, 1].

    The modules are declared in the order of the published graph: converting weights relies on it. Side outputs 2 to 6
    serve training only; their weights are kept so that the file stays complete, but they are not computed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.entry = nn.Conv2d(3, 64, 3, stride=2, padding=1)
        self.stage1 = RSU(7, 64, 32, 64)
        self.stage2 = RSU(6, 64, 32, 128)
        self.stage3 = RSU(5, 128, 64, 256)
        self.stage4 = RSU(4, 256, 128, 512)
        self.stage5 = RSU4F(512, 256, 512)
        self.stage6 = RSU4F(512, 256, 512)
        self.stage5d = RSU4F(1024, 256, 512)
        self.stage4d = RSU(4, 1024, 128, 256)
        self.stage3d = RSU(5, 512, 64, 128)
        self.stage2d = RSU(6, 256, 32, 64)
        self.stage1d = RSU(7, 128, 16, 64)
        self.sides = nn.ModuleList(nn.Conv2d(channels, 1, 3, padding=1) for channels in (64, 64, 128, 256, 512, 512))

    def forward(self, x: Tensor) -> Tensor:
        size = x
        x1 = self.stage1(self.entry(x))
        x2 = self.stage2(pool(x1))
        x3 = self.stage3(pool(x2))
        x4 = self.stage4(pool(x3))
        x5 = self.stage5(pool(x4))
        x6 = self.stage6(pool(x5))
        y = self.stage5d(resize_like(x6, x5), x5)
        y = self.stage4d(resize_like(y, x4), x4)
        y = self.stage3d(resize_like(y, x3), x3)
        y = self.stage2d(resize_like(y, x2), x2)
        y = self.stage1d(resize_like(y, x1), x1)
        # The last two steps decide 8-bit levels: do them in fp32 whatever the network ran in.
        return torch.sigmoid(resize_like(self.sides[0](y).float(), size))
