"""Names that the records of older runs use, and their names of today.

A record holds the whole resolved configuration of a run, and with it the names of classes and functions as they were on
that day. `rename_config` writes today's names, so that an old run can still be evaluated, exported, packed and reported.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["RENAMED_ARGUMENTS", "RENAMES", "rename_config"]

# Whoever renames something that a configuration of a bundle names adds a line: old dotted name -> new dotted name.
# A name that is renamed again gets one more line, its old lines stay.
RENAMES = {
    "medkd.correction.RightMemory": "medkd.correction.CorrectMemory",
    "medkd.correction.is_right": "medkd.correction.is_correct",
    "medkd.correction.swap_wrong": "medkd.correction.swap_incorrect",
    "medkd.data.NIFTI": "medkd.io.NIFTI",
    "medkd.data.OwnCases": "medkd.parallel.samplers.DistributedEvalSampler",
    "medkd.data.PICTURES": "medkd.io.PICTURES",
    "medkd.data.RandPatchd": "medkd.data.RandStoredPatch",
    "medkd.data.SaveLabelsd": "medkd.data.SavePredictiond",
    "medkd.data.SavePredictiond": "medkd.data.SaveImagePredictiond",
    "medkd.data.SharedOrder": "medkd.parallel.samplers.DistributedSamplerWrapper",
    "medkd.data.TargetLabeld": "medkd.data.MapLabelsd",
    "medkd.data.VOLUMES": "medkd.io.VOLUMES",
    "medkd.data.as_rgb": "medkd.io.as_rgb",
    "medkd.data.draw_cases": "medkd.data.subsample_cases",
    "medkd.data.find_images": "medkd.io.find_images",
    "medkd.distributed.start": "medkd.parallel.start",
    "medkd.distributed.stop": "medkd.parallel.stop",
    "medkd.engines.BoundaryBatches": "medkd.plckd.BoundaryBatches",
    "medkd.engines.CorrectionReport": "medkd.plckd.CorrectionReport",
    "medkd.engines.FalsePixelBatches": "medkd.plckd.FalsePixelBatches",
    "medkd.engines.ResumableRun": "medkd.runs.ResumableRun",
    "medkd.engines.SliceBatchInferer": "medkd.inferers.SliceBatchInferer",
    "medkd.engines.StoredSoftLabels": "medkd.teachers.CachedSoftLabels",
    "medkd.engines.StoredTeacher": "medkd.teachers.CachedTeacher",
    "medkd.engines.VolumeInferer": "medkd.inferers.VolumeInferer",
    "medkd.engines.begun_from": "medkd.plckd.init_assistant",
    "medkd.engines.infer_each": "medkd.inferers.infer_each",
    "medkd.engines.norm_layers": "medkd.plckd.norm_layers",
    "medkd.engines.teacher_team": "medkd.plckd.teacher_team",
    "medkd.handlers.RunRecord": "medkd.runs.RunRecord",
    "medkd.metrics.label_map": "medkd.metrics.logits_to_labels",
    "medkd.networks.input_form": "medkd.networks.input_spec",
    "medkd.networks.load_teacher": "medkd.teachers.load_teacher",
    "medkd.options.check": "medkd.cli.check_command",
    "medkd.options.check_assistant": "medkd.runs.check_assistant",
    "medkd.options.check_model": "medkd.runs.check_model",
    "medkd.options.recorded": "medkd.runs.recorded",
    "medkd.visuals.draw_comparison": "medkd.visuals.plot_comparison",
    "medkd.visuals.draw_runs": "medkd.visuals.plot_runs",
    "medkd.visuals.draw_team": "medkd.visuals.plot_team",
}

# Keyword arguments of a `_target_`: new dotted name of the class -> {old argument: new argument}.
RENAMED_ARGUMENTS: dict[str, dict[str, str]] = {
    "medkd.visuals.plot_team": {"team": "teacher"},
}

# Modules that older configurations import and that are no more.
_REMOVED = ("distributed", "options")


def rename_config(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with today's names of classes and functions.

    Names are replaced in ``_target_`` and in ``$`` expressions, there also behind an alias (``data.`` for
    ``medkd.data.``). The ``imports`` of the configuration follow.

    Args:
        config: the content of a record; it stays as it is.

    Returns:
        A new configuration; one without old names equals the argument.

    Example:
        >>> rename_config({"inferer": {"_target_": "medkd.engines.VolumeInferer"}})
        {'inferer': {'_target_': 'medkd.inferers.VolumeInferer'}}
        >>> rename_config({"image_size": "$options.recorded(@model, 'image_size')"})
        {'image_size': "$runs.recorded(@model, 'image_size')"}
    """
    packages: set[str] = set()
    renamed = {name: _rename(value, name, packages) for name, value in config.items()}
    if packages and isinstance(imports := renamed.get("imports"), list):
        needed = [_import(package) for package in sorted(packages)]
        removed = [_import(package) for package in _REMOVED]
        renamed["imports"] = [line for line in imports if line not in removed]
        renamed["imports"] += [line for line in needed if line not in imports]
    return renamed


def _import(package: str) -> str:
    return f"$import medkd.{package} as {package}"


def _rename(value: Any, key: str, packages: set[str]) -> Any:
    """Rename in one value; ``packages`` collects the packages of the new names."""
    if isinstance(value, dict):
        content = {name: _rename(item, name, packages) for name, item in value.items()}
        arguments = RENAMED_ARGUMENTS.get(str(content.get("_target_", "")), {})
        return {arguments.get(name, name): item for name, item in content.items()}
    if isinstance(value, list):
        return [_rename(item, key, packages) for item in value]
    if not isinstance(value, str) or not (key == "_target_" or value.startswith("$")):
        return value

    def replace(match: re.Match[str]) -> str:
        name = f"medkd.{match['name']}"
        while name in RENAMES:
            name = RENAMES[name]
        packages.add(name.split(".")[1])
        return name if match["root"] else name.removeprefix("medkd.")

    return _pattern().sub(replace, value)


def _pattern() -> re.Pattern[str]:
    """Return the pattern of every old name, with or without ``medkd.``; not behind a dot, nor as the id of a ``@``."""
    names = "|".join(re.escape(name.removeprefix("medkd.")) for name in RENAMES)
    return re.compile(rf"(?<![\w.@%#])(?<!::)(?P<root>medkd\.)?(?P<name>{names})(?!\w)")
