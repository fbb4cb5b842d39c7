"""Fused convolutions against plain ones, and what happens where torch does not have them."""

import pytest
import torch

from bgdesk.engine.networks.nets import fused
from bgdesk.engine.networks.nets.architectures import NETS
from bgdesk.engine.networks.nets.rsu import ConvReLU


def net_and_picture(dtype: torch.dtype, side: int = 96) -> tuple[torch.nn.Module, torch.Tensor]:
    torch.manual_seed(5)
    net = NETS["u2netp"].build().requires_grad_(False).eval().to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net, torch.rand(1, 3, side, side).to(dtype=dtype, memory_format=torch.channels_last)


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-5), (torch.bfloat16, 0.02)])
def test_a_fused_network_gives_the_plain_ones_answer(dtype: torch.dtype, most: float) -> None:
    net, picture = net_and_picture(dtype)
    with torch.inference_mode():
        plain = net(picture)
        assert fused.fuse(net)
        assert not any(isinstance(module, ConvReLU) for module in net.modules())
        assert (net(picture) - plain).abs().max() <= most
        # Another size uses the weights that were laid out for the first one.
        net_again, _ = net_and_picture(dtype)
        larger = torch.rand(1, 3, 128, 160).to(dtype=dtype, memory_format=torch.channels_last)
        assert (net(larger) - net_again(larger)).abs().max() <= most


def test_parts_are_convolved_as_if_they_were_one() -> None:
    torch.manual_seed(6)
    plain = ConvReLU(24, 8, 2).requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    parts = [torch.rand(1, channels, 20, 30).to(memory_format=torch.channels_last) - 0.5 for channels in (4, 12, 8)]
    with torch.inference_mode():
        expected = plain(torch.cat(parts, 1))
        assert torch.equal(plain(*parts), expected)
        assert (fused._Fused(plain)(*parts) - expected).abs().max() < 1e-5


@pytest.mark.parametrize("error", [AttributeError("'_OpNamespace' 'mkldnn' object has no attribute"), RuntimeError("no oneDNN"), None])
def test_where_torch_cannot_the_network_stays_as_it_is(error: Exception | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(self: object, *parts: torch.Tensor) -> torch.Tensor:
        if error is not None:
            raise error
        return torch.full((1, 8, 12, 12), 9.0)  # it runs, and errs

    monkeypatch.setattr(fused._Fused, "forward", forward)
    net, picture = net_and_picture(torch.float32)
    assert not fused.fuse(net)
    assert sum(isinstance(module, ConvReLU) for module in net.modules()) > 50
    assert net(picture).shape == (1, 1, 96, 96)
