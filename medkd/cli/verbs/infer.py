"""`medkd infer`: predict the labels of images."""

from __future__ import annotations

from medkd.configs.bundles import BUNDLES
from medkd.configs.option import Option

from ..bundle_verbs import run_command
from ..verb import MODE, MODEL_ROLE, OVERLAY, Command, Verb

__all__ = ["VERB"]

_REQUIRED = ("input", "model", "output_dir")


def _run(command: Command) -> None:
    if command.options.keys() & {"dicom_seg", "dicom_codes"}:
        from medkd.io.label_format import check_format_options  # imports numpy: other refusals do not wait for it

        check_format_options(command.options)
    if command.settings["runtime"] != "torch":
        command.options["runtime"] = command.settings["runtime"]
        command.settings["overlay"] = [str(_RUNTIME_OVERLAY), *command.settings["overlay"]]
    run_command(command, _REQUIRED)


_RUNTIME_OVERLAY = BUNDLES / "overlays/runtime.yaml"
_RUNTIME = Option(
    "runtime",
    "text",
    "Form of the network: plain torch, compiled, or in a runtime of ONNX files. Another form than torch must give its "
    "probabilities to 1e-5.",
    default="torch",
    choices=("torch", "compile", "onnxruntime", "openvino"),
)
VERB = Verb(
    "infer",
    "Predict the labels of an image or a folder of images (--input PATH) with a model (--model PATH).",
    _run,
    (MODEL_ROLE, MODE, _RUNTIME, OVERLAY),
    task="recorded",
    required=_REQUIRED,
    options="config",
    notes="The task may be omitted if the record of the model names it. A model exported as FILE.onnx needs "
    "neither a task nor torch: medkd infer --model FILE.onnx --help.",
)
