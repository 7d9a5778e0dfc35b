"""Segment one scan by nnU-Net v2's predictor: `nnunet_infer.py REPORT.json JOB.json` (used by `inference.py`).

It runs under the Python of an environment with nnU-Net. Network, patch, spacing, overlap and weights of windows are those of
medkd; the network is TorchScript. Reading, normalisation, resampling (spline of third order for images, linear for logits)
and writing are nnU-Net's defaults. Mirroring, which would make the network eight times as much work, is off.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from nnunetv2.inference import predict_from_raw_data
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from watch import Watch


def main() -> None:
    """Predict and write the report."""
    report, job = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
    watch = Watch()
    labels = {"background": 0, **{f"class_{value}": value for value in range(1, job["num_classes"])}}
    dataset = {"channel_names": {"0": "CT"}, "labels": labels, "file_ending": ".nii.gz", "numTraining": 1}
    plans = PlansManager(_plans(job))
    network = torch.jit.load(job["torchscript"]).eval()
    predictor = nnUNetPredictor(
        tile_step_size=1 - job["overlap"],
        use_gaussian=True,
        use_mirroring=False,
        perform_everything_on_device=False,
        device=torch.device("cpu"),
        allow_tqdm=False,
    )
    configuration = plans.get_configuration("3d_fullres")
    predictor.manual_initialization(
        _Network(watch, network), plans, configuration, [network.state_dict()], dataset, "medkd", None
    )
    # the same weights for every fold are loaded before each prediction
    DefaultPreprocessor.run_case = watch.part("reading", DefaultPreprocessor.run_case)
    name = "export_prediction_from_logits"
    setattr(predict_from_raw_data, name, watch.part("writing", getattr(predict_from_raw_data, name)))
    output = Path(job["output"])
    output.mkdir(parents=True, exist_ok=True)

    def infer() -> None:
        predictor.predict_from_files_sequential([[job["scan"]]], [str(output / "scan")])

    watch.run(infer)()
    watch.write(report, version=version("nnunetv2"))


class _Network(torch.nn.Module):
    """A network whose forward is measured; nnU-Net loads its weights."""

    def __init__(self, watch: Watch, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network
        self.forward = watch.call(network)

    def load_state_dict(self, weights: dict[str, torch.Tensor], strict: bool = True, assign: bool = False) -> Any:
        return self.network.load_state_dict(weights, strict)


def _plans(job: dict[str, Any]) -> dict[str, Any]:
    """Return plans as nnU-Net's planner writes them, as far as inference reads them."""
    low, high = job["window"]
    # its CT normalisation with these values is medkd's window: clipped, then -1 to 1
    intensities = {
        "percentile_00_5": low,
        "percentile_99_5": high,
        "mean": (low + high) / 2,
        "std": (high - low) / 2,
    }
    resampling = {"is_seg": False, "order_z": 0, "force_separate_z": None}
    return {
        "dataset_name": "Dataset001_Benchmark",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": intensities},
        "configurations": {
            "3d_fullres": {
                "data_identifier": "nnUNetPlans_3d_fullres",
                "preprocessor_name": "DefaultPreprocessor",
                "patch_size": job["patch"],
                "spacing": job["spacing"],
                "normalization_schemes": ["CTNormalization"],
                "use_mask_for_norm": [False],
                "resampling_fn_data": "resample_data_or_seg_to_shape",
                "resampling_fn_seg": "resample_data_or_seg_to_shape",
                "resampling_fn_data_kwargs": {**resampling, "order": 3},
                "resampling_fn_seg_kwargs": {**resampling, "is_seg": True, "order": 1},
                "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
                "resampling_fn_probabilities_kwargs": {**resampling, "order": 1},
                "batch_dice": False,
                "architecture": {"network_class_name": "", "arch_kwargs": {}, "_kw_requires_import": []},
            }
        },
    }


if __name__ == "__main__":
    main()
