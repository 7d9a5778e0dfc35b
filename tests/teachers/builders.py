"""Small networks and files of teachers for the tests of this package."""

import json

import torch
from monai.networks.nets import UNet as MonaiUNet

from medkd.networks import UNet

WINDOW = (-200, 300)


def make_task_teacher(dims=2, classes=2):
    return UNet(dims, 1, classes, width=2)


def make_monai_unet(dims=2, classes=2):
    return MonaiUNet(dims, 1, classes, (4, 8, 16), (2, 2)).eval()


def save_script(path, network):
    torch.jit.script(network).save(str(path))
    return path


def make_bundle(folder, network, dims=2, classes=2, name="inference.json", transforms=(), **config):
    """A MONAI bundle of a UNet."""
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    definition = {"_target_": "UNet", "spatial_dims": dims, "in_channels": 1, "out_channels": "@classes"}
    definition |= {"channels": [4, 8, 16], "strides": [2, 2]}
    # what nothing but the network reads must not be resolved
    content = {"imports": ["$import os"], "classes": classes, "network_def": definition, "dataset": "$1 / 0"}
    content["preprocessing"] = {"_target_": "Compose", "transforms": list(transforms)}
    (folder / "configs" / name).write_text(json.dumps({**content, **config}))
    torch.save(network.state_dict(), folder / "models/model.pt")
    return folder


RANGE = {"_target_": "ScaleIntensityRanged", "keys": "image", "a_min": "@low", "a_max": 200, "b_min": 0, "b_max": 1}


NORMALIZE = {"_target_": "NormalizeIntensityd", "keys": "image"}


def to_hu(image):
    return (image + 1) * 250 - 200


def turn(image):
    """From axes I, P, L to R, A, S, by hand: all of them the other way about."""
    return image.flip((2, 3, 4)).transpose(2, 4)
