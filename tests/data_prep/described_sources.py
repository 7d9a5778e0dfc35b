"""Tiny nnU-Net raw data sets and Decathlon tasks, as their documentation has them."""

import json
import shutil

import numpy as np

from .own_volumes import make_mr, save

MRI = {"0": "MRI"}
V1_LABELS = {"0": "background", "1": "Anterior", "2": "Posterior"}
V2_LABELS = {"background": 0, "Anterior": 1, "Posterior": 2}


def write_json(path, content, encoding="utf-8"):
    """Write an object, or a text that is no JSON, and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    path.write_text(text, encoding=encoding)
    return path


def write_case(folder, images, label, seed=0):
    """Write one case: several images are channels (the last ones smoothed), one whose name has ``4d`` in it holds both."""
    image, mask = make_mr(seed)
    other = (image * 0.5 + 3).astype(np.float32)
    for number, name in enumerate(images):
        array = np.stack([image, other], axis=-1) if "4d" in name else (image, other)[number % 2]
        save(folder / name, array)
    if label:
        save(folder / label, mask)


def nnunet(root, count=5, channels=1, ending=".nii.gz", name="Dataset004_Hippocampus", files=True, **content):
    """Write a data set of nnU-Net v2 with cases hc_0, hc_1, ... and return its folder; None removes a key."""
    folder = root / name
    for number in range(count if files else 0):
        images = [f"imagesTr/hc_{number}_{channel:04}{ending}" for channel in range(channels)]
        write_case(folder, images, f"labelsTr/hc_{number}{ending}", number)
    names = dict(zip("01", ("MRI", "smoothed"), strict=True)) if channels == 2 else MRI
    written = {"channel_names": names, "labels": V2_LABELS, "numTraining": count, "file_ending": ending} | content
    write_json(folder / "dataset.json", {key: value for key, value in written.items() if value is not None})
    return folder


def decathlon(root, count=5, name="Task04_Hippocampus", files=True, **content):
    """Write a task of the Decathlon with cases hc_0, hc_1, ... and return its folder; None removes a key."""
    folder = root / name
    names = [f"hc_{number}.nii.gz" for number in range(count)]
    for number, file in enumerate(names if files else []):
        write_case(folder, [f"imagesTr/{file}"], f"labelsTr/{file}", number)
    written = {
        "name": "Hippocampus",
        "tensorImageSize": "3D",
        "modality": MRI,
        "labels": V1_LABELS,
        "numTraining": count,
        "numTest": 2,
        "training": [{"image": f"./imagesTr/{file}", "label": f"./labelsTr/{file}"} for file in names],
        "test": ["./imagesTs/hc_90.nii.gz", "./imagesTs/hc_91.nii.gz"],
    } | content
    write_json(folder / "dataset.json", {key: value for key, value in written.items() if value is not None})
    return folder


def copy_case(folder, new, old="hc_0", images="imagesTr", labels="labelsTr"):
    """Copy the files of a case to another name; None for labels copies the image alone."""
    for source, target in ((folder / "imagesTr", images), (folder / "labelsTr", labels)):
        for path in sorted(source.glob(f"{old}*")) if target else []:
            (folder / target).mkdir(exist_ok=True)
            shutil.copy(path, folder / target / path.name.replace(old, new))
