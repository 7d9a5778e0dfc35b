"""Write a packed bundle: the folder and its zip, both or neither."""

from __future__ import annotations

import copy
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

from medkd.cli.pack_options import BundleDetails
from medkd.configs.bundles import BUNDLES
from medkd.runs.folder import RunFolder
from medkd.runs.lock import FolderLock

from . import configs
from .metadata import bundle_metadata
from .publishing import clean_interrupted, partial_prefix, publish
from .readme import render_page
from .scripts import copied_sources, required_packages, write_scripts
from .student import Student, read_student

__all__ = ["pack"]


def pack(
    task: str,
    options: dict[str, Any],
    mode: str | None = None,
    overlays: Sequence[str] = (),
    details: BundleDetails | None = None,
) -> tuple[Path, Path]:
    """Pack a student into ``output_dir`` (default: ``<task>_segmentation``), and write a zip of that folder beside it.

    Equal models and options give equal files, byte for byte.

    Args:
        task: name of the bundle that the student was trained with.
        options: ids and their values: ``model``, ``output_dir``, and the options that the model's record lacks.
        mode: "2d" or "3d"; None: as the model was trained.
        overlays: the user's files over the task's configuration, as in the training.
        details: version, authors, and whether the bundle is for inference only; None: the defaults.

    Returns:
        The folder and the zip.

    Raises:
        FileExistsError: if the folder or the zip exists.
        FileNotFoundError: if the model does not exist.
        ValueError: see `read_student`.
    """
    # MONAI Label recognises bundles for segmentation by the name of their folder
    folder = Path(str(options.get("output_dir", f"{task}_segmentation"))).absolute()
    archive = folder.with_name(f"{folder.name}.zip")
    clean_interrupted(folder, archive)
    for target in (folder, archive):
        if target.exists() or target.is_symlink():
            raise FileExistsError(f"--output_dir {target}: is there already: choose another folder")
    details = details or BundleDetails()
    details.check()
    student = read_student(task, options, mode, overlays)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=partial_prefix(folder), dir=folder.parent) as temporary,
        FolderLock(temporary),
    ):
        _write_folder(student, Path(temporary) / folder.name, details)
        publish(Path(temporary), folder, archive)
    return folder, archive


def _write_folder(student: Student, folder: Path, details: BundleDetails) -> None:
    _write_template(student.task, folder)
    train = configs.training_source(student)
    closure = configs.find_code(student, train)
    package, texts = copied_sources(closure, student.task)
    write_scripts(folder / "scripts" / package, texts)
    parsed = ConfigParser(copy.deepcopy(train))
    classes, image_size = (parsed.get_parsed_content(name) for name in ("classes", "image_size"))
    metadata = bundle_metadata(student, classes, list(image_size), required_packages(closure), details)
    files = {"metadata.json": metadata, "inference.json": configs.inference_config(student, package)}
    if not details.inference_only:
        files |= {
            "train.json": configs.training_config(train, package, student),
            "evaluate.json": configs.evaluation_config(student),
            **configs.overlay_configs(student),
        }
    for name, content in files.items():
        _write_json(folder / "configs" / name, content)
    models = RunFolder(folder / "models")
    with models.model.open("wb") as file:  # a path would become part of the file
        torch.save(student.network.state_dict(), file)
    # medkd's commands read this record of the training; it holds no path of this machine
    record = {"bundle_root": student.task, "mode": student.mode, **student.values, "image_size": list(image_size)}
    models.write_config({**record, "trained_with": student.trained_with})
    page = render_page(student, folder.name, metadata, details.inference_only)
    (folder / "docs/README.md").write_text(page, encoding="utf-8")


def _write_template(task: str, folder: Path) -> None:
    """Create the folders, and copy the files that packing does not change."""
    for name in ("configs", "models", "docs", "scripts"):
        (folder / name).mkdir(parents=True)
    for name in ("LICENSE", "docs/data_license.txt", "configs/logging.conf"):
        shutil.copyfile(BUNDLES / task / name, folder / name)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(configs.to_json(content), indent=2) + "\n", encoding="utf-8")
