"""`medkd infer` on the CPU without MONAI, whose import takes longer than many predictions.

The images, the windows, the network and the files written are those of the bundle's `inference.yaml`. What that cannot do goes
through MONAI: another device, role or form of the network, an overlay, and ids of the configuration that are no plain options.
"""

from __future__ import annotations

from pathlib import Path

import torch

import medkd.data
import medkd.runs
from medkd.configs.bundles import BUNDLES
from medkd.configs.ids import is_expression
from medkd.configs.merge import merge_files
from medkd.configs.own_values import OwnValues
from medkd.configs.table import option_of
from medkd.deploy.describe import describe
from medkd.deploy.runtime.inference import Components, infer
from medkd.deploy.torch_model import TorchModel
from medkd.io import LabelFormat, check_windows
from medkd.runs.record import check_model

from .first_step import check_command
from .workflow import BundleRun

__all__ = ["infer_directly", "is_direct"]

_OF_WORKFLOW = ("meta_file", "logging_file", "bundle_root")  # arguments that `compose` adds
_BATCHES = {"slices": "slice_batch", "volumes": "window_batch"}


def is_direct(run: BundleRun) -> bool:
    """Return whether `infer_directly` does the same as a run of MONAI's workflow."""
    own = [path for path in map(Path, run.files) if BUNDLES.resolve() in path.resolve().parents]
    has_overlay = len(own) < len(run.files) or any(path.name == "runtime.yaml" for path in own)
    options = {name: value for name, value in run.options.items() if name not in _OF_WORKFLOW}
    are_plain = all(
        option_of(name) is not None and (value == "$None" or not is_expression(value))
        for name, value in options.items()
    )
    device = run.options.get("device") or ("cuda" if torch.cuda.is_available() else "cpu")
    return device == "cpu" and are_plain and not has_overlay


def infer_directly(run: BundleRun) -> None:
    """Predict the cases of a run.

    Raises:
        ValueError: for a model that was trained with other values, and see `medkd.deploy.runtime.infer`.
    """
    command = check_command()
    config = merge_files(run.files)
    values = OwnValues(config, run.options, {"torch": torch, "data": medkd.data, "runs": medkd.runs})
    check_model(values["model"], **values["trained_with"])
    task = Path(run.options["bundle_root"]).name
    channels = values["num_channels"] if "num_channels" in config else 3
    spec = describe(task, config.keys(), values.__getitem__, channels, multiple=1)
    is_scan = spec.kind != "pictures"
    if is_scan:
        check_windows(values["window"], values["channels"])
    infer(
        TorchModel(values["model"], spec, values["network"]),
        values["input"],
        values["output_dir"],
        values["save_probabilities"],
        batch=values[_BATCHES[spec.kind]] if is_scan else None,
        components=Components(values["largest_component"], values["min_volume"]),
        label_format=values["label_format"] if is_scan else LabelFormat(spec.classes),
        resample_channels=values["resample_channels"] if is_scan else False,
        recorded=command,
    )
