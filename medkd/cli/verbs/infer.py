"""`medkd infer`: predict the labels of images."""

from __future__ import annotations

from medkd.configs.bundles import BUNDLES
from medkd.configs.option import Option
from medkd.startup import import_at_rest

from ..bundle_verbs import compose_checked
from ..verb import MODE, MODEL_ROLE, OVERLAY, Command, Verb
from ..workflow import run_bundle, run_workflow

__all__ = ["VERB"]

_REQUIRED = ("input", "model", "output_dir")


def _run(command: Command) -> None:
    if command.options.keys() & {"dicom_seg", "dicom_codes"}:
        from medkd.io.label_format import check_format_options  # imports numpy: other refusals do not wait for it

        check_format_options(command.options)
    if command.settings["runtime"] != "torch":
        command.options["runtime"] = command.settings["runtime"]
        command.settings["overlay"] = [str(_RUNTIME_OVERLAY), *command.settings["overlay"]]
    run = compose_checked(command, _REQUIRED)
    direct = import_at_rest("medkd.cli.direct_inference")  # imports torch: refusals do not wait for it
    run_bundle(run, work=direct.infer_directly if direct.is_direct(run) else run_workflow)


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
