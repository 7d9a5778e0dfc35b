"""What the verbs of `medkd` do; those of a bundle compose a ``monai.bundle run`` command, print it and run it."""

from __future__ import annotations

import logging
import shlex
import sys
import warnings
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import Any

__all__ = [
    "BUNDLES",
    "options_from_record",
    "compose",
    "config_files",
    "export",
    "prepare",
    "run_bundle",
    "tasks",
    "train_team",
]

_PACKAGE = Path(__file__).parents[1]
# in a wheel bundles lie inside the package, in a clone beside it
BUNDLES = next(p for p in (_PACKAGE / "bundles", _PACKAGE.parent / "bundles") if p.is_dir())


def tasks() -> list[str]:
    """Names of the bundles, sorted."""
    return sorted(path.parent.parent.name for path in BUNDLES.glob("*/configs/train.yaml"))


def config_files(
    verb: str, task: str, role: str = "student", soft_labels: str = "online", mode: str = "2d"
) -> list[Path]:
    """The bundle's file and the overlays of a run.

    Raises:
        ValueError: for ``mode`` "3d" of a task without volumes, or with stored soft labels.
    """
    configs, over = BUNDLES / task / "configs", BUNDLES / "overlays"
    volumes = _volumetric(task, soft_labels) if mode == "3d" else []
    if verb == "infer":
        return [configs / "inference.yaml", *volumes[:1]]
    files = [configs / "train.yaml", *volumes]
    if role != "student":
        files.append(over / "teacher.yaml")
        if verb == "train" and role != "teacher":
            files.append(over / f"{role}.yaml")
    files += {
        "distill": [over / "distill.yaml"],
        "evaluate": [configs / "evaluate.yaml"],
        "export": [configs / "evaluate.yaml"],
        "comparison": [over / "comparison.yaml"],
        "team_figures": [over / "distill.yaml", over / "team_figures.yaml"],
    }.get(verb, [])
    return [*files, over / "cached.yaml"] if soft_labels == "cached" else files


def _volumetric(task: str, soft_labels: str) -> list[Path]:
    from .options import merged_config

    if "mode" not in merged_config({"config_file": str(BUNDLES / task / "configs/train.yaml")}):
        raise ValueError(f"--mode 3d: {task} is a task of pictures, it has no volumes")
    if soft_labels == "cached":
        raise ValueError(
            "--soft_labels cached keeps whole slices and pictures: with --mode 3d use --soft_labels online"
        )
    return [BUNDLES / "overlays" / name for name in ("volumetric.yaml", "volumetric_train.yaml")]


# What a model is used with as it was trained; the rest of its record is about its training.
MODEL_OPTIONS = (
    "target",
    "window",
    "image_size",
    "spacing",
    "overlap",
    "student_width",
    "teacher_width",
    "teacher_layers",
)


def options_from_record(verb: str, task: str, options: list[str], mode: str | None) -> tuple[list[str], str]:
    """The options and the mode of a command, where they say nothing those that its model, or teacher, was trained with.

    Raises:
        FileNotFoundError: for a model that is not there.
        ValueError: for one of another task.
    """
    from .options import parse_command, recorded

    given = parse_command(options)[1]
    names, model = {
        "evaluate": (("mode", *MODEL_OPTIONS), given.get("model", given.get("output_dir"))),
        "export": (("mode", *MODEL_OPTIONS), given.get("model")),
        "infer": (("mode", *MODEL_OPTIONS), given.get("model")),
        "distill": (("teacher_width", "teacher_layers"), given.get("teacher")),
        "figures": (("teacher_width", "teacher_layers"), given.get("teacher")),
    }.get(verb, ((), None))
    models = [model] if isinstance(model, str) else model
    # what is no path is refused by name later, where the options are checked
    are_paths = isinstance(models, list | tuple) and all(isinstance(one, str) and one for one in models)
    for path in models if are_paths else ():
        name = "teacher" if model is given.get("teacher") else "model"
        if not Path(path).exists():
            raise FileNotFoundError(f"--{name} {path}: no such file or folder")
        of = Path(str(recorded(path, "bundle_root", ""))).name
        if of != task and of in tasks():
            raise ValueError(f"--{name} {path}: a model of the task {of}, this command is of {task}")
    found = {name: recorded(models, name, ...) for name in names} if are_paths else {}
    before = {name: "$None" if value is None else str(value) for name, value in found.items() if value is not ...}
    mode = mode or before.get("mode", "2d")
    if mode == "2d":
        before = {name: value for name, value in before.items() if name not in ("spacing", "overlap")}
    elif "image_size" in before:
        before["patch_size"] = before.pop("image_size")
    added = [(f"--{name}", value) for name, value in before.items() if name not in (*given, "mode")]
    return [*options, *(word for pair in added for word in pair)], mode


