"""The cases that an interrupted inference has predicted: the same command skips them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from .files import write_atomically
from .folder import RunFolder
from .lock import FolderLock

__all__ = ["PREDICTION_SUFFIXES", "PROGRESS", "PredictedCases"]

PREDICTION_SUFFIXES = (".nii.gz", ".png", ".seg.nrrd", ".dcm")
PROGRESS = ".predicted.jsonl"  # in the output folder, until all cases are predicted
# Ids that say where files are. The model's and the images' contents are compared instead of their places.
_PLACES = {"bundle_root", "dataset_dir", "input", "logging_file", "meta_file", "model", "output_dir"}
_DETACHED = (".nhdr", ".mhd")  # headers, whose voxels are in another file


class PredictedCases:
    """The record of the finished cases of an inference, in a file of its output folder.

    It is the context of the inference: the folder is locked within it. Each finished case is a line of the file. A case is
    skipped if the model, the options, and the content of the image and of its predictions are those of its line: after a
    power cut a file may be empty whose line is there. The file is removed when all cases are done.

    Args:
        output_dir: folder of the predictions.
        model: file of the network, or the folder of its run.
        options: all that decides a prediction besides model and image: ids and plain values.

    Raises:
        FileExistsError: if the folder holds the cases of another model or of other options, or another process has it.
    """

    def __init__(self, output_dir: str | Path, model: str | Path, options: Mapping[str, Any] | None) -> None:
        self.folder = Path(output_dir)
        self.file = self.folder / PROGRESS
        run = RunFolder.of_model(model)
        relevant = {name: value for name, value in (options or {}).items() if name not in _PLACES}
        record = run.config.read_text(errors="replace") if run.config.is_file() else ""
        text = json.dumps([relevant, record], sort_keys=True, default=str)
        self._command = _checksum(run.model if Path(model).is_dir() else Path(model), text)
        self._lock = FolderLock(self.folder)
        self._done: dict[str, tuple[str, str]] = {}  # case -> checksums of its image and of its predictions

    def __enter__(self) -> PredictedCases:
        if self.folder.is_dir():
            self._lock.__enter__()
            self._done = self._read()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.file.unlink(missing_ok=True)
        self._lock.__exit__(kind, error, trace)

    def remaining(self, items: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the indices of the cases that are still to be predicted; print how many are skipped, and which are gone.

        Args:
            items: "case" and "image" of each case: its file, its folder with a DICOM series, or a list of these.
        """
        indices = [i for i, item in enumerate(items) if not self._is_done(item["case"], item["image"])]
        if skipped := len(items) - len(indices):
            print(
                f"note: {self.folder}: an interrupted call of this command predicted {skipped} of {len(items)} cases: "
                "they are skipped",
                flush=True,
            )
        for case in sorted(self._done.keys() - {item["case"] for item in items}):
            print(
                f"note: {self.folder}: the prediction of {case} stays, though the input holds no image of this name any more",
                flush=True,
            )
        return indices

    def _is_done(self, case: str, image: str | Sequence[str]) -> bool:
        files = [image] if isinstance(image, str) else image
        if case not in self._done or any(file.lower().endswith(_DETACHED) for file in files):
            return False
        of_image, of_predictions = self._done[case]
        if of_image != _image_checksum(files):
            print(f"note: {', '.join(files)} has changed since it was predicted: it is predicted again", flush=True)
            return False
        if of_predictions != self._predictions(case):
            print(
                f"note: {self.folder}: the prediction of {case} is not as it was written: it is predicted again",
                flush=True,
            )
            return False
        return True

    def _predictions(self, case: str) -> str:
        """Return the checksums of the files of a case."""
        names = [f"{case}{postfix}{suffix}" for postfix in ("", "_probabilities") for suffix in PREDICTION_SUFFIXES]
        return " ".join(_checksum(self.folder / name) for name in names if (self.folder / name).is_file())

    def add(self, case: str, image: str | Sequence[str]) -> None:
        """Record that the prediction of a case is written."""
        self._lock.acquire()
        is_new = not self._done
        files = [image] if isinstance(image, str) else image
        self._done[case] = _image_checksum(files), self._predictions(case)
        if is_new:
            write_atomically(self.file, lambda path: path.write_text(_line(command=self._command)))
        with self.file.open("a", encoding="utf-8") as file:
            file.write(_case_line(case, *self._done[case]))

    def _read(self) -> dict[str, tuple[str, str]]:
        """Return the cases of the file. A line that was cut off by a kill, or that is none of ours, does not count."""
        if not self.file.is_file():
            return {}
        lines = [_parse(line) for line in self.file.read_text(encoding="utf-8", errors="replace").splitlines()]
        if not lines or lines[0].get("command") != self._command:
            raise FileExistsError(
                f"--output_dir {self.folder}: holds predictions of another model or of other options: choose another folder"
            )
        keys = {"case", "image", "predictions"}
        done = {line["case"]: (line["image"], line["predictions"]) for line in lines[1:] if line.keys() == keys}
        text = "".join(
            [_line(command=self._command), *(_case_line(case, *checksums) for case, checksums in done.items())]
        )
        write_atomically(
            self.file, lambda path: path.write_text(text, encoding="utf-8")
        )  # without a line that was cut off
        return done


def _line(**content: str) -> str:
    return json.dumps(content) + "\n"


def _case_line(case: str, image: str, predictions: str) -> str:
    return _line(case=case, image=image, predictions=predictions)


def _parse(line: str) -> dict[str, str]:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    is_text = isinstance(content, dict) and all(isinstance(value, str) for value in content.values())
    return content if is_text else {}


def _image_checksum(files: Sequence[str]) -> str:
    return " ".join(_checksum(Path(file)) for file in files)


def _checksum(path: Path, text: str = "") -> str:
    """Return the checksum of a file, or of the files of a folder, and of a text."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(repr(file.name).encode())
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
