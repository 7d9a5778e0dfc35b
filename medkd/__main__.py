"""The `medkd` command: prints the ``monai.bundle run`` command that it composes, then runs it."""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
import warnings
from collections.abc import Collection
from pathlib import Path

import medkd
from medkd.errors import one_line_errors

__all__ = ["main"]

_PACKAGE = Path(__file__).parent
# in a wheel bundles lie inside the package, in a clone beside it
BUNDLES = next(p for p in (_PACKAGE / "bundles", _PACKAGE.parent / "bundles") if p.is_dir())

ROLES = ("student", "teacher", "false_pixel_assistant", "boundary_assistant")

_HELP = """\
All further options are ids of the bundle's configuration: --max_epochs 20 --student_width 16 --seed 1 ...
(see bundles/<task>/configs/train.yaml; nested ids are written train::trainer::clip_norm). A misspelt one stops the run."""


def tasks() -> list[str]:
    """Names of the bundles, sorted."""
    return sorted(path.parent.parent.name for path in BUNDLES.glob("*/configs/train.yaml"))


def compose(
    verb: str, task: str, role: str, options: list[str], overlays: Collection[str] = (), soft_labels: str = "online"
) -> list[str]:
    """The arguments of ``python -m monai.bundle`` for a verb of ours; ``overlays`` are the user's own files."""
    from medkd.options import parse_command

    bundle, given = BUNDLES / task, parse_command(options)[1]
    files = {
        "train": [bundle / "configs/train.yaml"],
        "distill": [bundle / "configs/train.yaml", BUNDLES / "overlays/distill.yaml"],
        "evaluate": [bundle / "configs/train.yaml", bundle / "configs/evaluate.yaml"],
        "infer": [bundle / "configs/inference.yaml"],
        "figures": [bundle / "configs/train.yaml"],
    }[verb]
    if role != "student":
        if verb == "infer":
            options = ["--network_def", "%teacher_def", *options]
        else:
            files.insert(1, BUNDLES / "overlays/teacher.yaml")
        if verb == "train" and role != "teacher":
            files.append(BUNDLES / f"overlays/{role}.yaml")
    if verb == "figures":
        if ("runs" in given) == ("teacher" in given):
            raise ValueError(
                "medkd figures needs --runs (compares their predictions) or --teacher (draws PLC-KD's team)"
            )
        overlays_of = ["comparison"] if "runs" in given else ["distill", "team_figures"]
        files += [BUNDLES / f"overlays/{name}.yaml" for name in overlays_of]
    if soft_labels == "cached":
        files.append(BUNDLES / "overlays/cached.yaml")
    names = ", ".join(f"'{name}'" for name in (*map(_short, files), *overlays))
    about = [
        *("--meta_file", _short(bundle / "configs/metadata.json")),
        *("--logging_file", _short(bundle / "configs/logging.conf")),
    ]
    _require(f"{verb} {task}", given, *(("input", "model") if verb == "infer" else ("dataset_dir",)), "output_dir")
    return ["run", "--config_file", f"[{names}]", *about, "--bundle_root", _short(bundle), *options]


def _short(path: Path) -> str:
    """Relative to the working directory where that is shorter to read."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _quoted(argument: str) -> str:
    """For a shell; lists of file names stay readable."""
    return f'"{argument}"' if "'" in argument and not set(argument) & set('"$`\\!') else shlex.quote(argument)


def run_bundle(arguments: list[str]) -> None:
    """Runs ``python -m monai.bundle`` with the arguments, in this process, after printing it."""
    import runpy

    from medkd.options import check_options, merged_config, parse_command

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


def _train(task: str, overlays: Collection[str], role: str, options: list[str]) -> None:
    run_bundle(compose("train", task, role, options, overlays))


def _quiet() -> None:
    """MONAI warns of the code in a configuration, and lists what was printed just now: these are our own files."""
    import monai.bundle  # noqa: F401  its loggers get their level when it is imported

    warnings.filterwarnings("ignore", message="parsing config_file")
    for name in ("scripts", "workflows"):
        logging.getLogger(f"monai.bundle.{name}").setLevel(logging.ERROR)


def prepare(task: str, arguments: list[str]) -> None:
    """Runs ``prepare`` of the task's module in data_prep, its options checked against that function's arguments."""
    import importlib
    import inspect
    import json

    from medkd.options import check_options, parse_command

    function = importlib.import_module(f"medkd.data_prep.{task}").prepare
    words, options = parse_command(arguments)
    # what prepare writes to is what every other verb reads from, so it has the name that it has there
    arguments_of = inspect.signature(function).parameters.values()
    known = {p.name: None if p.default is p.empty else p.default for p in arguments_of if p.name != "target"}
    check_options(words, options, {**known, "dataset_dir": None})
    _require(f"prepare {task}", options, "source", "dataset_dir")
    target = options.pop("dataset_dir")
    print(json.dumps(function(target=target, **options), indent=2, default=str))


def show_layers(task: str, role: str, depth: int | None, overlays: Collection[str], arguments: list[str]) -> None:
    """Prints the sub-modules of a bundle's network with what they give for its image size, the default taps marked."""
    import torch
    from monai.bundle import ConfigParser
    from tabulate import tabulate

    from medkd.networks import input_form, layers
    from medkd.options import check_options, merged_config, parse_command

    files = [str(BUNDLES / task / "configs/train.yaml"), *overlays]
    words, options = parse_command(arguments)
    config = merged_config({"config_file": files})
    check_options(words, options, config)
    parser = ConfigParser(config)
    parser.update(options)
    network = parser.get_parsed_content("teacher_def" if role == "teacher" else "network_def")
    _, channels = input_form(network)
    found = layers(network, torch.zeros(1, channels, *parser.get_parsed_content("image_size")))
    known = network.default_taps() if hasattr(network, "default_taps") else {}
    taps = {name: f"{place}.{i}" for place, of in known.items() for i, name in enumerate(of)}
    shown = [layer for layer in found if depth is None or layer.name.count(".") < depth or layer.name in taps]
    table = [(layer.name, layer.kind, layer.shape or "no single tensor", taps.get(layer.name, "")) for layer in shown]
    print(tabulate(table, headers=("sub-module", "class", "output", "default tap")))


