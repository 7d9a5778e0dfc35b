"""Any network with named stages, and optionally deep-supervision heads, as a bundle takes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor, nn

from ._blocks import layer_types
from .features import FeatureTaps, input_spec

__all__ = ["TappedNetwork", "default_taps"]


def default_taps(network: nn.Module) -> dict[str, tuple[str, ...]]:
    """Return the names of the stages that a network declares, the keyword arguments of `FeatureTaps`.

    Args:
        network: `UNet`, `UNetPlusPlus`, `ResNetFCN`, `TransUNet`, a `TappedNetwork`, or any with a method of this name.

    Raises:
        ValueError: for a network that declares none.

    Example:
        >>> from medkd.networks import UNet
        >>> default_taps(UNet(2, 1, 2, width=2))["encoder"]
        ('encoder.0', 'encoder.1', 'encoder.2', 'encoder.3', 'bottleneck')
    """
    taps_of_network: Callable[[], dict[str, tuple[str, ...]]] | None = getattr(network, "default_taps", None)
    if taps_of_network is None:
        raise ValueError(
            f"{type(network).__name__} names no stages to tap: make it the network of a medkd.networks.TappedNetwork"
        )
    return taps_of_network()


class TappedNetwork(nn.Module):
    """Name the stages of any network, so that it can be the student or the teacher of a bundle.

    Args:
        network: returns logits (N, K, *spatial). Of a list or tuple of outputs, the last is taken.
        encoder: names of sub-modules, fine to coarse, bottleneck last. Tokens (N, L, C) of a Transformer count as a map.
        decoder: names of sub-modules, coarse to fine, the map before the classifier last.
        deep_supervision: 1x1 heads on all decoder stages except the last, which give the auxiliary logits that HLFD reads.
            ``medkd train <task> --role teacher`` trains them with the network.
        frozen: whether the heads alone are trained, for a network that is trained already.

    Raises:
        ValueError: for a name that the network does not have, or heads without two decoder stages.

    Example:
        >>> from monai.networks.nets import BasicUNet
        >>> unet = BasicUNet(2, 1, 2, features=(4, 4, 4, 4, 8, 4))
        >>> network = TappedNetwork(unet, ["conv_0", "down_4"], ["upcat_4", "upcat_1"], deep_supervision=True)
        >>> FeatureTaps(network, **network.default_taps()).channels
        Channels(logits=2, encoder=(4, 8), decoder=(4, 4), maps=(2,))
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
        channels = taps.channels  # the dry forward also refuses unknown names
        taps.close()
        if deep_supervision:
            if len(decoder) < 2:
                raise ValueError(f"TappedNetwork: deep supervision needs two decoder stages, found {list(decoder)}")
            conv = layer_types(spatial_dims).conv
            self.heads.extend(conv(width, channels.logits, kernel_size=1) for width in channels.decoder[:-1])
            for name, head in zip(decoder, self.heads, strict=False):
                network.get_submodule(name).register_forward_hook(partial(_run_head, head))

    def forward(self, image: Tensor) -> Tensor:
        """Return the final logits of images (N, C, *spatial)."""
        return _last(self.network(image))

    def train(self, mode: bool = True) -> TappedNetwork:
        """Set the mode of the module; a frozen network stays in eval mode, so that its statistics do not change."""
        super().train(mode)
        if self.frozen:
            self.network.eval()
        return self

    def default_taps(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the stages and of the deep-supervision heads."""
        names = {role: tuple(f"network.{name}" for name in names) for role, names in self.names.items()}
        return {**names, "maps": tuple(f"heads.{i}" for i in range(len(self.heads)))}


def _inner_names(network: nn.Module, names: Sequence[str]) -> tuple[str, ...]:
    """Return names within the network; names within the `TappedNetwork`, as `medkd layers` prints them, are valid too."""
    modules = dict(network.named_modules())
    return tuple(name if name in modules else name.removeprefix("network.") for name in names)


def _last(output: Tensor | Sequence[Tensor]) -> Tensor:
    """Return the final logits, the last of several outputs (as of BasicUNetPlusPlus)."""
    return output if isinstance(output, Tensor) else output[-1]


def _run_head(head: nn.Module, stage: nn.Module, inputs: tuple, output: Tensor) -> None:
    """Run a deep-supervision head on the output of its stage; a tap reads the head's output."""
    head(output)
