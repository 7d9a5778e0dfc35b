"""Writing a packed bundle: the folder and its zip, both or none."""

from __future__ import annotations

import copy
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from medkd.cli.bundles import BUNDLES
from medkd.runs.folder import RunFolder
from medkd.runs.lock import FolderLock, clean_partial

from . import configs
from .metadata import bundle_metadata
from .readme import page
from .scripts import requirements, sources, unique_name, write_scripts
from .student import Student, read_student

__all__ = ["pack"]


def pack(
    task: str, options: dict[str, Any], mode: str | None = None, overlays: Sequence[str] = ()
) -> tuple[Path, Path]:
    """Packs a student into ``--output_dir`` (default: ``<task>_segmentation``) and a zip of that folder beside it.

    Args:
        task: name of the bundle that the student was trained with.
        options: ids and their values: ``model``, ``output_dir``, and what the model's record lacks.
        mode: "2d" or "3d"; None: as the model was trained.
        overlays: the user's own files over the task's configuration, those of the training.

    Returns:
        The folder and the zip.

    Raises:
        FileExistsError: when one of them is there already.
        FileNotFoundError, ValueError: see `read_student`.
    """
    # MONAI Label takes bundles for segmentation by the name of their folder
    folder = Path(str(options.get("output_dir", f"{task}_segmentation"))).absolute()
    archive = folder.with_name(f"{folder.name}.zip")
    for target in (folder, archive):
        if target.exists() or target.is_symlink():
            raise FileExistsError(f"output_dir {target}: is there already: choose another folder")
    student = read_student(task, options, mode, overlays)
    folder.parent.mkdir(parents=True, exist_ok=True)
    clean_partial(folder.parent, f".{folder.name}.partial-*")
    with (
        tempfile.TemporaryDirectory(prefix=f".{folder.name}.partial-", dir=folder.parent) as temporary,
        FolderLock(temporary),
    ):
        # The folder has its own name there already: the zip begins with it.
        _write(student, Path(temporary) / folder.name)
        shutil.make_archive(f"{temporary}/bundle", "zip", root_dir=temporary, base_dir=folder.name)
        os.replace(f"{temporary}/bundle.zip", archive)
        try:
            os.rename(Path(temporary) / folder.name, folder)
        except BaseException:
            archive.unlink()
            raise
    return folder, archive


def _write(student: Student, folder: Path) -> None:
    for name in ("configs", "models", "docs", "scripts"):
        (folder / name).mkdir(parents=True)
    template = BUNDLES / student.task
    for name in ("LICENSE", "docs/data_license.txt", "configs/logging.conf"):
        shutil.copyfile(template / name, folder / name)
    train = configs.training_source(student)
    closure = configs.find_code(student, train)
    texts = sources(closure)
    package = unique_name(student.task, texts)
    write_scripts(folder / "scripts" / package, texts)
    parsed = ConfigParser(copy.deepcopy(train))
    classes, image_size = (parsed.get_parsed_content(name) for name in ("classes", "image_size"))
    metadata = bundle_metadata(student, classes, list(image_size), requirements(closure))
    files = {
        "metadata.json": metadata,
        "inference.json": configs.inference(student, package),
        "train.json": configs.training(train, package),
        "evaluate.json": configs.evaluation(student),
        **configs.overlays(student),
    }
    for name, content in files.items():
        _write_json(folder / "configs" / name, content)
    models = RunFolder(folder / "models")
    models.save_model(student.network.state_dict())
    # so that our own commands take the packed model as it was trained; no path of this machine is in it
    record = {"bundle_root": student.task, "mode": student.mode, **student.values, "trained_with": student.trained_with}
    models.write_config(record)
    (folder / "docs/README.md").write_text(page(student, folder.name, metadata), encoding="utf-8")


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(configs.plain(content), indent=2) + "\n", encoding="utf-8")
