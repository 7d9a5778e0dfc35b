"""The configurations of a packed bundle: JSON with the values of the training as defaults."""

from __future__ import annotations

from typing import Any

from monai.bundle import ConfigParser

from medkd.configs.bundles import BUNDLES, config_files
from medkd.configs.merge import merge_files
from medkd.configs.plain import as_literal
from medkd.configs.table import data_as_literals
from medkd.runs.record import recorded

from .closure import Closure
from .expressions import SCRIPTS, code_names, foreign_imports, import_aliases, reachable, rewrite_references
from .student import Student

__all__ = [
    "evaluation_config",
    "find_code",
    "inference_config",
    "overlay_configs",
    "to_json",
    "training_config",
    "training_source",
]

# A configuration does not know its own folder. MONAI's workflows do: `monai.bundle.load` and federated clients run one in any
# working directory, without a bundle_root. MONAI's other commands get a bundle_root, or run in it.
_ROOT = (
    "$str(next((frame.f_locals['self'].config_root_path.resolve().parent for frame, _ in walk_stack(sys._getframe()) "
    "if 'config_root_path' in getattr(frame.f_locals.get('self'), '__dict__', ())), '.'))"
)
# MONAI takes an expression with a reference and the word "import" for a statement, hence the alias `load_module`.
_ROOT_IMPORTS = ["$import os", "$import sys", "$from traceback import walk_stack"]
_ROOT_IMPORTS += ["$from importlib import import_module as load_module"]
_SCRIPTS = "$sys.path.append(os.path.abspath(@bundle_root + '/scripts')) or load_module('{name}')"

_NOT_RECORDED = object()
# A new training does not take these from the record of the old one.
_NOT_BAKED = (
    *("imports", "initialize", "run", "command", "bundle_root", "dataset_dir", "output_dir"),
    *("device", "amp", "num_workers", "resume", "mlflow", "method", "method_args"),
)


def training_source(student: Student) -> dict[str, Any]:
    """Return the configuration of a supervised training with the values of the student's training."""
    files = config_files("train", student.task, mode=student.mode)
    config = merge_files([*files, *student.overlays])
    for name, default in config.items():
        is_component = isinstance(default, dict) or str(default).startswith(("@", "%"))
        if name not in _NOT_BAKED and not is_component:
            value = student.values.get(name, recorded(student.model, name, _NOT_RECORDED))
            config |= {} if value is _NOT_RECORDED else data_as_literals({name: value})
    return config


def find_code(student: Student, train: dict[str, Any]) -> Closure:
    """Find the code of medkd that the bundle needs a copy of.

    Inference needs all its code. Training needs medkd, but other programs build its network before they run it.

    Args:
        student: the model.
        train: what `training_source` returned.
    """
    closure = Closure()
    before_run = {name: train[name] for name in _ids_before_run(train)}
    for config, values in ((student.inference, _without_imports(student)), (train, before_run)):
        for module, name in sorted(code_names(values, import_aliases(config))):
            closure.add(module, name)
    return closure


def inference_config(student: Student, package: str) -> dict[str, Any]:
    """Return inference.json, which does not need medkd.

    Args:
        student: the model.
        package: name of the copied code.
    """
    imports = foreign_imports(student.inference)
    values = rewrite_references(_without_imports(student), import_aliases(student.inference), package)
    return _with_root({"imports": imports, **values}, package)


def training_config(train: dict[str, Any], package: str) -> dict[str, Any]:
    """Return train.json, a supervised training by medkd, whose network needs only the bundle.

    Args:
        train: what `training_source` returned.
        package: name of the copied code.
    """
    aliases, before_run = import_aliases(train), _ids_before_run(train)
    values = {
        name: rewrite_references(value, aliases, package) if name in before_run else value
        for name, value in train.items()
    }
    return _with_root(values, package)


def evaluation_config(student: Student) -> dict[str, Any]:
    """Return evaluate.json, an overlay over train.json that evaluates the packed model by default."""
    config = ConfigParser.load_config_file(BUNDLES / student.task / "configs/evaluate.yaml")
    return {**config, "model": "$@bundle_root + '/models/model.pt'"}


def overlay_configs(student: Student) -> dict[str, dict[str, Any]]:
    """Return the overlays over train.json by file name; distill.json has the method of the student's training."""
    # train.json has the options of volumes already; soft labels are cached for slices and pictures only
    omitted = ("volumetric", "volumetric_train", *(("cached",) if student.mode == "3d" else ()))
    files = [file for file in sorted((BUNDLES / "overlays").glob("*.yaml")) if file.stem not in omitted]
    configs = {f"{file.stem}.json": ConfigParser.load_config_file(file) for file in files}
    if student.record.get("method", "none") != "none":
        method: dict[str, Any] = {
            name: student.record[name] for name in ("method", "method_args") if name in student.record
        }
        configs["distill.json"] |= data_as_literals(method)
    return configs


def to_json(value: Any) -> Any:
    """Return a value that JSON can hold: a dictionary with keys that are not texts becomes an expression.

    Example:
        >>> to_json({"classes": {1: "tumour"}, "size": (32, 32)})
        {'classes': "${1: 'tumour'}", 'size': [32, 32]}
    """
    if isinstance(value, dict):
        is_json = all(isinstance(key, str) for key in value)
        return {key: to_json(item) for key, item in value.items()} if is_json else as_literal(value)
    return [to_json(item) for item in value] if isinstance(value, list | tuple) else value


def _without_imports(student: Student) -> dict[str, Any]:
    return {name: value for name, value in student.inference.items() if name != "imports"}


def _ids_before_run(train: dict[str, Any]) -> set[str]:
    """Return the ids that MONAI resolves when it creates a workflow and asks for its network."""
    return reachable(train, "initialize", "network_def")


def _with_root(config: dict[str, Any], package: str) -> dict[str, Any]:
    """Add the ids that find the folder of the bundle and import the code in it."""
    imports = [*_ROOT_IMPORTS, *(line for line in config["imports"] if line not in _ROOT_IMPORTS)]
    others = {name: value for name, value in config.items() if name not in ("imports", "bundle_root")}
    return {"imports": imports, "bundle_root": _ROOT, SCRIPTS: _SCRIPTS.format(name=package), **others}
