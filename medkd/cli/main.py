"""The `medkd` command: prints the ``monai.bundle run`` command that it composes, then runs it."""

from __future__ import annotations

import argparse
import ast
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import medkd
from medkd.deploy.runtime import infer_command, names_onnx
from medkd.runs.errors import one_line_errors
from medkd.runs.signals import EXIT_CODE, Terminated, raise_on_sigterm

from . import commands, listings

__all__ = ["main"]

ROLES = ("student", "teacher", "false_pixel_assistant", "boundary_assistant")
# what a command may change of an experiment's plan
PLAN_OPTIONS = {"seeds": list, "tasks": list, "rows": list, "options": dict, "teacher": dict}

_HELP = """\
All further options are ids of the bundle's configuration: --max_epochs 20 --student_width 16 --seed 1 ...
(see bundles/<task>/configs/train.yaml; nested ids are written train::trainer::clip_norm). A misspelt one stops the run."""

_HELP_OF_PREPARE = """\
All tasks: --dataset_dir DATA --split random|sorted|FILE.json --fold 0 --folds 5 --seed 0 --skip_bad True --overwrite True;
most: --source FOLDER; nifti: --images FOLDER --labels FOLDER --classes kidney,tumour --window -200 300
--spacing 3 0.8 0.8 --modality ct|other --split patients.csv. What else a task takes is on its page,
bundles/<task>/docs/README.md."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as all else does, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        message = message.removeprefix("argument ")
        # the value of an option may be taken for it where there is none
        hint = ", the task stands right behind the verb" if message.startswith("task: invalid choice") else ""
        self.exit(2, f"medkd: error: {message}{hint}\n")


def _levels(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"found {text}, expected a whole number from 0 on")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """One sub-command a verb."""
    root = _Parser("medkd", description=medkd.__doc__)
    root.add_argument("--version", action="version", version=f"medkd {medkd.__version__}")
    verbs = root.add_subparsers(dest="verb", required=True, metavar="verb")
    descriptions = {
        "prepare": "official download (--source), or own volumes (nifti: --images, --labels), to a data set (--dataset_dir)",
        "train": "train a student, or with --role the teacher or one of PLC-KD's assistants, on labels",
        "distill": "train a student with a teacher (--teacher PATH) by a method (--method NAME)",
        "evaluate": "evaluate a model (--model PATH) case by case",
        "export": "write a student for other programs (--model PATH, --format torchscript | onnx | onnx-int8), and measure it",
        "infer": "predict for a file or folder (--input PATH) with a model (--model PATH)",
        "pack": "a trained student (--model PATH) as a MONAI bundle that runs without medkd: a folder (--output_dir) and a zip",
        "figures": "draw runs side by side (--runs \"{'title': 'FOLDER'}\"), or PLC-KD's team (--teacher and assistants)",
    }
    for verb, description in descriptions.items():
        help_ = _HELP_OF_PREPARE if verb == "prepare" else _HELP
        sub = verbs.add_parser(verb, help=description, description=f"{description}.", epilog=help_, allow_abbrev=False)
        sub.add_argument("task", choices=commands.tasks())
        if verb in ("train", "evaluate", "infer"):
            sub.add_argument("--role", choices=ROLES, default="student")
    verbs.choices["infer"].epilog += " A --model FILE.onnx of `medkd export` needs no task and no torch."
    verbs.choices["export"].add_argument("--format", required=True, help="torchscript, onnx or onnx-int8")
    help_ = "of training images, for the ranges of int8 (default: %(default)s)"
    verbs.choices["export"].add_argument("--calibration_windows", type=int, default=32, help=help_)
    verbs.choices["distill"].add_argument(
        "--soft_labels",
        choices=("online", "cached"),
        default="online",
        help="compute the teacher's in every step, or once an image, kept beside the data set (default: %(default)s)",
    )
    shown = verbs.add_parser(
        "layers", help="a network's sub-modules, to choose taps among", epilog=_HELP, allow_abbrev=False
    )
    shown.add_argument("task", choices=commands.tasks())
    shown.add_argument("--role", choices=("student", "teacher"), default="student")
    shown.add_argument("--depth", type=_levels, default=2, help="levels of names, 0 for all (default: %(default)s)")
    for name in (*(verb for verb in descriptions if verb != "prepare"), "layers"):
        help_ = "YAML file over the bundle's, another teacher_def for example; may be repeated"
        verbs.choices[name].add_argument(
            "--mode",
            choices=("2d", "3d"),
            help="slices, or volumes of kits19, lits, nifti (default: 2d, or as the model was trained)",
        )
        verbs.choices[name].add_argument("--overlay", action="append", default=[], metavar="FILE", help=help_)
    listed = verbs.add_parser("methods", help="the methods: papers, what they read, learn and cost", allow_abbrev=False)
    listed.add_argument("--markdown", action="store_true", help="as in README")
    reported = verbs.add_parser(
        "report", help="methods over several seeds: a table with ± over seeds", allow_abbrev=False
    )
    what = reported.add_mutually_exclusive_group(required=True)
    what.add_argument("--runs", help="\"{'title': ['FOLDER', ...]}\", one folder a seed")
    what.add_argument("--experiment", metavar="FOLDER", help="output folder of `medkd experiment`")
    reported.add_argument("--baseline", help="with --runs: title to which paired differences are given")
    reported.add_argument("--output_dir", required=True, help="folder for table.md and table.csv")
    reported.add_argument("--html", action="store_true", help="also one page to read, report.html")
    planned = verbs.add_parser(
        "experiment",
        help="the runs of a table, teachers first, by Snakemake",
        epilog="All further options are Snakemake's: --executor slurm, --profile FOLDER, --dry-run, ...",
        allow_abbrev=False,
    )
    planned.add_argument("name", help="an experiment of ours (listed by a wrong name), or a YAML file like them")
    planned.add_argument("--data", required=True, help="\"{'kits19': 'FOLDER'}\", prepared data sets")
    planned.add_argument(
        "--output_dir", required=True, help="folder for all runs; called again it does what is missing"
    )
    planned.add_argument("--cores", type=int, help="runs at once on this machine (default: 1, or as a profile says)")
    planned.add_argument("--seeds", help='"[0, 1]" in the place of the plan\'s')
    planned.add_argument("--tasks", help="\"['kits19']\": some of the plan's")
    planned.add_argument("--rows", help="\"['Teacher', 'HLFD']\": some of the plan's")
    planned.add_argument("--options", help="\"{'max_epochs': 2}\": options of every run, beside the plan's")
    planned.add_argument("--teacher", help="\"{'imagenet21k': 'FILE'}\": options of the teachers")
    demo = verbs.add_parser("demo", help="the whole way on drawn data, in five minutes", allow_abbrev=False)
    demo.add_argument("--output_dir", default="medkd_demo", help="folder for everything (default: %(default)s)")
    demo.add_argument("--seed", type=int, default=0)
    return root


def main(arguments: list[str] | None = None) -> int:
    """Entry point: 0, or 1 after one line about what was wrong (MEDKD_TRACEBACK=1 shows where)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    without_torch = names_onnx(arguments)
    parsed, options = (None, []) if without_torch else parser().parse_known_args(arguments)
    try:
        with raise_on_sigterm():
            if parsed is None:
                infer_command(arguments, commands.tasks())
            else:
                _run(parsed, options)
    except KeyboardInterrupt:
        of_an_experiment = arguments[:1] == ["experiment"]
        again = (
            "the same command goes on" if of_an_experiment else "a training that has begun goes on with --resume True"
        )
        print(f"medkd: interrupted; {again}", file=sys.stderr)
        return 130
    except Terminated as error:
        print(f"medkd: error: {error}", file=sys.stderr)
        return EXIT_CODE
    except ModuleNotFoundError as error:
        if os.environ.get("MEDKD_TRACEBACK") or str(error.name).startswith("medkd"):
            raise
        print(
            f"medkd: error: no {error.name} here: this command needs all of medkd: pip install medkd", file=sys.stderr
        )
        return 1
    except Exception as error:
        message = None if os.environ.get("MEDKD_TRACEBACK") else one_line_errors(error)
        if message is None:
            raise
        if parsed is not None and parsed.verb == "prepare":
            message = str(error)  # as it is: it may list several refused cases
        print(f"medkd: error: {message}", file=sys.stderr)
        return 1
    return 0


