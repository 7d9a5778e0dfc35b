"""A network from elsewhere in the place of a teacher of ours: its input scaled as it knows it, its classes named as ours."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medkd.networks.features import FeatureTaps, OutputError

from .geometry import Axes
from .intensity import Intensity

__all__ = ["Ensemble", "TeacherAdapter"]

# Below it a probability is as good as none, and its logarithm would rule the loss.
_FLOOR = 1e-6


class TeacherAdapter(nn.Module):
    """Any module from images to logits, called with our images and giving logits of our classes.

    Args:
        network: returns a tensor (N, channels, *spatial), or several: the last one of the image's size is then taken. A single
            channel z is a sigmoid's and becomes (0, z); more are a softmax's.
        source: what messages call it, "TorchScript file teacher.ts" for example.
        input_spec: spatial axes and channels of the task's images.
        num_classes: K of the task.
        classes: for each channel of the network, the class of the task that it stands for; channels of one class are merged
            to the logit of their summed probability. None: the channels are the classes.
        intensity: from our scale to the network's; None: as it is.
        multiple: what each edge must be a multiple of; the image is padded by its edge values at the end of each axis, the
            logits are cropped. Taps see the padded image. None: any size goes in as it is.
        own_axes: from our axes to the network's; None: they are the same. Taps are turned back as the logits are.
        code: what tells networks with equal weights apart where their repr does not, for stored soft labels.

    Raises:
        ValueError: when channels and classes do not match, or the network does not take such images at any usual size.
    """

    def __init__(
        self,
        network: nn.Module,
        source: str,
        input_spec: tuple[int, int],
        num_classes: int,
        classes: Sequence[int] | None = None,
        intensity: Intensity | None = None,
        multiple: Sequence[int] | None = None,
        own_axes: Axes | None = None,
        code: str = "",
    ) -> None:
        super().__init__()
        self.network, self.source, self.input_spec = network, source, input_spec
        self.intensity, self.own_axes, self.code = intensity, own_axes, code
        self.multiple = None if multiple is None else tuple(multiple)
        self.classes: tuple[int, ...] | None = None
        self.num_classes = num_classes
        self.eval()  # which it stays: a frozen script has no other mode
        found = _channels(self, source)
        if classes is not None or found != num_classes:
            self.classes = _checked_classes(classes, found, num_classes, source)

    def forward(self, image: Tensor) -> Tensor:
        x = image if self.intensity is None else self.intensity(image)
        x = x if self.own_axes is None else self.own_axes.turn(x)
        size = x.shape[2:]
        if self.multiple is not None:
            wanted = [-edge % factor for edge, factor in zip(size, self.multiple, strict=True)]
            x = F.pad(x, [p for extra in reversed(wanted) for p in (0, extra)], mode="replicate") if any(wanted) else x
        logits = _of_size(self.network(x), x.shape[2:], self.source)
        logits = logits[(..., *(slice(edge) for edge in size))]
        logits = logits if self.own_axes is None else self.own_axes.turn_back(logits)
        if logits.shape[1] == 1:
            logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
        return logits if self.classes is None else self._merged(logits)

    def _merged(self, logits: Tensor) -> Tensor:
        parts = []
        for k in range(self.num_classes):
            own = [channel for channel, of in enumerate(self.classes) if of == k]
            parts.append(torch.logsumexp(logits[:, own].float(), dim=1) if len(own) > 1 else logits[:, own[0]].float())
        return torch.stack(parts, dim=1)

    def default_taps(self) -> dict[str, tuple[str, ...]]:
        """Stages of encoder and decoder where the network names them; nothing of any other."""
        if not hasattr(self.network, "default_taps"):
            return {}
        return {
            role: tuple(f"network.{name}" for name in names)
            for role, names in self.network.default_taps().items()
            if role != "maps" or self.classes is None  # deep-supervision logits are of the network's own classes
        }

    def extra_repr(self) -> str:
        """Also what tells stored soft labels of two such teachers apart."""
        axes = "" if self.own_axes is None else f", axes={self.own_axes.axcodes}"
        return f"{self.code}, classes={self.classes}, intensity={self.intensity}, multiple={self.multiple}{axes}"


class Ensemble(nn.Module):
    """Teachers of any kind as one: the logarithm of their averaged probabilities, floored at 1e-6. It has no taps.

    Args:
        members: from (N, C, *spatial) to logits (N, K, *spatial) each.
        input_spec: spatial axes and channels of the task's images.
    """

    def __init__(self, members: Sequence[nn.Module], input_spec: tuple[int, int]) -> None:
        super().__init__()
        self.members, self.input_spec = nn.ModuleList(members), input_spec
        self.source = f"ensemble of {len(members)}"

    def forward(self, image: Tensor) -> Tensor:
        mean = sum(torch.softmax(member(image).float(), dim=1) for member in self.members) / len(self.members)
        return mean.clamp_min(_FLOOR).log()

    def default_taps(self) -> dict[str, tuple[str, ...]]:
        """Nothing: its members' maps cannot be averaged."""
        return {}


def _channels(teacher: nn.Module, source: str) -> int:
    try:
        return FeatureTaps(teacher).channels.logits
    except ValueError as error:
        reason = str(error.__cause__ or error).strip().splitlines()
        raise ValueError(
            f"teacher {source} does not take the task's images: {reason[-1] if reason else error}"
        ) from None


def _of_size(output: object, size: torch.Size, source: str) -> Tensor:
    """The final logits are last (BasicUNetPlusPlus) or first and the only ones of full size (deep supervision)."""
    outputs = list(output) if isinstance(output, list | tuple) else [output]
    if not outputs or not all(isinstance(part, Tensor) for part in outputs):
        raise OutputError(f"{source} gives {type(output).__name__}, expected logits, or a list or tuple of them")
    fitting = [part for part in outputs if part.shape[2:] == size]
    if not fitting:
        raise ValueError(f"{source} gives {tuple(outputs[-1].shape)} for an image of {tuple(size)}, expected its size")
    return fitting[-1]


def _checked_classes(classes: Sequence[int] | None, found: int, num_classes: int, source: str) -> tuple[int, ...]:
    given = "--teacher_classes"
    if classes is None:
        raise ValueError(
            f"teacher {source} gives {found} channels, the task has {num_classes} classes: name the class of each channel by "
            f'{given} "{[min(i, num_classes - 1) for i in range(found)]}", for example'
        )
    known = range(num_classes)
    if len(classes) != found or any(isinstance(k, bool) or k not in known for k in classes):
        raise ValueError(
            f"{given}: found {list(classes)}, expected {found} classes of 0 to {num_classes - 1}, one for each channel of "
            f"{source}"
        )
    if missing := set(known) - set(classes):
        raise ValueError(f"{given}: found {list(classes)}, no channel of {source} stands for class {min(missing)}")
    return tuple(classes)
