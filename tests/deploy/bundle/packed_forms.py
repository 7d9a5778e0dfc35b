"""The forms in which bundles are packed here, and a process without medkd."""

import functools

import torch

from medkd.networks import ResNetFCN, UNet

# A process in which medkd cannot be imported, whatever is installed.
WITHOUT_MEDKD = "import sys, warnings\nsys.modules['medkd'] = None\nwarnings.simplefilter('ignore')\n"
CT = ["--target", "tumour", "--window", "[-200,300]"]
OWN = ["--target", "all", "--window", "[-200,300]", "--classes", "{1:'kidney',2:'tumour'}", "--per_case", "False"]
SLICES = ["--image_size", "[32,32]"]
VOLUMES = ["--patch_size", "[16,32,32]", "--spacing", "[2.5,1.0,1.0]"]
# task and mode: the network, and what nobody recorded of it
FORMS = {
    ("kits19", "2d"): (functools.partial(ResNetFCN, 2, 1, 2), [*CT, *SLICES]),
    ("kits19", "3d"): (functools.partial(UNet, 3, 1, 2), [*CT, *VOLUMES]),
    ("lits", "2d"): (functools.partial(ResNetFCN, 2, 1, 2), [*CT, *SLICES]),
    ("nifti", "2d"): (functools.partial(UNet, 2, 1, 3), [*OWN, *SLICES]),
    ("nifti", "3d"): (functools.partial(UNet, 3, 1, 3), [*OWN, *VOLUMES]),
    ("cvc_endoscene", "2d"): (functools.partial(UNet, 2, 3, 2), SLICES),
    ("isic2018", "2d"): (functools.partial(UNet, 2, 3, 2), SLICES),
    ("idrid", "2d"): (functools.partial(UNet, 2, 3, 2), SLICES),
}


def scribbler(network: torch.nn.Module) -> torch.nn.Module:
    """Biased so that each class wins in many places of an image of soft tissue and air."""
    dims = network.head.weight.ndim - 2
    network.eval()
    with torch.no_grad():
        image = torch.randn(2, network.in_channels, *(32,) * dims) / 10
        image[..., :16] = -1
        logits = network(image)
        network.head.bias -= logits.transpose(0, 1).flatten(1).median(dim=1).values
    return network


# Runs commands of `python -m monai.bundle`, one after the other.
RUN = """
import runpy
for words in eval(sys.argv[1]):
    sys.argv = ["monai.bundle", *words]
    runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)
"""
