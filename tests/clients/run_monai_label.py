"""Run MONAI Label's own app `monaibundle` on packed bundles: python run_monai_label.py APP WORK BUNDLE IMAGE OUTPUT ...

It runs where MONAI Label is installed, and medkd is not. APP is the folder of the sample app.
"""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import torch

# torchvision's compiled operators need CUDA's libraries; MONAI Label imports torchvision for two functions in Python
OPERATORS = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    OPERATORS.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def load_app(folder: Path):
    """Return the module of the app."""
    spec = importlib.util.spec_from_file_location("monaibundle", folder / "main.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(app_folder: Path, work: Path, jobs: list[tuple[Path, Path, Path]]) -> None:
    """Infer each image by the bundle beside it, as the server does, and print what the app offers."""
    app_folder = Path(shutil.copytree(app_folder, work / "app", dirs_exist_ok=True))
    studies = work / "studies"
    studies.mkdir()
    models = {bundle.name: bundle for bundle, _, _ in jobs}
    for name, bundle in models.items():
        shutil.copytree(bundle, app_folder / "model" / name)
    for _, image, _ in jobs:
        shutil.copy(image, studies)
    conf = {"models": ",".join(models), "zoo_source": "local", "sam2": "false"}
    app = load_app(app_folder).MyApp(str(app_folder), str(studies), conf)
    for bundle, image, output in jobs:
        suffix = ".nii.gz" if image.name.endswith(".nii.gz") else image.suffix
        request = {"model": bundle.name, "image": image.name.removesuffix(suffix), "device": "cpu"}
        result = app.infer(request)
        output.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(result["file"], output)
        print("LABELS", json.dumps(result["params"]["label_names"]))
    print("TRAINERS", json.dumps(sorted(app.info()["trainers"])))


if __name__ == "__main__":
    assert importlib.util.find_spec("medkd") is None, "medkd is installed: the bundle would not be tested alone"
    paths = [Path(word).absolute() for word in sys.argv[3:]]
    main(Path(sys.argv[1]), Path(sys.argv[2]), list(zip(paths[::3], paths[1::3], paths[2::3], strict=True)))