def _run(parsed: argparse.Namespace, options: list[str]) -> None:
    if parsed.verb in ("demo", "methods", "report") and options:
        raise ValueError(f"unknown option(s): {' '.join(options)}")
    if parsed.verb == "demo":
        from .demo import demo

        demo(Path(parsed.output_dir), parsed.seed)
    elif parsed.verb == "methods":
        listings.show_methods(parsed.markdown)
    elif parsed.verb == "report":
        if parsed.experiment:
            listings.report_experiment(parsed.experiment, parsed.baseline, parsed.output_dir, parsed.html)
        else:
            listings.report(parsed.runs, parsed.baseline, parsed.output_dir, parsed.html)
    elif parsed.verb == "experiment":
        from medkd.experiments import experiment

        from .installed_bundles import installed_bundles

        changes = {name: _literal(parsed, name, kind) for name, kind in PLAN_OPTIONS.items() if getattr(parsed, name)}
        data, folder = _literal(parsed, "data", dict), Path(parsed.output_dir)
        experiment(parsed.name, data, folder, changes, parsed.cores, options, installed_bundles())
    elif parsed.verb == "prepare":
        commands.prepare(parsed.task, options)
    elif parsed.verb == "layers":
        listings.show_layers(
            parsed.task, parsed.role, parsed.depth or None, parsed.overlay, options, parsed.mode or "2d"
        )
    elif parsed.verb == "pack":
        from medkd.deploy.bundle import pack

        print("packed:", *pack(parsed.task, options, parsed.mode, parsed.overlay), sep="\n")
    else:
        role, soft_labels = getattr(parsed, "role", "student"), getattr(parsed, "soft_labels", "online")
        options, mode = commands.options_from_record(parsed.verb, parsed.task, options, parsed.mode)
        if parsed.verb == "export":
            commands.export(parsed.task, parsed.format, options, parsed.overlay, mode, parsed.calibration_windows)
            return
        if parsed.verb == "distill":
            options = commands.train_team(parsed.task, options, parsed.overlay, soft_labels, mode)
        arguments = commands.compose(parsed.verb, parsed.task, role, options, parsed.overlay, soft_labels, mode)
        commands.run_bundle(arguments)


def _literal(parsed: argparse.Namespace, name: str, kind: type) -> Any:
    """An option whose value is written as in Python.

    Raises:
        ValueError: for a value of another kind.
    """
    text = getattr(parsed, name)
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text
    if not isinstance(value, kind) or not value:
        example = {dict: "\"{'name': 'value'}\"", list: '"[0, 1]"'}[kind]
        raise ValueError(f"--{name}: found {text!r}, expected the form {example}")
    return value


if __name__ == "__main__":
    sys.exit(main())
