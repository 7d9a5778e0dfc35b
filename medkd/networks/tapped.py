"""Any MONAI network in the places of ours: it knows its taps, and may have deep-supervision heads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from monai.networks.layers.factories import Conv
from torch import Tensor, nn

from .features import FeatureTaps, input_spec

__all__ = ["TappedNetwork", "default_taps"]


def default_taps(network: nn.Module) -> dict[str, tuple[str, ...]]:
    """The stages that a network names itself: `FeatureTaps` takes them as keywords.

    Raises:
        ValueError: for a network that names none.
    """
    if not hasattr(network, "default_taps"):
        raise ValueError(
            f"{type(network).__name__} names no stages to tap: make it the network of a medkd.networks.TappedNetwork"
        )
    return network.default_taps()


class TappedNetwork(nn.Module):
    """A network with names for its stages, as `UNet` and `UNetPlusPlus` have them, so that a bundle takes it as it is.

    Args:
        network: returns logits (N, K, *spatial); of a list or tuple, its last entry is taken.
        encoder: names of sub-modules, fine to coarse, bottleneck last; a Transformer's tokens (N, L, C) count as a map.
        decoder: names, coarse to fine, the map before the classifier last.
        deep_supervision: 1x1 heads on all decoder stages but the last, which HLFD reads. Trained with the network by
            ``medkd train <task> --role teacher``.
        frozen: only the heads learn: for a network that is trained already.

    Raises:
        ValueError: for a name that the network does not have, or heads without two decoder stages.

    Example:
        >>> swin = SwinUNETR(in_channels=1, out_channels=2, feature_size=24, spatial_dims=2)
        >>> encoder = ["encoder1", "encoder2", "encoder3", "encoder4", "encoder10"]
        >>> network = TappedNetwork(swin, encoder, ["decoder4", "decoder3", "decoder2", "decoder1"], deep_supervision=True)
        >>> taps = FeatureTaps(network, **network.default_taps())
    """

    def __init__(
        self,
        network: nn.Module,
        encoder: Sequence[str],
        decoder: Sequence[str] = (),
        deep_supervision: bool = False,
        frozen: bool = False,
    ) -> None:
        super().__init__()
        spatial_dims, self.in_channels = input_spec(network)
        self.frozen = frozen
        self.network = network.requires_grad_(not frozen)
        encoder, decoder = (_inner_names(network, names) for names in (encoder, decoder))
        self.names = {"encoder": encoder, "decoder": decoder}
        self.heads = nn.ModuleList()
        taps = FeatureTaps(self, **self.default_taps())
        channels = taps.channels  # the dry forward also finds names that are not there
        taps.close()
        if deep_supervision:
            if len(decoder) < 2:
                raise ValueError(f"TappedNetwork: deep supervision needs two decoder stages, found {list(decoder)}")
            conv = Conv[Conv.CONV, spatial_dims]
            self.heads.extend(conv(width, channels.logits, kernel_size=1) for width in channels.decoder[:-1])
            for name, head in zip(decoder, self.heads, strict=False):
                network.get_submodule(name).register_forward_hook(partial(_run_head, head))

    def forward(self, image: Tensor) -> Tensor:
        return _last(self.network(image))

    def train(self, mode: bool = True) -> TappedNetwork:
        """As of any module, but a frozen network stays in eval mode: its statistics do not move."""
        super().train(mode)
        if self.frozen:
            self.network.eval()
        return self

    def default_taps(self) -> dict[str, tuple[str, ...]]:
        """The names given to the constructor, and the deep-supervision heads."""
        names = {role: tuple(f"network.{name}" for name in names) for role, names in self.names.items()}
        return {**names, "maps": tuple(f"heads.{i}" for i in range(len(self.heads)))}


def _inner_names(network: nn.Module, names: Sequence[str]) -> tuple[str, ...]:
    """`medkd layers` prints the names within the `TappedNetwork`, "network.encoder1": these are meant too."""
    modules = dict(network.named_modules())
    return tuple(name if name in modules else name.removeprefix("network.") for name in names)


def _last(output: Tensor | Sequence[Tensor]) -> Tensor:
    """Networks with several outputs give the final logits last (BasicUNetPlusPlus)."""
    return output if isinstance(output, Tensor) else output[-1]


def _run_head(head: nn.Module, stage: nn.Module, inputs: tuple, output: Tensor) -> None:
    """For taps alone, as in `UNet`: what the head gives is recorded there."""
    head(output)
