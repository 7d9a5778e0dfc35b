"""Adapt an external network to a task: intensities, axes, sizes, classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medkd.networks.features import FeatureTaps, OutputError

from .geometry import Axes, Grid
from .intensity import Intensity
from .outputs import OutputKind, log_probabilities, probability_scale, select_output

__all__ = ["TeacherAdapter"]


class TeacherAdapter(nn.Module):
    """Call any network with the task's images and return logits of the task's classes.

    Args:
        network: returns a tensor (N, channels, *spatial), or several: the last one of the image's size is taken. A single
            channel z is the logit of a sigmoid and becomes (0, z). Several channels are logits of a softmax.
        source: name of the network in messages, such as "TorchScript file teacher.ts".
        input_spec: spatial axes and channels of the task's images.
        num_classes: K of the task.
        classes: for each channel of the network, the class of the task that it stands for. Channels of one class are merged
            to the logit of their summed probability. None: the channels are the classes.
        intensity: from the task's intensities to the network's; None leaves them as they are.
        multiple: number of which each edge must be a multiple. The image is padded with its edge values at the end of each
            axis, and the logits are cropped. Taps see the padded image. None: the image is passed on at any size.
        network_axes: from the task's axes to the network's; None if they are equal. Maps of taps are turned back as the
            logits are.
        code: tells networks with equal weights and equal repr apart, for cached soft labels.
        channels: numbers of the image's channels that the network takes, in its order; None: all.
        output: what the network returns: "logits"; "probabilities", whose logarithm is taken; "auto", logits, and
            probabilities are refused; or "detect", either.
        grid: spacing and patch of the network's training, for those who run it over whole volumes.

    Raises:
        ValueError: If channels and classes do not match, the network takes such images at no usual size, or its outputs are
            not what ``output`` says. They are looked at with noise, and with the first images.

    Example:
        >>> adapter = TeacherAdapter(nn.Conv2d(1, 3, 1), "my network", (2, 1), num_classes=2, classes=[0, 0, 1])
        >>> adapter(torch.rand(1, 1, 32, 32)).shape
        torch.Size([1, 2, 32, 32])
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
        network_axes: Axes | None = None,
        code: str = "",
        output: OutputKind = "auto",
        channels: Sequence[int] | None = None,
        grid: Grid | None = None,
    ) -> None:
        super().__init__()
        self.grid = grid or Grid()
        self.network, self.source, self.input_spec = network, source, input_spec
        self.intensity, self.network_axes, self.code = intensity, network_axes, code
        self.channels = None if channels is None else list(channels)
        self.multiple = None if multiple is None else tuple(multiple)
        self.classes: tuple[int, ...] | None = None
        self.num_classes = num_classes
        self.output, self.takes_logarithm = output, output == "probabilities"
        self.scale = 1.0  # of the probabilities
        self._channels = {1, num_classes} if classes is None else {len(classes)}
        self._checks_left = 2  # of outputs: with noise, and with the first images
        self._is_scaled = False
        self.eval()  # a frozen script has no other mode
        shape = _dry_shape(self, source)
        if classes is not None or shape[1] != num_classes:
            self.classes = _check_classes(classes, shape[1], num_classes, source)
        with torch.no_grad():  # refuses outputs of another kind before anything is trained
            self(torch.rand((1, input_spec[1], *shape[2:]), generator=torch.Generator().manual_seed(0)) * 2 - 1)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits (N, K, *spatial) of an image (N, C, *spatial) of the task."""
        x = image if self._is_scaled else self.scale_intensity(image)
        x = x if self.network_axes is None else self.network_axes.to_network(x)
        size = x.shape[2:]
        x = self._pad(x)
        logits = self._run(x)
        if self._checks_left and bool(image.any()):  # zeros are a dry forward's
            self._check(logits, x)
        if self.takes_logarithm:
            logits = log_probabilities(logits if self.scale == 1 else logits / self.scale)
        for axis, edge in enumerate(size, start=2):
            logits = logits.narrow(axis, 0, edge)
        logits = logits if self.network_axes is None else self.network_axes.from_network(logits)
        if logits.shape[1] == 1:
            logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
        return logits if self.classes is None else self._merge_channels(logits, self.classes)

    def scale_intensity(self, image: Tensor) -> Tensor:
        """Return the channels (N, channels, *spatial) that the network takes, on its scale, of an image of the task."""
        x = image if self.channels is None else image[:, self.channels]
        return x if self.intensity is None else self.intensity(x)

    @property
    def scales_by_image(self) -> bool:
        """Whether the scale of the intensities depends on the image that is passed in."""
        return self.intensity is not None and self.intensity.depends_on_image

    @contextmanager
    def scaled_before(self) -> Iterator[None]:
        """Within, images are those that `scale_intensity` returned, or windows of them."""
        self._is_scaled = True
        try:
            yield
        finally:
            self._is_scaled = False

    def _run(self, x: Tensor) -> Tensor:
        """Return the output (N, channels, *spatial) that is taken, for an image of the network."""
        return select_output(self.network(x), x.shape[2:], self.source, self._channels)

    @torch.no_grad()
    def _check(self, values: Tensor, x: Tensor) -> None:
        """Check that the outputs are what `output` says; of "detect", see whether the logarithm is to be taken."""
        self._checks_left -= 1
        scale = probability_scale(values, self.network, self._run, x, f"--teacher {self.source}")
        if scale is not None and self.output == "auto":
            times = "" if scale == 1 else f" times {scale:g}"
            raise ValueError(
                f"--teacher {self.source}: found probabilities (of a softmax or sigmoid){times}, expected logits: give "
                "--teacher_output probabilities, which takes their logarithm (--teacher_output logits if they are logits)"
            )
        if scale is None and self.output == "probabilities":
            raise ValueError(
                f"--teacher {self.source}: found values of {values.min():.3g} to {values.max():.3g}, expected probabilities as "
                "--teacher_output says: leave it out for logits"
            )
        if scale is not None and self.output != "logits":
            self.takes_logarithm, self.scale = True, scale

    def _pad(self, x: Tensor) -> Tensor:
        if self.multiple is None:
            return x
        padding = [-edge % factor for edge, factor in zip(x.shape[2:], self.multiple, strict=True)]
        pairs = [number for extra in reversed(padding) for number in (0, extra)]
        return F.pad(x, pairs, mode="replicate") if any(padding) else x

    def _merge_channels(self, logits: Tensor, classes: Sequence[int]) -> Tensor:
        merged = []
        for k in range(self.num_classes):
            channels = [channel for channel, class_ in enumerate(classes) if class_ == k]
            if len(channels) > 1:
                merged.append(torch.logsumexp(logits[:, channels].float(), dim=1))
            else:
                merged.append(logits[:, channels[0]].float())
        return torch.stack(merged, dim=1)

    def default_taps(self) -> dict[str, tuple[str, ...]]:
        """Return the taps that the network names by itself; none if it names none."""
        default_taps = getattr(self.network, "default_taps", None)
        if not callable(default_taps):
            return {}
        return {
            role: tuple(f"network.{name}" for name in names)
            for role, names in default_taps().items()
            if role != "maps" or self.classes is None  # deep-supervision logits are those of the network's own classes
        }

    def extra_repr(self) -> str:
        """Return the settings, which also tell the cached soft labels of two such teachers apart."""
        axes = "" if self.network_axes is None else f", axes={self.network_axes.axcodes}"
        channels = "" if self.channels is None else f", channels={self.channels}"
        log = ", log" if self.takes_logarithm else ""
        log += f" of 1/{self.scale:g}" if self.scale != 1 else ""
        return f"{self.code}, classes={self.classes}, intensity={self.intensity}, multiple={self.multiple}{axes}{channels}{log}"


def _dry_shape(teacher: TeacherAdapter, source: str) -> torch.Size:
    """Return the shape (1, channels, *spatial) of the outputs for the smallest image that the network takes."""
    try:
        return FeatureTaps(teacher).shapes.logits.shape
    except OutputError as error:
        raise ValueError(f"--teacher {error}") from None
    except ValueError as error:
        reason = str(error.__cause__ or error).strip().splitlines()
        raise ValueError(
            f"--teacher {source} does not take the task's images: {reason[-1] if reason else error}"
        ) from None


def _check_classes(classes: Sequence[int] | None, channels: int, num_classes: int, source: str) -> tuple[int, ...]:
    option = "--teacher_classes"
    if classes is None:
        example = [min(channel, num_classes - 1) for channel in range(channels)]
        raise ValueError(
            f"--teacher {source}: found {channels} channels, expected the {num_classes} classes of the task: name the class "
            f'of each channel, for example {option} "{example}"'
        )
    valid = range(num_classes)
    if len(classes) != channels or any(isinstance(k, bool) or k not in valid for k in classes):
        raise ValueError(
            f"{option}: found {list(classes)}, expected {channels} classes of 0 to {num_classes - 1}, one for each channel "
            f"of {source}"
        )
    if missing := set(valid) - set(classes):
        raise ValueError(f"{option}: found {list(classes)}, expected a channel of {source} for class {min(missing)}")
    return tuple(classes)
