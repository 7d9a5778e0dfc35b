"""Read a MONAI bundle folder: its network and its weights."""

from __future__ import annotations

import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import yaml
from monai.bundle import ConfigParser
from monai.networks.nets import VISTA3D
from torch import nn

from medkd.networks.checkpoints import fit_state
from medkd.networks.features import input_spec
from medkd.networks.weight_file import read_weights

from .bundle_transforms import read_geometry, read_scalings, scales_per_case
from .channels import names_in_order
from .external import ExternalModel
from .geometry import Geometry

__all__ = ["bundle_config", "read_bundle"]

T = TypeVar("T")
_CHANNELS = "_meta_::network_data_format::inputs::image::channel_def"


def bundle_config(folder: Path) -> Path | None:
    """Return the configuration file that names the network: that of inference, else that of training; None without one."""
    names = [f"{name}.{suffix}" for name in ("inference", "train") for suffix in ("json", "yaml", "yml")]
    return next((file for name in names if (file := folder / "configs" / name).is_file()), None)


def read_bundle(path: Path) -> ExternalModel:
    """Build ``network_def`` and load ``models/model.pt`` of a bundle's folder, or of a zip of it.

    A configuration of MONAI executes code: its imports, and what ``network_def`` refers to. Load bundles that you trust.
    The weights are read as tensors alone.

    Raises:
        FileNotFoundError: If the configuration or the weights are missing.
        ValueError: If ``network_def`` is missing or cannot be built, or the weights do not fit it.
    """
    if path.is_dir():
        return _read_folder(path)
    with tempfile.TemporaryDirectory() as unpacked:
        try:
            with zipfile.ZipFile(path) as archive:
                archive.extractall(unpacked)  # leaves out ".." of names
        except zipfile.BadZipFile as error:
            raise ValueError(f"--teacher {path}: damaged: {error}") from None
        folders = [Path(unpacked), *sorted(item for item in Path(unpacked).iterdir() if item.is_dir())]
        folder = next((folder for folder in folders if bundle_config(folder) is not None), folders[0])
        try:
            return _read_folder(folder)._replace(source=f"MONAI bundle {path}")
        except (ValueError, OSError) as error:
            raise type(error)(str(error).replace(str(folder), str(path))) from error


def _read_folder(folder: Path) -> ExternalModel:
    file = bundle_config(folder)
    if file is None:
        raise FileNotFoundError(f"{folder}/configs: no inference or train configuration, expected a MONAI bundle")
    weights = folder / "models/model.pt"
    if not weights.is_file():
        large = any(folder.glob("large_files.y*ml"))
        hint = ": python -m monai.bundle download fetches what large_files.yml names" if large else ""
        raise FileNotFoundError(f"--teacher {weights}: no such file, expected the weights of the bundle{hint}")
    try:
        config = ConfigParser.load_config_file(file)
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{file}: not a readable configuration: {' '.join(str(error).split())}") from None
    if "network_def" not in config:
        raise ValueError(f"{file}: no network_def in it")
    parser = ConfigParser({**config, "bundle_root": str(folder)})
    metadata = folder / "configs/metadata.json"
    if metadata.is_file():
        try:
            parser.read_meta(str(metadata))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{metadata}: not a readable JSON file: {' '.join(str(error).split())}") from None
    with _bundle_modules(folder):
        network = _build_network(parser, file)
        scalings, problem = _read_or_tell(read_scalings, parser, file)
        geometry, geometry_problem = _read_or_tell(read_geometry, parser, file)
        per_case = scales_per_case(parser)
    network.load_state_dict(fit_state(network, read_weights(weights, "teacher"), "teacher", weights))
    if geometry_problem and input_spec(network)[0] == 3:
        raise ValueError(f"--teacher {geometry_problem}")
    return ExternalModel(
        network,
        f"MONAI bundle {folder}",
        scalings or [None],
        geometry or Geometry(),
        problem=problem,
        per_case=per_case,
        channels=names_in_order(parser.get(_CHANNELS)),
    )


def _build_network(parser: ConfigParser, file: Path) -> nn.Module:
    try:
        network = parser.get_parsed_content("network_def")
    except Exception as error:  # the configuration's own code may raise anything
        cause = error.__cause__ or error
        reason = " ".join((str(cause) or repr(cause)).split())
        raise ValueError(f"{file}: network_def cannot be built: {reason}") from error
    if not isinstance(network, nn.Module):
        raise ValueError(f"{file}: network_def: found {type(network).__name__}, expected a network")
    if isinstance(network, VISTA3D):
        raise ValueError(
            f"{file}: network_def: found VISTA3D, which needs a prompt beside each image, expected a network of the image "
            "alone: a module in the bundle's scripts that calls it with the prompts of fixed classes"
        )
    return network


def _read_or_tell(read: Callable[[ConfigParser], T], parser: ConfigParser, file: Path) -> tuple[T | None, str]:
    """Return what is read of the preprocessing, and why it cannot be read (empty if it can)."""
    try:
        return read(parser), ""
    except ValueError as error:
        return None, f"{file}: {error}"


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
