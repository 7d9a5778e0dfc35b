"""Read a MONAI bundle folder: its network and its weights."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from monai.bundle import ConfigParser
from torch import nn

from medkd.networks.checkpoints import fit_state, weights_file
from medkd.networks.weight_file import read_weights

from .bundle_transforms import read_geometry, read_scaling
from .external import ExternalModel

__all__ = ["bundle_config", "read_bundle"]


def bundle_config(folder: Path) -> Path | None:
    """Return the configuration file that names the network: that of inference, else that of training; None without one."""
    names = [f"{name}.{suffix}" for name in ("inference", "train") for suffix in ("json", "yaml", "yml")]
    return next((file for name in names if (file := folder / "configs" / name).is_file()), None)


def read_bundle(folder: Path) -> ExternalModel:
    """Build ``network_def`` and load ``models/model.pt``.

    A configuration of MONAI executes code: its imports, and what ``network_def`` refers to. Load bundles that you trust.
    The weights are read as tensors alone.

    Raises:
        FileNotFoundError: If the configuration or the weights are missing.
        ValueError: If ``network_def`` is missing or cannot be built, or the weights do not fit it.
    """
    file = bundle_config(folder)
    if file is None:
        raise FileNotFoundError(f"{folder}/configs: no inference or train configuration, expected a MONAI bundle")
    weights = weights_file(folder / "models/model.pt", "teacher")
    try:
        config = ConfigParser.load_config_file(file)
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{file}: not a readable configuration: {' '.join(str(error).split())}") from None
    if "network_def" not in config:
        raise ValueError(f"{file}: no network_def in it")
    network = _build_network(config, folder, file)
    network.load_state_dict(fit_state(network, read_weights(weights, "teacher"), "teacher", weights))
    return ExternalModel(network, f"MONAI bundle {folder}", [read_scaling(config)], read_geometry(config))


def _build_network(config: dict[str, Any], folder: Path, file: Path) -> nn.Module:
    parser = ConfigParser({**config, "bundle_root": str(folder)})
    metadata = folder / "configs/metadata.json"
    if metadata.is_file():
        parser.read_meta(str(metadata))
    with _bundle_modules(folder):
        try:
            network = parser.get_parsed_content("network_def")
        except Exception as error:  # the configuration's own code may raise anything
            reason = " ".join(str(error.__cause__ or error).split())
            raise ValueError(f"{file}: network_def cannot be built: {reason}") from error
    if not isinstance(network, nn.Module):
        raise ValueError(f"{file}: network_def: found {type(network).__name__}, expected a network")
    return network


@contextmanager
def _bundle_modules(folder: Path) -> Iterator[None]:
    """Put the folder first on the import path, and hide its modules from others afterwards.

    Every bundle's code is called ``scripts``: without this, the second bundle would run the code of the first.
    """
    root = folder.resolve()
    files = [file.relative_to(root) for pattern in ("*.py", "*/*.py", "*/*/*.py") for file in root.glob(pattern)]
    names = {file.parts[0].removesuffix(".py") for file in files}

    def pop_modules() -> dict[str, ModuleType]:
        return {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in names}

    others = pop_modules()
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        sys.path.remove(str(root))
        pop_modules()
        sys.modules.update(others)
