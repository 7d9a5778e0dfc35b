"""Check a method and its arguments before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medkd.configs.bundles import config_files
from medkd.configs.ids import is_expression
from medkd.configs.merge import merge_files
from medkd.configs.values import convert_words
from medkd.methods import check_arguments, check_images, check_reads_logits
from medkd.runs.errors import UsageError

from .checks import check_no_files, check_options
from .data_set import check_data_set, check_has_labels, count_cases
from .trained import options_from_record

__all__ = ["check_method", "check_run_options", "method_of"]


def method_of(options: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the method that options and configuration choose, and its arguments.

    Args:
        options: ``method``, ``method_args`` and ``method_args::NAME`` are read.
        config: merged configuration.

    Raises:
        ValueError: when the arguments are no names and values.
    """
    arguments = options.get("method_args", config["method_args"])
    if not isinstance(arguments, Mapping):
        raise UsageError(f"--method_args: found {arguments!r}, expected names and values: \"{{'weight': 0.5}}\"")
    prefix = "method_args::"
    single = {name.removeprefix(prefix): value for name, value in options.items() if name.startswith(prefix)}
    return str(options.get("method", config["method"])), {**arguments, **single}


def check_method(options: Mapping[str, Any], config: Mapping[str, Any], soft_labels: str = "online") -> None:
    """Check the method of a distillation.

    Raises:
        ValueError: for an unknown method, an argument that the method does not have or of another kind, for a method that
            reads more than logits when the soft labels are cached, and for one that the images of the data set cannot teach.
    """
    method, arguments = method_of(options, config)
    if "method" not in options and is_expression(method):
        return  # of an overlay: MONAI evaluates it
    check_arguments(method, arguments)
    if soft_labels == "cached":
        check_reads_logits(method, arguments)
    if cases := count_cases(options, config):
        check_images(method, arguments, **cases)


def check_run_options(
    verb: str,
    task: str,
    options: Mapping[str, Any],
    *,
    role: str = "student",
    overlays: Sequence[str] = (),
    soft_labels: str = "online",
    mode: str = "2d",
) -> None:
    """Check the options of a run without starting it, and without importing torch or MONAI.

    Args:
        verb: "train", "distill" or another verb that runs a bundle.
        task: name of the bundle.
        options: ids of the configuration and their values, ``method_args::NAME`` among them.
        role: who is trained.
        overlays: files over the configuration of the bundle.
        soft_labels: "online" or "cached".
        mode: "2d" or "3d".

    Raises:
        ValueError: for an unknown option, a value of another kind, an unknown method, or an argument that it does not have.

    Example:
        >>> check_run_options("distill", "kits19", {"method": "kd", "method_args::wieght": 1})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        medkd.runs.errors.UsageError: method kd has no argument 'wieght': did you mean weight? it has warmup, ...
    """
    check_no_files(options)
    config = merge_files([*config_files(verb, task, role, soft_labels, mode), *overlays])
    checked = convert_words(dict(options), config)
    check_options(checked, config)
    check_data_set(task, checked, config)
    check_has_labels(checked)
    if verb == "distill":
        options_from_record(verb, task, checked, mode)  # a teacher that is there already
        check_method(checked, config, soft_labels)
