"""Run MONAI Deploy's `MonaiBundleInferenceOperator` on packed bundles: python run_monai_deploy.py BUNDLE IMAGE OUTPUT ...

It runs where MONAI Deploy is installed, and medkd is not. The operator runs inside an application of MONAI Deploy, between
one that hands over an image in memory and one that takes the prediction.
"""

import importlib.util
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
from monai.deploy.conditions import CountCondition
from monai.deploy.core import AppContext, Application, Fragment, Image, IOType, Operator, OperatorSpec
from monai.deploy.operators.monai_bundle_inference_operator import IOMapping, MonaiBundleInferenceOperator
from PIL import Image as Picture


class ImageSource(Operator):
    """Hand over an image as MONAI's readers arrange it: (W, H, D), or (W, H, channels) of a picture."""

    def __init__(self, fragment: Fragment, path: Path):
        self.path = path
        super().__init__(fragment, CountCondition(fragment, 1))  # once

    def setup(self, spec: OperatorSpec):
        spec.output("image")

    def compute(self, op_input, op_output, context):
        if self.path.name.endswith(".nii.gz"):
            volume = nib.load(self.path)
            affine = volume.affine
            meta = {"affine": affine, "original_affine": affine.copy(), "space": "RAS", "spacing": np.ones(3)}
            meta |= {"spatial_shape": np.asarray(volume.shape)}
            image = Image(volume.get_fdata(dtype=np.float32), meta)
        else:
            image = Image(np.asarray(Picture.open(self.path).convert("RGB")).swapaxes(0, 1).copy(), {})
        op_output.emit(image, "image")


class LabelSink(Operator):
    """Write the labels that the operator gives, (D, H, W) or (W, H), as an array."""

    def __init__(self, fragment: Fragment, path: Path):
        self.path = path
        super().__init__(fragment)

    def setup(self, spec: OperatorSpec):
        spec.input("pred")

    def compute(self, op_input, op_output, context):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # of volumes, the operator swaps the axes of its output; of pictures it does not
        labels = op_input.receive("pred").asnumpy()
        np.save(self.path, labels.swapaxes(0, 2) if labels.ndim == 3 else labels.swapaxes(0, 1))


class BundleApp(Application):
    """One image through one bundle."""

    def __init__(self, bundle: Path, image: Path, output: Path):
        self.paths = bundle, image, output
        super().__init__(argv=[sys.argv[0]])

    def compose(self):
        bundle, image, output = self.paths
        source, sink = ImageSource(self, image), LabelSink(self, output)
        operator = MonaiBundleInferenceOperator(
            self,
            app_context=AppContext({}),
            input_mapping=[IOMapping("image", Image, IOType.IN_MEMORY)],
            output_mapping=[IOMapping("pred", Image, IOType.IN_MEMORY)],
            bundle_path=bundle,
        )
        self.add_flow(source, operator, {("image", "image")})
        self.add_flow(operator, sink, {("pred", "pred")})


if __name__ == "__main__":
    assert importlib.util.find_spec("medkd") is None, "medkd is installed: the bundle would not be tested alone"
    paths = [Path(word).absolute() for word in sys.argv[1:]]
    for job in zip(paths[::3], paths[1::3], paths[2::3], strict=True):
        BundleApp(*job).run()
        assert job[2].is_file(), f"{job[2]}: the application has written nothing"
