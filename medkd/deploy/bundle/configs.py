"""The configurations of a packed bundle: JSON with the values of the training as defaults.

A configuration finds the folder of its bundle, whose code it imports, in the frame of MONAI's workflow: ``monai.bundle.load``,
``monai.bundle run`` without ``--bundle_root`` and the first step of a federated client know the folder, but hand it to nobody
before they resolve the network. TorchScript would not be simpler: its file lies in the same folder, and pre- and
post-processing need the code anyway.
"""

from __future__ import annotations

from typing import Any

from monai.bundle import ConfigParser

from medkd.configs.bundles import BUNDLES, config_files
from medkd.configs.merge import merge_files
from medkd.configs.plain import as_literal
from medkd.configs.table import ID_OPTIONS, data_as_literals
from medkd.runs.record import recorded

from .closure import Closure
from .file_lists import FIRST_STEPS, LAST_STEP, accept_lists, rename_datasets
from .references import SCRIPTS, check_expressions, foreign_imports, reachable, rewrite_targets, target_names
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

# Other programs name the folder by bundle_root, or have it on Python's path.
_ROOT = (
    "$str(next((path for path in (*(frame.f_locals['self'].config_root_path.resolve().parent "
    "for frame, _ in walk_stack(sys._getframe()) "
    "if 'config_root_path' in getattr(frame.f_locals.get('self'), '__dict__', ())), *sys.path) "
    "if os.path.isdir(os.path.join(path, 'scripts', '{name}'))), '.'))"
)
_ROOT_IMPORTS = ["$import os", "$import sys", "$from traceback import walk_stack"]
_SCRIPTS = "$sys.path.append(os.path.abspath(@bundle_root + '/scripts'))"

_NOT_RECORDED = object()
_CLIENT_OPTIONS = "client_options"
_OF_THE_MACHINE = ("bundle_root", "device", "amp", "memory_format", "compile", "num_workers")
# A new training does not take these from the record of the old one.
_NOT_BAKED = (
    *("imports", "initialize", "run", "command", "bundle_root", "dataset_dir", "output_dir"),
    *("device", "amp", "memory_format", "compile", "num_workers", "resume", "mlflow", "method", "method_args"),
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
    # a number: other programs build the network where medkd is not installed
    config["num_classes"] = student.inference["num_classes"]
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
    for module, name in sorted(target_names(student.inference) | target_names(before_run)):
        closure.add(module, name)
    return closure


def inference_config(student: Student, package: str) -> dict[str, Any]:
    """Return inference.json, which does not need medkd.

    Args:
        student: the model.
        package: name of the copied code.
    """
    check_expressions(student.inference)
    values = rewrite_targets({**student.inference, "imports": foreign_imports(student.inference)}, package)
    # other programs read the window without evaluating expressions
    window = {f"$@window[{i}]": value for i, value in enumerate(values.get("window", ()))}
    return _with_root(_replace(values, window), package)


def training_config(train: dict[str, Any], package: str, student: Student) -> dict[str, Any]:
    """Return train.json, a supervised training by medkd, whose network needs only the bundle.

    Args:
        train: what `training_source` returned.
        package: name of the copied code.
        student: the model.
    """
    before_run = _ids_before_run(train)
    values = {name: rewrite_targets(value, package) if name in before_run else value for name, value in train.items()}
    values |= {**_steps(train), "train": _record_client(train), _CLIENT_OPTIONS: _client_options(train, student.task)}
    return _with_root(accept_lists(values, student), package)


def evaluation_config(student: Student) -> dict[str, Any]:
    """Return evaluate.json, an overlay over train.json that evaluates the packed model by default."""
    config = ConfigParser.load_config_file(BUNDLES / student.task / "configs/evaluate.yaml")
    # a federated client validates by this overlay: model.pt stays the best of its own training
    changes = {"model": "$@bundle_root + '/models/model.pt'", "finalize": [], "validate::handlers": []}
    return {**config, **changes}


def overlay_configs(student: Student) -> dict[str, dict[str, Any]]:
    """Return the overlays over train.json by file name; distill.json has the method of the student's training."""
    # runtime.yaml is for inference, and train.json has the options of volumes already
    omitted = ("runtime", "volumetric", "volumetric_train", *(("cached_volumetric",) if student.mode != "3d" else ()))
    files = [file for file in sorted((BUNDLES / "overlays").glob("*.yaml")) if file.stem not in omitted]
    configs = {
        f"{file.stem}.json": rename_datasets(_with_finalize(ConfigParser.load_config_file(file))) for file in files
    }
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


def _steps(train: dict[str, Any]) -> dict[str, Any]:
    """Return the steps of the training in ``run``, and those of the test and of publishing in ``finalize``.

    Federated clients train without ``run``, and end by ``finalize``. A client that has not trained has nothing to test.
    """
    check, training, *test = train["run"]
    last_steps = ", ".join(step.removeprefix("$") for step in (*test, LAST_STEP))
    return {
        "run": [*FIRST_STEPS, check, training],
        "finalize": [f"$runs.RunFolder(@output_dir).has_begun and ({last_steps})"],
    }


def _with_finalize(overlay: dict[str, Any]) -> dict[str, Any]:
    """Return an overlay for a configuration whose test is in ``finalize``."""
    if "run" in overlay:
        return {**overlay, "finalize": []}
    ends = any("parallel.stop" in step for step in overlay.get("+run", []))
    return {"+finalize" if ends and name == "+run" else name: value for name, value in overlay.items()}


def _record_client(train: dict[str, Any]) -> dict[str, Any]:
    """Return ``train`` with a record of the options where no command line tells them, as in a federated client."""
    handlers = [
        {**handler, "config": f"$@command or @{_CLIENT_OPTIONS}"}
        if handler["_target_"] == "medkd.runs.RunRecord"
        else handler
        for handler in train["train"]["handlers"]
    ]
    return {**train["train"], "handlers": handlers}


def _client_options(train: dict[str, Any], task: str) -> dict[str, Any]:
    """Return the options as references to their values; the name of the task stands for the folder of the bundle."""
    names = [name for name in train if name in ID_OPTIONS or name == "mode"]
    options = {name: f"@{name}" for name in names if name not in _OF_THE_MACHINE}
    return {"bundle_root": task, **options, "max_epochs": "@train::trainer::max_epochs"}


def _replace(value: Any, texts: dict[str, Any]) -> Any:
    """Replace the texts that are keys of a dictionary by its values."""
    if isinstance(value, dict):
        return {key: _replace(item, texts) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace(item, texts) for item in value]
    return texts.get(value, value) if isinstance(value, str) else value


def _ids_before_run(train: dict[str, Any]) -> set[str]:
    """Return the ids that MONAI resolves when it creates a workflow and asks for its network."""
    return reachable(train, "initialize", "network_def")


def _with_root(config: dict[str, Any], package: str) -> dict[str, Any]:
    """Add the ids that find the folder of the bundle and import the code in it."""
    imports = [*_ROOT_IMPORTS, *(line for line in config["imports"] if line not in _ROOT_IMPORTS)]
    others = {name: value for name, value in config.items() if name not in ("imports", "bundle_root")}
    return {"imports": imports, "bundle_root": _ROOT.format(name=package), SCRIPTS: _SCRIPTS, **others}
