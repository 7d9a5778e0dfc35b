"""What an external network returns: which of its outputs is taken, and whether that one is logits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from medkd.networks.features import OutputError

__all__ = ["OutputKind", "check_kind", "log_probabilities", "probability_scale", "select_output"]

# What a user says of a network's outputs; "detect" is for members of an ensemble, of which each may be either.
OutputKind = Literal["auto", "logits", "probabilities", "detect"]
_KEYS = ("logits", "out")  # of Hugging Face and torchvision
_FLOOR = 1e-6  # of a probability, as of an `Ensemble`
_TOLERANCE = 0.01  # half precision, and maps that were resized
_LARGE = 1e6
_LAST = 20  # parameters that are asked
_LEVELS = 16  # different values that scaled labels have at most; quantized logits have more
_USUAL_SCALES = (100.0, 255.0)  # percent and 8 bits
_REACHED = 0.9


def select_output(output: object, size: torch.Size, source: str, channels: Collection[int] = ()) -> Tensor:
    """Return the output that holds the logits: the last one of the image's size.

    BasicUNetPlusPlus returns its final logits last. With deep supervision, they are the only output of full size. Of a
    dictionary, ``logits`` or ``out`` is taken.

    Args:
        output: of the network.
        size: of the image.
        source: name of the network in messages.
        channels: numbers of channels that logits have; outputs with one of these are preferred.

    Raises:
        OutputError: if the output is not a tensor, or several.
        ValueError: if none of them has the image's size.
    """
    if isinstance(output, Mapping):
        key = next((key for key in _KEYS if key in output), None)
        if key is None and len(output) > 1:
            raise OutputError(
                f"{source}: found a dictionary of {', '.join(map(str, output))}, expected logits, under 'logits' or 'out'"
            )
        output = list(output.values()) if key is None else output[key]
    outputs = list(output) if isinstance(output, list | tuple) else [output]
    tensors = [item for item in outputs if isinstance(item, Tensor)]
    if not outputs or len(tensors) < len(outputs):
        raise OutputError(f"{source}: found {type(output).__name__}, expected logits, or a list or tuple of them")
    fitting = [tensor for tensor in tensors if tensor.shape[2:] == size]
    if not fitting:
        last = tensors[-1]
        if last.shape[1:] == size:
            raise OutputError(f"{source}: found a label map {tuple(last.shape)} without channels, expected logits")
        raise ValueError(
            f"{source}: found an output {tuple(last.shape)} for an image of {tuple(size)}, expected its size"
        )
    return next((tensor for tensor in reversed(fitting) if tensor.shape[1] in channels), fitting[-1])


def probability_scale(
    values: Tensor, network: nn.Module, forward: Callable[[Tensor], Tensor], image: Tensor, source: str
) -> float | None:
    """Return what the outputs of a network are divided by to give the probabilities of a softmax or a sigmoid.

    Small logits may lie in 0 to 1 too: see `_is_bounded`.

    Args:
        values: (N, channels, *spatial), outputs of an image.
        network: whose outputs they are.
        forward: calls it: from an image to such outputs.
        image: (N, C, *spatial), that was given to the network.
        source: name of the network in messages.

    Returns:
        1 for probabilities, 255 or another number for scaled ones, None for other outputs.

    Raises:
        ValueError: for NaN, infinity, and labels in place of logits.
    """
    if not values.is_floating_point():
        raise ValueError(f"{source}: found labels ({values.dtype}), expected logits: leave out the argmax")
    values = values.float()
    if not values.isfinite().all():
        raise ValueError(f"{source}: found NaN or infinity in its output, expected logits")
    if bool(values.eq(values.flatten()[0]).all()):
        return None
    if values.eq(values.round()).all():
        raise ValueError(f"{source}: found whole numbers alone (hard labels), expected logits: leave out the argmax")
    levels = values.unique()
    if levels[0] == 0 and len(levels) <= _LEVELS and _are_whole(levels / levels[1]):
        raise ValueError(
            f"{source}: found multiples of {levels[1]:.3g} alone (hard labels), expected logits: leave out the argmax"
        )
    scales = [scale for scale in _scales(values) if not _leaves(values, scale)]
    return next((scale for scale in scales if _is_bounded(network, forward, image, scale)), None)


def _are_whole(values: Tensor) -> bool:
    return bool(((values - values.round()).abs() < _TOLERANCE).all())


def _scales(values: Tensor) -> list[float]:
    """Return what probabilities may have been multiplied by: 1, the sum over channels if it is constant, 100 and 255."""
    total = values.sum(1)
    mean = float(total.mean())
    is_constant = values.shape[1] > 1 and bool(((total - mean).abs() <= _TOLERANCE * mean).all())
    return [1.0, *([float(f"{mean:.3g}")] if is_constant else []), *(_USUAL_SCALES if _leaves(values, 1.0) else ())]


def _leaves(values: Tensor, scale: float) -> bool:
    """Return whether some values are not in 0..scale."""
    return bool(((values < -_TOLERANCE * scale) | (values > (1 + _TOLERANCE) * scale)).any())


def _is_bounded(network: nn.Module, forward: Callable[[Tensor], Tensor], image: Tensor, scale: float) -> bool:
    """Return whether outputs stay in 0..scale whatever feeds the last layers: those of a softmax do, small logits do not.

    One parameter after the other, from the last, is multiplied by a large factor and restored; a network without parameters
    (a frozen script) is given noise of that size. Another scale than 1 must be reached too: logits may be cut at 6.
    """
    highest = 0.0
    for values in _extreme_outputs(network, forward, image):
        if _leaves(values, scale):
            return False
        highest = max(highest, float(values.max()))
    return scale == 1 or highest > _REACHED * scale


def _extreme_outputs(network: nn.Module, forward: Callable[[Tensor], Tensor], image: Tensor) -> Iterator[Tensor]:
    parameters = list(network.parameters())[::-1][:_LAST]
    if not parameters:
        noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0)).to(image)
        yield forward(_LARGE * noise).float()
    for parameter in parameters:
        saved = parameter.detach().clone()
        try:
            parameter.mul_(_LARGE)
            values = forward(image).float()
        finally:
            parameter.copy_(saved)
        yield values


def log_probabilities(values: Tensor) -> Tensor:
    """Return logits for probabilities.

    Args:
        values: (N, K, *spatial) of a softmax, or of sigmoids, which a softmax of the result divides by their sum; or
            (N, 1, *spatial), the probability of the foreground.

    Returns:
        (N, K, *spatial), or (N, 2, *spatial) for one channel.

    Example:
        >>> log_probabilities(torch.tensor([[[[0.25]]]])).softmax(1).flatten()
        tensor([0.7500, 0.2500])
    """
    values = values.float().clamp(_FLOOR, 1 - _FLOOR if values.shape[1] == 1 else 1)
    return torch.cat([1 - values, values], dim=1).log() if values.shape[1] == 1 else values.log()


def check_kind(kind: object) -> OutputKind:
    """Return the value of ``--teacher_output``.

    Raises:
        ValueError: for any other value.
    """
    for name in get_args(OutputKind):
        if kind == name:
            return name
    raise ValueError(f"--teacher_output: found {kind!r}, expected auto, logits or probabilities")
