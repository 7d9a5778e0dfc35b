"""Run one `medkd infer` and record its time and memory: `watched_infer.py REPORT.json FORM infer ...`.

FORM is that of a torch network: "eager", "channels_last" or "compile". The time of the network is that of its forward. It is
for the CPU: no GPU is synchronised.
"""

from __future__ import annotations

import sys
from typing import Any

from watch import Watch

from medkd.cli.main import main as medkd
from medkd.deploy.runtime import OnnxModel, command_line, inference, names_onnx


def watch_pipeline(watch: Watch, caller: Any, model: Any) -> None:
    """Replace the functions around a kind of model, and the loop that ``caller`` runs, by measured ones."""
    caller.infer, model.__call__ = watch.run(caller.infer), watch.call(model.__call__)
    inference.Scan = watch.part("reading", inference.Scan)
    arrays = model.arrays
    backend = arrays.backend._replace(resize_planes=watch.part("resampling", arrays.backend.resize_planes))
    model.arrays = arrays._replace(resize=watch.part("resampling", arrays.resize), backend=backend)
    inference.write_prediction = watch.part("writing", inference.write_prediction)


def watch_torch(watch: Watch, form: str) -> None:
    """Replace the functions of inference with torch by measured ones, and store the network in a form."""
    import torch

    from medkd.cli import direct_inference
    from medkd.deploy.torch_model import TorchModel

    class InForm(TorchModel):
        """A network in a form, in the place of the layout that medkd chooses."""

        def __init__(self, path: Any, description: Any, network: torch.nn.Module) -> None:
            super().__init__(path, description, network)
            dims = len(next(p for p in network.parameters() if p.ndim > 3).shape) - 2
            last = {2: torch.channels_last, 3: torch.channels_last_3d}[dims]
            self.memory_format = last if form == "channels_last" else torch.contiguous_format
            self._network = self._network.to(memory_format=self.memory_format)
            if form == "compile":
                self._network = torch.compile(self._network, dynamic=False)

        def __call__(self, images: torch.Tensor) -> torch.Tensor:
            return super().__call__(images.contiguous(memory_format=self.memory_format))

    direct_inference.TorchModel = InForm
    watch_pipeline(watch, direct_inference, InForm)


def main() -> int:
    """Run the command and write the report; return the exit code."""
    report, form, *arguments = sys.argv[1:]
    watch = Watch()
    if names_onnx(arguments):
        watch_pipeline(watch, command_line, OnnxModel)
    else:
        watch_torch(watch, form)
    code = medkd(arguments)
    if not code:
        watch.write(report, torch="torch" in sys.modules)
    return code


if __name__ == "__main__":
    sys.exit(main())