def show_methods(as_markdown: bool) -> None:
    """Prints the table of methods, for a terminal or for README."""
    from tabulate import tabulate

    from medkd.methods.table import markdown, rows

    print(markdown() if as_markdown else tabulate(rows(), headers="keys", disable_numparse=True))


def _require(command: str, options: Collection[str], *names: str) -> None:
    for name in names:
        if name not in options:
            raise ValueError(f"medkd {command} needs --{name}")


def parser() -> argparse.ArgumentParser:
    """One sub-command a verb."""
    root = argparse.ArgumentParser("medkd", description=medkd.__doc__)
    root.add_argument("--version", action="version", version=f"medkd {medkd.__version__}")
    verbs = root.add_subparsers(dest="verb", required=True, metavar="verb")
    descriptions = {
        "prepare": "official download (--source) to a data set that the bundle reads (--dataset_dir)",
        "train": "train a student, or with --role the teacher or one of PLC-KD's assistants, on labels",
        "distill": "train a student with a teacher (--teacher PATH) by a method (--method NAME)",
        "evaluate": "evaluate a model (--model PATH) case by case",
        "infer": "predict for a file or folder (--input PATH) with a model (--model PATH)",
        "figures": "draw runs side by side (--runs \"{'title': 'FOLDER'}\"), or PLC-KD's team (--teacher and assistants)",
    }
    for verb, description in descriptions.items():
        sub = verbs.add_parser(verb, help=description, description=f"{description}.", epilog=_HELP, allow_abbrev=False)
        sub.add_argument("task", choices=tasks())
        if verb in ("train", "evaluate", "infer"):
            sub.add_argument("--role", choices=ROLES, default="student")
    verbs.choices["distill"].add_argument(
        "--soft_labels",
        choices=("online", "cached"),
        default="online",
        help="compute the teacher's in every step, or once an image, kept beside the data set (default: %(default)s)",
    )
    shown = verbs.add_parser(
        "layers", help="a network's sub-modules, to choose taps among", epilog=_HELP, allow_abbrev=False
    )
    shown.add_argument("task", choices=tasks())
    shown.add_argument("--role", choices=("student", "teacher"), default="student")
    shown.add_argument("--depth", type=int, default=2, help="levels of names, 0 for all (default: %(default)s)")
    for name in (*(verb for verb in descriptions if verb != "prepare"), "layers"):
        help_ = "YAML file over the bundle's, another teacher_def for example; may be repeated"
        verbs.choices[name].add_argument("--overlay", action="append", default=[], metavar="FILE", help=help_)
    listed = verbs.add_parser("methods", help="the methods: papers, what they read, learn and cost", allow_abbrev=False)
    listed.add_argument("--markdown", action="store_true", help="as in README")
    demo = verbs.add_parser("demo", help="the whole way on drawn data, in five minutes", allow_abbrev=False)
    demo.add_argument("--output_dir", default="medkd_demo", help="folder for everything (default: %(default)s)")
    demo.add_argument("--seed", type=int, default=0)
    return root


def main(arguments: list[str] | None = None) -> int:
    """Entry point: 0, or 1 after one line about what was wrong (MEDKD_TRACEBACK=1 shows where)."""
    parsed, rest = parser().parse_known_args(arguments)

    try:
        if parsed.verb == "demo":
            if rest:
                raise ValueError(f"unknown option(s): {' '.join(rest)}")
            from medkd.demo import demo

            demo(Path(parsed.output_dir), parsed.seed)
        elif parsed.verb == "methods":
            if rest:
                raise ValueError(f"unknown option(s): {' '.join(rest)}")
            show_methods(parsed.markdown)
        elif parsed.verb == "prepare":
            prepare(parsed.task, rest)
        elif parsed.verb == "layers":
            show_layers(parsed.task, parsed.role, parsed.depth or None, parsed.overlay, rest)
        else:
            if parsed.verb == "distill":
                from medkd.team import team_first

                models = BUNDLES / parsed.task / "models"
                rest = team_first(models, rest, lambda *member: _train(parsed.task, parsed.overlay, *member))
            role, soft_labels = getattr(parsed, "role", "student"), getattr(parsed, "soft_labels", "online")
            run_bundle(compose(parsed.verb, parsed.task, role, rest, parsed.overlay, soft_labels))
    except KeyboardInterrupt:
        print("medkd: interrupted; a run that has ended an epoch goes on with --resume True", file=sys.stderr)
        return 130
    except Exception as error:
        import os

        message = None if os.environ.get("MEDKD_TRACEBACK") else one_line_errors(error)
        if message is None:
            raise
        if parsed.verb == "prepare":
            message = str(error)  # as it is: it may list several refused cases
        print(f"medkd: error: {message}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
