"""The options of `medkd pack`, and the configuration that they change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from medkd.configs.bundles import config_files
from medkd.configs.merge import merge_files
from medkd.configs.values import convert_words
from medkd.runs.errors import UsageError

from .checks import check_options, check_required, unknown_options
from .trained import options_from_record

__all__ = ["RECORDED", "RUNTIME_OPTIONS", "BundleDetails", "read_pack_options"]

# An id whose value starts like this is read from the model's record.
RECORDED = "$runs.recorded("
# These are set when the packed bundle is used.
RUNTIME_OPTIONS = ("bundle_root", "dataset_dir", "input", "device")


class BundleDetails(NamedTuple):
    """What the packer of a bundle says of it.

    Attributes:
        version: of the bundle, such as 1.0.0.
        authors: of the model.
        copyright: of the model.
        task_name: what the model does, in words; None: the task and its classes.
        inference_only: whether the bundle lacks the configurations of a training.
    """

    version: str = "0.1.0"
    authors: str = "not stated"
    copyright: str = "not stated"
    task_name: str | None = None
    inference_only: bool = False

    def check(self) -> None:
        """Check the version, and that no text is an expression: MONAI would evaluate it.

        Raises:
            ValueError: for the first value that cannot be used.
        """
        if not re.fullmatch(r"\d+\.\d+\.\d+", self.version):
            raise UsageError(f"--version: found {self.version!r}, expected three numbers such as 1.0.0")
        for name in ("authors", "copyright", "task_name"):
            text = getattr(self, name)
            if text is not None and (not text.strip() or text.startswith(("$", "@", "%"))):
                raise UsageError(f"--{name}: found {text!r}, expected a text that does not begin with $, @ or %")


def read_pack_options(
    task: str, options: dict[str, Any], mode: str | None, overlays: Sequence[str]
) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """Check the options of a command that packs a model.

    Args:
        task: name of the bundle.
        options: ids of the configuration and their values, as they were read.
        mode: "2d" or "3d"; None: as the model was trained.
        overlays: the user's own files over the task's configuration.

    Returns:
        The options with those of the model's record, the mode, and the merged configuration of inference.

    Raises:
        FileNotFoundError: when the model does not exist.
        ValueError: for options that are unknown, missing, or set when the packed bundle is used.
    """
    files = config_files("infer", task, mode=mode or "2d")
    check_required(
        f"pack {task}", options, ("model",), lambda: unknown_options(options, merge_files([*files, *overlays]))
    )
    filled, mode = options_from_record("infer", task, options, mode)
    config = merge_files([*config_files("infer", task, mode=mode), *overlays])
    filled = convert_words(filled, config)
    computed = [name for name, value in config.items() if str(value).startswith(RECORDED)]
    check_options({name: value for name, value in filled.items() if name not in computed}, config)
    for name in RUNTIME_OPTIONS:
        if name in options:
            raise UsageError(f"--{name}: is chosen when the packed bundle is used, not when it is packed")
    return filled, mode, config
