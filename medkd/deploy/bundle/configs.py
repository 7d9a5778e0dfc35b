"""The configurations of a packed bundle: JSON, with the values of the training baked in."""

from __future__ import annotations

from typing import Any

from monai.bundle import ConfigParser

from medkd.cli.bundles import BUNDLES, config_files
from medkd.cli.config import merge_files
from medkd.runs.record import recorded

from .closure import Closure
from .expressions import SCRIPTS, code_names, foreign_imports, import_aliases, reachable, rewrite_references
from .student import Student

__all__ = ["evaluation", "find_code", "inference", "overlays", "plain", "training", "training_source"]

# A configuration is not told where its file lies. MONAI's workflows know: `monai.bundle.load` and federated clients run one, in
# any working directory and without naming a bundle_root. The other commands of MONAI are given a bundle_root, or run in it.
_ROOT = (
    "$str(next((frame.f_locals['self'].config_root_path.resolve().parent for frame, _ in walk_stack(sys._getframe()) "
    "if 'config_root_path' in getattr(frame.f_locals.get('self'), '__dict__', ())), '.'))"
)
# No expression with a reference may hold the word "import": MONAI takes it for a statement.
_ROOT_IMPORTS = ["$import os", "$import sys", "$from traceback import walk_stack"]
_ROOT_IMPORTS += ["$from importlib import import_module as load_module"]
_SCRIPTS = "$sys.path.append(os.path.abspath(@bundle_root + '/scripts')) or load_module('{name}')"

# What a training that begins anew has of its own, whatever the record says.
_NOT_BAKED = ("imports", "initialize", "run", "command", "bundle_root", "dataset_dir", "output_dir")
_NOT_BAKED += ("device", "amp", "num_workers", "resume", "mlflow", "method", "method_args")


def training_source(student: Student) -> dict[str, Any]:
    """The configuration of a supervised training, with the values that the student was trained with."""
    files = config_files("train", student.task, mode=student.mode)
    config = merge_files([*files, *student.overlays])
    for name, default in config.items():
        is_part = isinstance(default, dict) or str(default).startswith(("@", "%"))
        if name not in _NOT_BAKED and not is_part:
            config[name] = student.values.get(name, recorded(student.model, name, default))
    return config


def find_code(student: Student, train: dict[str, Any]) -> Closure:
    """The code that inference needs, and that a training needs before it is run: others build its network without medkd."""
    closure = Closure()
    inference_config = _inference_parts(student)
    before = {name: train[name] for name in _before_run(train)}
    for config, parts in ((student.inference, inference_config), (train, before)):
        for module, name in sorted(code_names(parts, import_aliases(config))):
            closure.add(module, name)
    return closure


def inference(student: Student, package: str) -> dict[str, Any]:
    """inference.json: nothing of it needs medkd."""
    imports = foreign_imports(student.inference)
    parts = rewrite_references(_inference_parts(student), import_aliases(student.inference), package)
    return _rooted({"imports": imports, **parts}, package)


def training(train: dict[str, Any], package: str) -> dict[str, Any]:
    """train.json: a supervised training, by medkd; its network and its first steps need the bundle alone."""
    aliases, before = import_aliases(train), _before_run(train)
    parts = {
        name: rewrite_references(value, aliases, package) if name in before else value for name, value in train.items()
    }
    return _rooted(parts, package)


def evaluation(student: Student) -> dict[str, Any]:
    """evaluate.json, over train.json: of the packed model, unless another is named."""
    config = ConfigParser.load_config_file(BUNDLES / student.task / "configs/evaluate.yaml")
    return {**config, "model": "$@bundle_root + '/models/model.pt'"}


def overlays(student: Student) -> dict[str, dict[str, Any]]:
    """File name -> overlay over train.json; the method of distill.json is the one that the student was trained by."""
    # volumes are in train.json already; soft labels are stored of slices and pictures alone
    left_out = ("volumetric", "volumetric_train", *(("cached",) if student.mode == "3d" else ()))
    files = [file for file in sorted((BUNDLES / "overlays").glob("*.yaml")) if file.stem not in left_out]
    found = {f"{file.stem}.json": ConfigParser.load_config_file(file) for file in files}
    if student.record.get("method", "none") != "none":
        found["distill.json"] |= {name: student.record[name] for name in ("method", "method_args")}
    return found


def plain(value: Any) -> Any:
    """The value as JSON has it: a dictionary with numbers for keys becomes an expression."""
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {key: plain(item) for key, item in value.items()}
        return f"${value!r}"
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def _inference_parts(student: Student) -> dict[str, Any]:
    return {name: value for name, value in student.inference.items() if name != "imports"}


def _before_run(train: dict[str, Any]) -> set[str]:
    """The ids that are looked at when a workflow is made and its network asked for."""
    return reachable(train, "initialize", "network_def")


def _rooted(config: dict[str, Any], package: str) -> dict[str, Any]:
    """With the folder of the bundle found, and the code in it."""
    imports = [*_ROOT_IMPORTS, *(line for line in config["imports"] if line not in _ROOT_IMPORTS)]
    rest = {name: value for name, value in config.items() if name not in ("imports", "bundle_root")}
    return {"imports": imports, "bundle_root": _ROOT, SCRIPTS: _SCRIPTS.format(name=package), **rest}
