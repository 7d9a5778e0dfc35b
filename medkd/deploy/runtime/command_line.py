"""`medkd infer --model FILE.onnx`: the command line of inference without torch."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Collection
from difflib import get_close_matches
from typing import Any, NoReturn

from .inference import infer
from .onnx_model import OnnxModel

__all__ = ["infer_command", "names_onnx"]


def names_onnx(arguments: list[str]) -> bool:
    """Whether a command line is ``infer ... --model FILE.onnx``."""
    models = [
        word.partition("=")[2] or after
        for word, after in zip(arguments, [*arguments, ""][1:], strict=True)
        if word.partition("=")[0] == "--model"
    ]
    return arguments[:1] == ["infer"] and any(model.lower().endswith(".onnx") for model in models)


def infer_command(arguments: list[str], tasks: Collection[str]) -> None:
    """Runs what follows ``medkd``.

    Raises:
        ValueError: for an option that is unknown or missing or means nothing, another task than the model's, and see `infer`.
    """
    given = _parser(tasks).parse_args(arguments[1:])
    for name in ("input", "output_dir"):
        if getattr(given, name) is None:
            raise ValueError(f"medkd infer needs --{name}")
    model = OnnxModel(given.model, given.threads, given.device)
    about = model.description
    if given.task not in (None, about.task):
        raise ValueError(f"model {given.model} is of the task {about.task}, this command is of {given.task}")
    batches = {"slices": "slice_batch", "volumes": "window_batch"}
    own = {"volumes": {"overlap", "window_batch"}, "slices": {"slice_batch"}, "pictures": set()}[about.kind]
    for name in ("overlap", *batches.values()):
        if getattr(given, name) is not None and name not in own:
            raise ValueError(f"--{name}: says nothing to a model of {about.kind}")
    batch = getattr(given, batches[about.kind]) if about.kind in batches else None
    infer(model, given.input, given.output_dir, given.save_probabilities, given.overlap, batch)


class _OneLine(argparse.ArgumentParser):
    """Errors are lines, as those of every other verb."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)

    def parse_args(self, arguments: list[str]) -> argparse.Namespace:
        names = [name for name in self._option_string_actions if name.startswith("--")]
        # before anything is parsed: the value of a misspelt option would be taken for the task
        for option in (word.partition("=")[0] for word in arguments if word.startswith("--")):
            if option not in names:
                near = get_close_matches(option, names, n=1)
                raise ValueError(f"unknown option(s): {option}" + (f" (did you mean {near[0]}?)" if near else ""))
        given, unknown = self.parse_known_args(arguments)
        if unknown:
            raise ValueError(f"unexpected word(s) {' '.join(unknown)}: options are written --name value")
        return given


def _parser(tasks: Collection[str]) -> argparse.ArgumentParser:
    parser = _OneLine("medkd infer", description="predict with an exported model, without torch.", allow_abbrev=False)
    parser.add_argument("task", nargs="?", choices=tasks, help="the model says its own; another one is an error")
    parser.add_argument("--model", required=True, help="FILE.onnx that `medkd export` wrote")
    parser.add_argument("--input", help="a file, a folder with a DICOM series, or a folder of these")
    parser.add_argument("--output_dir", help="folder for the predictions")
    parser.add_argument("--save_probabilities", type=_truth, nargs="?", const=True, default=False, metavar="True")
    parser.add_argument("--overlap", type=_share, help="of neighbouring windows of volumes (default: the model's)")
    parser.add_argument("--slice_batch", type=_count, help="slices at once (default: 8)")
    parser.add_argument("--window_batch", type=_count, help="windows of volumes at once (default: 2)")
    parser.add_argument("--threads", type=_count, help="default: OMP_NUM_THREADS, else all cores")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: a GPU where ONNX Runtime finds one")
    return parser


def _count(text: str) -> int:
    value = _literal(text)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number from 1 on")
    return value


def _share(text: str) -> float:
    value = _literal(text)
    if not isinstance(value, int | float) or not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number from 0 to below 1")
    return float(value)


def _truth(text: str) -> bool:
    if text not in ("True", "False"):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected True or False")
    return text == "True"


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
