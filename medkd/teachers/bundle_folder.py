"""The network of a MONAI bundle folder, with its weights and the intensity range of its images."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import yaml
from monai.bundle import ConfigParser
from torch import nn

from medkd.networks.checkpoints import check_fit, read_weights, weights_file

from .bundle_transforms import geometry_of, scaling_of
from .geometry import Geometry
from .intensity import Linear

__all__ = ["BundleModel", "bundle_config", "read_bundle"]

# What ignite's checkpoints call the network when they hold more than it.
_KEYS = ("model", "network", "net", "state_dict")


class BundleModel(NamedTuple):
    """A bundle's network with its weights."""

    network: nn.Module
    scaling: Linear | None
    """The range that its preprocessing scales; None where that is not known."""
    geometry: Geometry
    """What its preprocessing says of axes and spacing."""


def bundle_config(folder: Path) -> Path | None:
    """The configuration that a bundle's network is taken from: of inference, else of training."""
    names = [f"{name}.{suffix}" for name in ("inference", "train") for suffix in ("json", "yaml", "yml")]
    return next((file for name in names if (file := folder / "configs" / name).is_file()), None)


def read_bundle(folder: Path) -> BundleModel:
    """Builds ``network_def`` and loads ``models/model.pt``.

    A configuration of MONAI executes code: its imports, and what ``network_def`` refers to. Load bundles that you trust. (The
    weights are read as tensors alone.)

    Raises:
        FileNotFoundError: without a configuration or weights.
        ValueError: for a configuration without ``network_def``, one that cannot be built, or weights that do not fit it.
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
    network = _network(config, folder, file)
    state = read_weights(weights, "teacher")
    if isinstance(state, dict) and (key := next((k for k in _KEYS if isinstance(state.get(k), Mapping)), None)):
        state = dict(state[key])
    check_fit(network, state, f"teacher {weights}")
    network.load_state_dict(state)
    return BundleModel(network, scaling_of(config), geometry_of(config))


def _network(config: dict[str, Any], folder: Path, file: Path) -> nn.Module:
    """What a bundle runs with: its own folder on the path, for networks in its ``scripts``."""
    parser = ConfigParser({**config, "bundle_root": str(folder)})
    metadata = folder / "configs/metadata.json"
    if metadata.is_file():
        parser.read_meta(str(metadata))
    with _own_modules(folder):
        try:
            network = parser.get_parsed_content("network_def")
        except Exception as error:  # whatever the configuration's own code raises
            reason = " ".join(str(error.__cause__ or error).split())
            raise ValueError(f"{file}: network_def cannot be built: {reason}") from error
    if not isinstance(network, nn.Module):
        raise ValueError(f"{file}: network_def is {type(network).__name__}, expected a network")
    return network


@contextmanager
def _own_modules(folder: Path) -> Iterator[None]:
    """The folder is first on the path; its modules are known inside alone: each bundle's code is called ``scripts``."""
    root = folder.resolve()
    files = [file.relative_to(root) for pattern in ("*.py", "*/*.py", "*/*/*.py") for file in root.glob(pattern)]
    own = {file.parts[0].removesuffix(".py") for file in files}

    def taken_out() -> dict[str, ModuleType]:
        return {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in own}

    others = taken_out()
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        sys.path.remove(str(root))
        taken_out()
        sys.modules.update(others)
