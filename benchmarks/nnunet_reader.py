"""Read random slices by nnU-Net, in a process under its own Python (used by `loader.py`)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

Read = Callable[[int, int], float]  # (number of slices, seed) -> seconds


class NnUNet:
    """A process under nnU-Net's Python that reads slices on request, so that its rounds interleave with ours."""

    def __init__(self, python: str, folder: Path, raw: list[tuple[Path, Path]]) -> None:
        names = {name: folder / name for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")}
        target = names["nnUNet_raw"] / "Dataset001_Phantoms"
        for subfolder in ("imagesTr", "labelsTr"):
            (target / subfolder).mkdir(parents=True)
        for number, (image, label) in enumerate(raw):
            shutil.copy(image, target / "imagesTr" / f"case{number}_0000.nii.gz")
            shutil.copy(label, target / "labelsTr" / f"case{number}.nii.gz")
        labels = {"background": 0, "kidney": 1, "tumour": 2}
        properties = {"channel_names": {"0": "CT"}, "labels": labels, "numTraining": len(raw), "file_ending": ".nii.gz"}
        (target / "dataset.json").write_text(json.dumps(properties))
        self.process = subprocess.Popen(
            [python, str(Path(__file__).with_name("nnunet_slices.py"))],
            env={**os.environ, **{name: str(path) for name, path in names.items()}},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"--nnunet {python}: nnU-Net did not prepare the volumes, see above")
        self.versions = json.loads(line)

    def read(self, reader: str) -> Read:
        """Return a function that lets the process read slices with "dataset" or "loader"."""

        def seconds(count: int, seed: int) -> float:
            print(reader, count, seed, file=self.process.stdin, flush=True)
            return float(self.process.stdout.readline())

        return seconds

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait()
