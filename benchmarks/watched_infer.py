"""Run one `medkd infer` and record its time and memory: `watched_infer.py REPORT.json FORM infer ...`.

FORM is that of a torch network: "eager", "channels_last" or "compile". The time of the network is that of its forward. It is
for the CPU: no GPU is synchronised.
"""

from __future__ import annotations

import sys
from typing import Any

from watch import Watch

from medkd.cli.main import main as medkd
from medkd.deploy.runtime import OnnxModel, command_line, inference, names_onnx, prediction


def watch_onnx(watch: Watch) -> None:
    """Replace the functions of inference without torch by measured ones."""
    command_line.infer, OnnxModel.__call__ = watch.run(command_line.infer), watch.call(OnnxModel.__call__)
    inference.Scan = watch.part("reading", inference.Scan)
    planes = prediction.NUMPY.resize_planes
    prediction.resize = watch.part("resampling", prediction.resize)
    prediction.NUMPY = prediction.NUMPY._replace(resize_planes=watch.part("resampling", planes))
    inference.write_prediction = watch.part("writing", inference.write_prediction)


def watch_torch(watch: Watch, form: str) -> None:
    """Replace the functions of inference with torch by measured ones."""
    import torch

    from medkd import inferers, networks
    from medkd.data import predictions
    from medkd.inferers import case_by_case, volumes

    load = networks.load_weights

    class Watched(torch.nn.Module):
        """A network in a form, whose forward is measured."""

        def __init__(self, network: torch.nn.Module) -> None:
            super().__init__()
            dims = len(next(p for p in network.parameters() if p.ndim > 3).shape) - 2
            last = {2: torch.channels_last, 3: torch.channels_last_3d}[dims]
            self.memory_format = last if form == "channels_last" else torch.contiguous_format
            self.network = network.eval()
            self.call = torch.compile(network, dynamic=False) if form == "compile" else network
            self.is_stored = False

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            if not self.is_stored:  # after medkd has chosen a layout of its own
                self.network.to(memory_format=self.memory_format)
                self.is_stored = True
            plain = image.as_subclass(torch.Tensor)
            return forward(self.call, plain.contiguous(memory_format=self.memory_format))

    forward = watch.call(lambda network, image: network(image))

    def load_watched(*args: Any, **kwargs: Any) -> Any:
        return Watched(load(*args, **kwargs))

    networks.load_weights, inferers.infer_each = load_watched, watch.run(inferers.infer_each)
    case_by_case._read = watch.part("reading", case_by_case._read)
    volumes.TORCH = volumes.TORCH._replace(resize_planes=watch.part("resampling", volumes.TORCH.resize_planes))
    predictions.write_prediction = watch.part("writing", predictions.write_prediction)


def main() -> int:
    """Run the command and write the report; return the exit code."""
    report, form, *arguments = sys.argv[1:]
    watch = Watch()
    if names_onnx(arguments):
        watch_onnx(watch)
    else:
        watch_torch(watch, form)
    code = medkd(arguments)
    if not code:
        watch.write(report, torch="torch" in sys.modules)
    return code


if __name__ == "__main__":
    sys.exit(main())
