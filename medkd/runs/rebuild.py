"""The configuration of a run, built again from the bundle of its task and the plain options of its record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medkd.configs.bundles import BUNDLES, config_files, tasks
from medkd.configs.ids import get_nested, is_expression
from medkd.configs.merge import merge_files
from medkd.configs.plain import as_literal, check_plain
from medkd.configs.table import ID_OPTIONS
from medkd.startup import import_monai

from .folder import RunFolder
from .plain_record import NONE, plain_options

if TYPE_CHECKING:
    from monai.bundle import ConfigParser

__all__ = ["load_parser", "network_class"]

_ROLES = ("teacher", "false_pixel_assistant", "boundary_assistant")
_NETWORKS = ("network_def", "teacher_def")
# Networks of medkd are built from numbers, and the name of one of them, alone.
_NAMES = ("ResNetFCN", "TransUNet", "UNet", "UNetPlusPlus", "build_student", "build_teacher")
_CLASSES = tuple(f"medkd.networks.{name}" for name in _NAMES)
# Where a run ran, and what only its training read.
_NOT_READ = {
    "bundle_root",
    "output_dir",
    "model",
    "input",
    "teacher",
    "false_pixel_assistant",
    "boundary_assistant",
    "runs",
}
_NOT_READ |= {"imagenet21k", "mlflow", "soft_labels_dir", "resume", "method", "method_args", "num_workers", "device"}
_NOT_READ |= {"amp", "memory_format"}
# What is read of the configuration itself. An overlay that changed it was code of its user.
_READ = ("network", "inferer", "decide", "validate", "test")
_READ_OF_TRAINING = ("deterministic_transforms", "source", "shown")
_PACKAGES = ("medkd.", "monai.", "torch.")
_TRUST = "if you trust who made the run: trust_record=True, or medkd report --trust_record"


def load_parser(folder: RunFolder, trust_record: bool = False) -> ConfigParser:
    """Return a parser of a run's configuration, whose ids can be built even if the data set is gone.

    The configuration is that of the bundle with the options of the record, which are data. The ids of ``trained_with``
    (classes, window, ...) are values there, not expressions, and ``output_dir`` is the folder itself.

    Args:
        folder: of the run.
        trust_record: whether the whole record is taken as the configuration. It is code: every expression and every class that
            it names is executed. Needed for runs whose overlays named networks or transforms beyond medkd's.

    Raises:
        FileNotFoundError: if there is no record.
        ValueError: for a file that is not a record, options that are not plain data, a task that is not one of medkd, or a run
            that only a trusted record can rebuild.
    """
    import_monai()
    import torch
    from monai.bundle import ConfigParser

    content = folder.require_content()
    if not trust_record:
        return ConfigParser(_rebuild(content, folder))
    for name, value in (content.get("trained_with") or {}).items():
        if name in content and not is_expression(value):
            content[name] = as_literal(value)
    if "cuda" in str(content.get("device")) and not torch.cuda.is_available():
        content["device"] = "cpu"
    return ConfigParser(content)


def network_class(content: Mapping[str, Any]) -> str:
    """Return the name of the class of a run's network, as its record states it; an empty text if it does not.

    Args:
        content: of the record.
    """
    definition = content.get("network_def")
    definition = content.get("teacher_def") if definition == "%teacher_def" else definition
    if not isinstance(definition, dict):
        return ""
    if (option := str(definition.get("architecture", ""))).startswith("@"):  # of a task that lets the user choose
        return str(content.get(option.removeprefix("@"), ""))
    return str(definition.get("_target_", "")).rpartition(".")[2]


def _rebuild(content: Mapping[str, Any], folder: RunFolder) -> dict[str, Any]:
    options = plain_options(content, folder.config)
    trained_with = options.pop("trained_with", {})
    task, method = Path(str(options.get("bundle_root", ""))).name, str(options.get("method"))
    if task not in tasks():
        raise ValueError(
            f"{folder.config}: bundle_root: found {task!r}, expected one of {', '.join(tasks())} ({_TRUST})"
        )
    mode = trained_with.get("mode", options.get("mode", "2d"))
    role = method if method in _ROLES else "student"
    config = merge_files(config_files("train", task, role, mode=mode))
    networks = {name: _network(content, config, name, folder) for name in _NETWORKS if name in content}
    _check_changes(content, config, folder)
    values = {name: value for name, value in options.items() if name not in _NOT_READ} | trained_with
    config |= {name: as_literal(value) for name, value in values.items() if name in config}
    config |= {**networks, "bundle_root": as_literal(str(BUNDLES / task)), "output_dir": as_literal(str(folder.path))}
    # an assistant's, or one with weights of ImageNet, would be built from files that the record names
    return {**config, "network": "$@network_def.to(@device)"}


def _network(content: Mapping[str, Any], config: Mapping[str, Any], name: str, folder: RunFolder) -> Any:
    """Return the definition of a network: that of the bundle, or one of a network of medkd with plain arguments.

    Raises:
        ValueError: for any other definition.
    """
    definition, of_bundle = content[name], config[name]
    if definition in (of_bundle, "%teacher_def"):
        return definition
    place = f"{folder.config}: {name}"
    target = definition.get("_target_") if isinstance(definition, dict) else definition
    if target not in _CLASSES:
        raise ValueError(f"{place}: found {target!r:.60}, expected a network of medkd ({_TRUST})")
    candidates = [other for other in map(config.get, _NETWORKS) if isinstance(other, dict)]
    network = {"_target_": target}
    for key, value in definition.items():
        if any(key in other and other[key] == value for other in candidates):
            network[key] = value
        elif key != "_target_":
            check_plain({key: value}, place)
            network[key] = as_literal(value)
    return network


def _check_changes(content: Mapping[str, Any], config: Mapping[str, Any], folder: RunFolder) -> None:
    """Check that nothing that is read of the configuration itself was changed by the run's overlays.

    Raises:
        ValueError: names what was changed, or a class of the user's own.
    """
    read = {name: content.get(name) for name in _READ}
    read |= {f"train::{name}": get_nested(content, f"train::{name}") for name in _READ_OF_TRAINING}
    ids = content.get("changed")
    # a part of what is read, the whole of it, or what it is part of
    changed = [
        str(id_)
        for id_ in (ids if isinstance(ids, list) else ())
        if any(f"{id_}::".startswith(f"{name}::") or name.startswith(f"{id_}::") for name in read)
    ]
    changed += [target for value in read.values() for target in _targets(value) if not target.startswith(_PACKAGES)]
    # an option that an overlay computes, where the bundle has a value
    changed += [
        name
        for name in ID_OPTIONS
        if name not in _NOT_READ and _is_computed(content.get(name)) and not is_expression(config.get(name, "$"))
    ]
    if changed:
        raise ValueError(f"{folder.config}: found {changed[0]!r:.80}, which is not of the bundle ({_TRUST})")


def _is_computed(value: Any) -> bool:
    return is_expression(value) and value != NONE


def _targets(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "_target_" in value:
            yield str(value["_target_"])
        value = list(value.values())
    for item in value if isinstance(value, list) else ():
        yield from _targets(item)