def compose(
    verb: str,
    task: str,
    role: str,
    options: list[str],
    overlays: Collection[str] = (),
    soft_labels: str = "online",
    mode: str = "2d",
) -> list[str]:
    """The arguments of ``python -m monai.bundle`` for a verb of ours; ``overlays`` are the user's own files."""
    from .options import parse_command

    given = parse_command(options)[1]
    needed = ("input", "model", "output_dir") if verb == "infer" else ("dataset_dir", "output_dir")
    _require(f"{verb} {task}", given, *needed)
    if verb == "figures":
        if ("runs" in given) == ("teacher" in given):
            raise ValueError(
                "medkd figures needs --runs (compares their predictions) or --teacher (draws PLC-KD's team)"
            )
        verb = "comparison" if "runs" in given else "team_figures"
    if verb == "infer" and role != "student":
        options = ["--network_def", "%teacher_def", *options]
    files = map(_short, config_files(verb, task, role, soft_labels, mode))
    names = ", ".join(f"'{name}'" for name in (*files, *overlays))
    configs = BUNDLES / task / "configs"
    about = [
        *("--meta_file", _short(configs / "metadata.json")),
        *("--logging_file", _short(configs / "logging.conf")),
    ]
    return ["run", "--config_file", f"[{names}]", *about, "--bundle_root", _short(BUNDLES / task), *options]


def _short(path: Path) -> str:
    """Relative to the working directory where that is shorter to read."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _quoted(argument: str) -> str:
    """For a shell; lists of file names stay readable."""
    return f'"{argument}"' if "'" in argument and not set(argument) & set('"$`\\!') else shlex.quote(argument)


def run_bundle(arguments: list[str]) -> None:
    """Runs ``python -m monai.bundle`` with the arguments, in this process, after printing it."""
    import runpy

    from medkd.runs.lock import release_locks

    from .options import check_options, merged_config, parse_command

    # The bundle's own first step checks them too, but MONAI takes a stray word for the name of another first step.
    words, options = parse_command(arguments[1:])
    check_options(words, options, merged_config(options))
    print(f"python -m monai.bundle {' '.join(_quoted(argument) for argument in arguments)}", flush=True)
    _quiet()
    before = sys.argv
    try:
        sys.argv = ["monai.bundle", *arguments]
        runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)
    finally:
        sys.argv = before
        release_locks()


def export(
    task: str, form: str, options: list[str], overlays: Collection[str], mode: str, calibration_windows: int
) -> None:
    """Writes a run's student in a format of `medkd.deploy.export`; the options are those of ``medkd evaluate``."""
    from medkd.deploy.export import apply_overrides, check_format
    from medkd.deploy.export import export as write
    from medkd.runs.lock import release_locks

    from .options import check_options, merged_config, parse_command

    check_format(form)
    words, given = parse_command(options)
    _require(f"export {task}", given, "model", "dataset_dir", "output_dir")
    files = [*map(str, config_files("export", task, mode=mode)), *overlays]
    config = merged_config({"config_file": files})
    check_options(words, given, config)
    try:
        write(task, form, apply_overrides(config, given), calibration_windows)
    finally:
        release_locks()


def train_team(task: str, options: list[str], overlays: Collection[str], soft_labels: str, mode: str) -> list[str]:
    """Trains what is missing of the team that a distillation wants; its options with the team's paths."""
    from .options import merged_config
    from .team import team_first

    def config_of(role: str) -> dict[str, Any]:
        verb = "distill" if role == "student" else "train"
        files = config_files(verb, task, role, soft_labels if role == "student" else "online", mode)
        return merged_config({"config_file": [*map(str, files), *overlays]})

    def train(role: str, words: list[str]) -> None:
        run_bundle(compose("train", task, role, words, overlays, mode=mode))

    return team_first(BUNDLES / task / "models", options, config_of, train)


def _quiet() -> None:
    """MONAI warns of the code in a configuration, and lists what was printed just now: these are our own files."""
    import monai.bundle  # noqa: F401  its loggers get their level when it is imported

    warnings.filterwarnings("ignore", message="parsing config_file")
    for name in ("scripts", "workflows"):
        logging.getLogger(f"monai.bundle.{name}").setLevel(logging.ERROR)


def prepare(task: str, arguments: list[str]) -> None:
    """Runs ``prepare`` of the task's module in data_prep; that function's signature says what the command needs and takes."""
    import importlib
    import inspect
    import json

    from .options import check_options, parse_command

    function = importlib.import_module(f"medkd.data_prep.{task}").prepare
    # what prepare writes to is what every other verb reads from, so it has the name that it has there
    arguments_of = [p for p in inspect.signature(function).parameters.values() if p.name != "target"]
    words, options = parse_command(arguments, [p.name for p in arguments_of if "Sequence" in str(p.annotation)])
    known = {p.name: None if p.default is p.empty else p.default for p in arguments_of}
    check_options(words, options, {**known, "dataset_dir": None})
    _require(f"prepare {task}", options, *(p.name for p in arguments_of if p.default is p.empty), "dataset_dir")
    target = options.pop("dataset_dir")
    with warnings.catch_warnings():
        # for whom gives a command, the line of our code that warned is noise
        warnings.showwarning = lambda message, *_, **__: print(f"medkd: warning: {message}", file=sys.stderr)
        summary = function(target=target, **options)
    print(json.dumps(summary, indent=2, default=str))
    if (report := Path(target) / "report.md").is_file():
        print("", report.read_text(encoding="utf-8"), sep="\n", end="")


def _require(command: str, options: Collection[str], *names: str) -> None:
    for name in names:
        if name not in options:
            near = get_close_matches(name, options, n=1)
            raise ValueError(f"medkd {command} needs --{name}" + (f" (found --{near[0]})" if near else ""))
