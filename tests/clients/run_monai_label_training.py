"""Train packed bundles by MONAI Label's own app `monaibundle`: python run_monai_label_training.py APP WORK PACKAGES JOB ...

APP is the folder of the sample app. PACKAGES is a folder in which medkd is installed, or "-": then there is none. JOB is a
folder with a packed bundle (``NAME_segmentation``) and the studies of a server: images, and in ``labels/final`` their labels.
"""

import importlib.util
import json
import shutil
import site
import sys
import traceback
from pathlib import Path

from run_monai_label import load_app


def main(app_folder: Path, work: Path, jobs: list[Path]) -> None:
    """Train each bundle on its studies for an epoch, then infer an image by it, as the server does."""
    for job in jobs:
        bundle = next(job.glob("*_segmentation"))
        folder = Path(shutil.copytree(app_folder, work / job.name))
        (folder / "model").mkdir()
        bundle = Path(shutil.copytree(bundle, folder / "model" / bundle.name))
        conf = {"models": bundle.name, "zoo_source": "local", "sam2": "false"}
        app = load_app(folder).MyApp(str(folder), str(job / "studies"), conf)
        print("TRAINERS", json.dumps(sorted(app.info()["trainers"])))
        for _ in range(2):  # a server trains again when there are more labels
            try:
                app.train({"model": bundle.name, "device": "cpu", "max_epochs": 1, "val_split": 0.4})
            except SystemExit as error:
                print("STOPPED", error)
                break
        # the server keeps a list of its studies there
        files = [path for path in (job / "studies").iterdir() if path.is_file() and path.suffix != ".json"]
        image = min(path.name for path in files if path.name[0] not in "._")
        suffix = "".join(Path(image).suffixes)
        if suffix == ".jpg":
            suffix = ".png"  # the server would write a label as JPEG
        request = {"model": bundle.name, "image": image.partition(".")[0], "device": "cpu", "result_extension": suffix}
        shutil.move(app.infer(request)["file"], job / f"inferred{suffix}")
        print("TRAINED", json.dumps(str(bundle)))


if __name__ == "__main__":
    if sys.argv[3] == "-":
        assert importlib.util.find_spec("medkd") is None, "medkd is installed: its lack would not be tested"
    else:
        site.addsitedir(sys.argv[3])
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]), [Path(word).absolute() for word in sys.argv[4:]])
    except Exception:
        traceback.print_exc()
        raise
