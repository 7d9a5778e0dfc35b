"""Plans and weights of nnU-Nets for the tests of this package."""

import json
from pathlib import Path

import numpy as np
import torch

# The networks of dynamic-network-architectures 0.4.4: all names and shapes, and outputs for weights by `make_weights`.
FACTS = json.loads((Path(__file__).parent / "nnunet_facts.json").read_text())


def plan_of(fact):
    name = f"dynamic_network_architectures.architectures.unet.{fact['kind']}"
    return {"architecture": {"network_class_name": name, "arch_kwargs": fact["arch_kwargs"], "_kw_requires_import": []}}


def is_second_name(key):
    return ".all_modules." in key or key.startswith("decoder.encoder.")


def make_weights(shapes):
    """Weights that need no file: a sine over each tensor, by its index in the sorted names."""
    weights = {}
    for i, (name, shape) in enumerate(sorted(shapes.items())):
        count = int(np.prod(shape))
        wave = torch.sin(torch.arange(count, dtype=torch.float64) * 0.7 + i) / max(1, count / shape[0]) ** 0.5
        weights[name] = (wave + name.endswith("norm.weight")).float().reshape(shape)
    return weights


def edit_json(file, edit):
    content = json.loads(file.read_text())
    edit(content)
    file.write_text(json.dumps(content))


def edit_checkpoint(folder, edit):
    file = folder / "fold_0/checkpoint_final.pth"
    content = torch.load(file, weights_only=False)
    edit(content)
    torch.save(content, file)
