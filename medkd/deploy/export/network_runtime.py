"""A trained network in a faster form for inference: compiled by torch, or in a runtime of ONNX files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from medkd.deploy.runtime.runtimes import RUNTIMES
from medkd.networks import input_spec, required_multiple

from .exporting import check_packages
from .formats import quiet, to_onnx

__all__ = ["TORCH_RUNTIMES", "network_in_runtime"]

TORCH_RUNTIMES = ("torch", "compile", *RUNTIMES)
_TOLERANCE = 1e-5


def network_in_runtime(network: nn.Module, runtime: str, size: Sequence[int]) -> nn.Module:
    """Return a network in another form; the network itself, with a note, where that form answers otherwise.

    Args:
        network: images ``(N, C, *spatial)`` to logits, on its device.
        runtime: "compile", "onnxruntime" or "openvino"; "torch" is the network itself.
        size: of the window with which both are compared: the largest difference of probabilities may be 1e-5.

    Raises:
        ValueError: for a runtime that is not known, not installed or not for this device, and if it refuses the network.
    """
    if runtime not in TORCH_RUNTIMES:
        raise ValueError(f"--runtime: found {runtime}, expected {', '.join(TORCH_RUNTIMES)}")
    network.eval()
    if runtime == "torch":
        return network
    window = _window(network, size)
    with torch.inference_mode():
        expected = network(window).softmax(1)
        faster = _CompiledNetwork(network) if runtime == "compile" else _RuntimeNetwork(network, runtime)
        difference = float((faster(window).softmax(1) - expected).abs().max())
    if difference <= _TOLERANCE:
        return faster
    print(
        f"note: --runtime {runtime}: found probabilities that differ by {difference:.1e}, expected at most {_TOLERANCE:.0e}: "
        "the network runs in plain torch",
        flush=True,
    )
    return network


class _RuntimeNetwork(nn.Module):
    """A network in a runtime of ONNX files, on the CPU.

    Args:
        network: images to logits.
        runtime: its name in `RUNTIMES`.
    """

    def __init__(self, network: nn.Module, runtime: str) -> None:
        super().__init__()
        check_packages(f"--runtime {runtime}", ("onnx", "onnxscript", runtime))
        device = next(network.parameters()).device
        if device.type != "cpu":
            raise ValueError(f"--runtime {runtime}: found the device {device}, expected --device cpu")
        import onnx

        dims, channels = input_spec(network)
        with TemporaryDirectory() as folder:
            path = Path(folder, "network.onnx")
            onnx.save(to_onnx(network, channels, dims, required_multiple(network)), path)
            self._session = RUNTIMES[runtime].open(path, None, "cpu", "float32")

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of images ``(N, C, *spatial)``."""
        return torch.from_numpy(self._session.run(images.as_subclass(Tensor).contiguous().numpy()))


class _CompiledNetwork(nn.Module):
    """A network compiled by torch for each size of its input.

    Args:
        network: images to logits.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._compiled = torch.compile(network, dynamic=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of images ``(N, C, *spatial)``."""
        try:
            with quiet():
                return self._compiled(images.as_subclass(Tensor))
        except Exception as error:  # of the compiler, or of torch's tracing
            reason = " ".join(str(error).split())[:120]
            raise ValueError(f"--runtime compile: torch.compile stopped ({reason}): write --runtime torch") from error


def _window(network: nn.Module, size: Sequence[int]) -> Tensor:
    """Return one window of random values, on the device of the network."""
    channels = input_spec(network)[1]
    values = torch.rand((1, channels, *size), generator=torch.Generator().manual_seed(0)) * 2 - 1
    return values.to(next(network.parameters()).device)
