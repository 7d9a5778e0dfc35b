"""`medkd infer --model FILE.onnx`: the command line of inference without torch."""

from __future__ import annotations

import argparse
import ast
import dataclasses
from collections.abc import Collection
from typing import Any, NoReturn

from medkd.io import FORMATS, KINDS, LabelFormat, check_format_options
from medkd.runs.errors import UsageError, did_you_mean

from .choice import AUTO, open_model
from .inference import Components, infer
from .runtimes import PRECISIONS, RUNTIMES
from .spec import ModelSpec

__all__ = ["infer_command", "names_onnx"]

_BATCH_OPTIONS = {"slices": "slice_batch", "volumes": "window_batch"}
_OPTIONS_OF_A_KIND = {"volumes": {"overlap", "window_batch"}, "slices": {"slice_batch"}, "pictures": set[str]()}


def names_onnx(arguments: list[str]) -> bool:
    """Return whether a command line is ``infer ... --model FILE.onnx``."""
    models = [
        word.partition("=")[2] or following
        for word, following in zip(arguments, [*arguments, ""][1:], strict=True)
        if word.partition("=")[0] == "--model"
    ]
    return arguments[:1] == ["infer"] and any(model.lower().endswith(".onnx") for model in models)


def infer_command(arguments: list[str], tasks: Collection[str]) -> None:
    """Run the command line of an exported network.

    Args:
        arguments: what follows ``medkd``, "infer" included.
        tasks: names of the bundles.

    Raises:
        ValueError: for an option that is unknown, missing or without effect, and for another task than the model's. See also
            `infer`.
    """
    options = _parser(tasks).parse(arguments[1:])
    for name in ("input", "output_dir"):
        if getattr(options, name) is None:
            raise UsageError(f"medkd infer needs --{name}")
    model = open_model(options.model, options.threads, options.device, options.runtime, options.precision)
    spec = model.description
    if options.task not in (None, spec.task):
        raise ValueError(f"--model {options.model}: found the task {spec.task}, expected {options.task}")
    for name in ("overlap", *_BATCH_OPTIONS.values()):
        if getattr(options, name) is not None and name not in _OPTIONS_OF_A_KIND[spec.kind]:
            raise ValueError(f"--{name} has no effect with a model of {spec.kind}")
    if options.convert:
        if not spec.form:
            raise ValueError("--convert has no effect: this model takes pictures of any form, or scans")
        model.description = dataclasses.replace(spec, convert=True)
    if options.resample_channels and spec.channels == 1:
        raise ValueError("--resample_channels has no effect: this model takes images of one channel")
    batch = getattr(options, _BATCH_OPTIONS[spec.kind]) if spec.kind in _BATCH_OPTIONS else None
    infer(
        model,
        options.input,
        options.output_dir,
        options.save_probabilities,
        options.overlap,
        batch,
        Components(options.largest_component, options.min_volume),
        _label_format(options, spec),
        options.resample_channels,
    )


def _label_format(options: argparse.Namespace, spec: ModelSpec) -> LabelFormat:
    given = {name: getattr(options, name) for name in ("format", "dicom_seg", "dicom_codes")}
    for name in given:
        if given[name] is not None and spec.kind == "pictures":
            raise ValueError(f"--{name} has no effect with a model of pictures")
    check_format_options(given)
    return LabelFormat(
        spec.classes,
        given["format"] or "nifti",
        given["dicom_seg"] or "binary",
        given["dicom_codes"],
        f"medkd {spec.task}",
    )


class _OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, as those of every other verb."""

    def error(self, message: str) -> NoReturn:
        """Raise the message in place of printing the usage."""
        raise UsageError(message)

    def parse(self, words: list[str]) -> argparse.Namespace:
        """Parse the words and refuse whatever is not an option."""
        names = [name for name in self._option_string_actions if name.startswith("--")]
        # before anything is parsed: the value of a misspelt option would be taken for the task
        for option in (word.partition("=")[0] for word in words if word.startswith("--")):
            if option not in names:
                hint = did_you_mean(option, names, count=1)
                raise UsageError(f"unknown option(s): {option}" + (f" ({hint})" if hint else ""))
        options, unknown = self.parse_known_args(words)
        if unknown:
            raise UsageError(f"unexpected positional argument(s) {' '.join(unknown)}: options are written --name value")
        return options


def _parser(tasks: Collection[str]) -> _OneLineParser:
    parser = _OneLineParser(
        "medkd infer", description="Predict with an exported model, without torch.", allow_abbrev=False
    )
    parser.add_argument("task", nargs="?", choices=tasks, help="name of the bundle (default: the model's own)")
    parser.add_argument("--model", required=True, help="FILE.onnx that `medkd export` wrote")
    parser.add_argument("--input", help="a file, a folder with a DICOM series, or a folder of these")
    parser.add_argument("--output_dir", help="folder for the predictions")
    _add_flag(parser, "--save_probabilities", "write the probabilities of the foreground classes too")
    _add_flag(parser, "--convert", "convert pictures of another form (grey, RGB, bits) than those of the training")
    _add_flag(parser, "--resample_channels", "resample channels on another grid than the first onto it")
    _add_flag(parser, "--largest_component", "keep the largest connected component of each class")
    parser.add_argument(
        "--min_volume",
        type=_volume,
        default=0.0,
        help="remove connected components below this volume: ml, or pixels of pictures (default: 0)",
    )
    parser.add_argument(
        "--overlap", type=_share, help="share of neighbouring windows of volumes (default: the model's)"
    )
    parser.add_argument("--format", choices=tuple(FORMATS), help="format of predicted volumes (default: nifti)")
    parser.add_argument("--dicom_seg", choices=KINDS, help="kind of DICOM-SEG (default: binary)")
    parser.add_argument("--dicom_codes", help="JSON file with the codes of the classes in DICOM-SEG")
    parser.add_argument("--slice_batch", type=_positive_int, help="slices at once (default: 8)")
    parser.add_argument("--window_batch", type=_positive_int, help="windows of volumes at once (default: 2)")
    parser.add_argument("--threads", type=_positive_int, help="threads (default: OMP_NUM_THREADS, else all cores)")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="device (default: a GPU if ONNX Runtime finds one)")
    parser.add_argument(
        "--runtime",
        choices=(AUTO, *RUNTIMES),
        default=AUTO,
        help="package that runs the network (default: auto, the faster one here, measured once on one window)",
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=PRECISIONS[0],
        help="precision of the network (default: float32); bf16 needs OpenVINO",
    )
    return parser


def _add_flag(parser: _OneLineParser, name: str, meaning: str) -> None:
    parser.add_argument(name, type=_bool, nargs="?", const=True, default=False, metavar="True", help=meaning)


def _positive_int(text: str) -> int:
    value = _literal(text)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number from 1 on")
    return value


def _share(text: str) -> float:
    value = _literal(text)
    if not isinstance(value, int | float) or not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number from 0 to below 1")
    return float(value)


def _volume(text: str) -> float:
    value = _literal(text)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number from 0 on")
    return float(value)


def _bool(text: str) -> bool:
    if text not in ("True", "False"):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected True or False")
    return text == "True"


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
