"""Segment one scan as MONAI's bundles do: `monai_infer.py REPORT.json JOB.json` (used by `inference.py`).

The transforms, the inferer and their order are those of `inference.json` of MONAI's model zoo for CT (spleen): logits of the
whole volume, softmax, inverted by `Invertd`, argmax, `SaveImaged`. Windows, weights and numbers at once are those of medkd.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from monai.inferers import SlidingWindowInferer
from monai.transforms import (
    Activationsd,
    AsDiscreted,
    Compose,
    EnsureChannelFirstd,
    EnsureTyped,
    Invertd,
    LoadImaged,
    Orientationd,
    SaveImaged,
    ScaleIntensityRanged,
    Spacingd,
)
from watch import Watch

from medkd.networks import UNet, load_weights


def main() -> None:
    """Predict and write the report."""
    report, job = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
    watch = Watch()
    network = load_weights(UNet(3, 1, job["num_classes"], width=job["width"]), job["weights"]).eval()
    low, high = job["window"]
    preprocessing = Compose(
        [
            _watched(watch, "reading", LoadImaged("image")),
            EnsureChannelFirstd("image"),
            _watched(watch, "reading", Orientationd("image", axcodes="IPL", labels=None)),
            _watched(watch, "resampling", Spacingd("image", pixdim=job["spacing"], mode="bilinear")),
            ScaleIntensityRanged("image", a_min=low, a_max=high, b_min=-1, b_max=1, clip=True),
            EnsureTyped("image"),
        ]
    )
    inferer = SlidingWindowInferer(job["patch"], 2, job["overlap"], mode="gaussian", cval=-1)
    postprocessing = Compose(
        [
            Activationsd("pred", softmax=True),
            _watched(
                watch, "resampling", Invertd("pred", preprocessing, "image", nearest_interp=False, to_tensor=True)
            ),
            AsDiscreted("pred", argmax=True),
            _watched(watch, "writing", SaveImaged("pred", output_dir=job["output"], separate_folder=False)),
        ]
    )
    forward = watch.call(network)

    def infer() -> None:
        with torch.no_grad():
            item = preprocessing({"image": job["scan"]})
            item["pred"] = inferer(item["image"][None], forward)[0]
            postprocessing(item)

    watch.run(infer)()
    watch.write(report)


def _watched(watch: Watch, part: str, transform: object) -> object:
    """Return a transform whose calls are measured; it stays what it is, for `Invertd`."""
    kind = type(transform)
    transform.__class__ = type(kind.__name__, (kind,), {"__call__": watch.part(part, kind.__call__)})
    return transform


if __name__ == "__main__":
    main()
