"""Cached soft labels: the outputs of a teacher are computed once and kept beside the data set."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import Dataset
from monai.transforms import DivisiblePad
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from medkd.correction import SoftLabels, TeacherTeam, TeamOutputs
from medkd.networks import Features, required_multiple
from medkd.parallel.group import all_gather_object, gather_in_order, progress_disabled, shard_indices
from medkd.runs.case_names import check_case_name
from medkd.runs.checksums import append_checksum, check_appended
from medkd.runs.files import write_atomically

from .cache_files import check_room, fingerprint, to_half
from .protocol import NetworkTeacher

__all__ = ["CachedSoftLabels", "CachedTeacher"]

_KEY = "soft_labels"
_VERSION = 1  # of the content of a file


class CachedTeacher(nn.Module):
    """A `Teacher` whose networks' outputs come with the batch instead of being computed.

    It is called ``teacher(cached, target)`` with what `CachedSoftLabels` keeps, moved by the transforms as the image was.
    The correction of a team runs on it in each step, in float32, with the moved labels. So every pixel is correct after any
    flip, rotation or crop.

    Args:
        teacher: the teacher whose outputs are cached. Its networks are not run.
    """

    reads: str = _KEY

    def __init__(self, teacher: NetworkTeacher) -> None:
        super().__init__()
        self.teacher = teacher
        self.output_channels = teacher.output_channels

    def forward(self, cached: Tensor, target: Tensor, labelled: Tensor | None = None) -> Features:
        """Return features that hold logits alone.

        Args:
            cached: outputs (N, channels, *spatial).
            target: (N, 1, *spatial) integer labels.
            labelled: (L,) int64 indices of the images that have labels; None: all have.
        """
        return Features(self.teacher.logits_from(self.outputs(cached), target, labelled))

    def outputs(self, cached: Tensor) -> TeamOutputs:
        """Return the cached outputs (N, channels, *spatial) network by network, in float32."""
        maps = cached.float().split(list(self.output_channels.values()), dim=1)
        return TeamOutputs(**dict(zip(self.output_channels, maps, strict=True)))

    def soft_labels(self, cached: Tensor, target: Tensor) -> SoftLabels:
        """Return the four stages of the team's chain for cached outputs and labels (N, 1, *spatial).

        Raises:
            ValueError: If the teacher is no team.
        """
        if self.team is None:
            raise ValueError("CachedTeacher: found a single teacher, expected a team: nothing corrects its soft labels")
        return self.team.correction(self.outputs(cached), target)

    def start_epoch(self) -> None:
        """Empty the memory of the team's correction."""
        self.teacher.start_epoch()

    @property
    def team(self) -> TeacherTeam | None:
        """The team whose outputs are cached; None for a single teacher."""
        return self.teacher.team


class CachedSoftLabels(Dataset):
    """A data set that adds the outputs of the teacher's networks to its items, under "soft_labels".

    Each network runs once on each image. Its logits, and T's embedding if the similarity correction reads it, are kept in
    half precision, one file for each image. A file is found again by the networks' weights and the content of the image:
    another teacher, window or image size has its own files, and a run that was stopped continues. Several processes share
    the work.

    Cached soft labels differ in three ways from a teacher that sees the augmented image. Values are rounded to half
    precision. A network's output on a flipped image is not exactly the flipped output. And if the random transforms crop, or
    change intensities (``--augmentation strong``), the networks saw the whole image as it is stored. benchmarks/README.md
    states the size of the first two.

    Args:
        data: items with "image" (C, *spatial) and "case" (and "slice"), before any random transform.
        teacher: the teacher whose networks run.
        folder: where files are kept, in a sub-folder named by the weights.
        device: device of the networks.

    Raises:
        OSError: If the disk has too little room. This is checked before anything is written.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        teacher: NetworkTeacher,
        folder: str | Path,
        device: torch.device | str,
    ) -> None:
        super().__init__(data)
        teacher.eval()
        # a network that takes one size alone gets the images as they are
        self.multiple = math.lcm(*(required_multiple(network, fallback=1) for network in teacher.networks))
        self.folder = Path(folder) / fingerprint(teacher, _VERSION, self.multiple)
        self.files = self._fill(teacher, torch.device(device))
        # in shared memory: each file is checked once, by whichever process reads it first
        self._is_checked = torch.zeros(len(self.files), dtype=torch.bool).share_memory_()

    def _transform(self, index: int) -> dict[str, Any]:
        if not self._is_checked[index]:
            _check(self.files[index])
            self._is_checked[index] = True
        return {**self.data[index], _KEY: torch.from_numpy(np.load(self.files[index]))}

    def _fill(self, teacher: NetworkTeacher, device: torch.device) -> list[Path]:
        """Compute the missing files of this process's shard; return those of all images."""
        files, start, written = [], time.monotonic(), 0
        channels = sum(teacher.output_channels.values())
        for index in tqdm(shard_indices(len(self.data)), desc="soft labels", leave=False, disable=progress_disabled()):
            item = self.data[index]
            image = torch.as_tensor(item["image"])
            files.append(self.folder / _file_name(item, image))
            if _is_complete(files[-1], (channels, *image.shape[1:])):
                continue
            maps = _compute_outputs(teacher, image, device, self.multiple)
            if not written:
                check_room(self.folder, maps.nbytes * (len(self.data) - index))
            _save(files[-1], maps)
            written += 1
        files = gather_in_order(files, len(self.data))  # waits until all processes have written theirs
        size = sum(file.stat().st_size for file in files) / 2**20
        seconds = time.monotonic() - start
        total = sum(all_gather_object(written))
        print(
            f"soft labels of {len(files)} images, {total} of them new: {seconds:.0f} s, {size:.0f} MiB in {self.folder}",
            flush=True,
        )
        return files


@torch.no_grad()
def _compute_outputs(teacher: NetworkTeacher, image: Tensor, device: torch.device, multiple: int) -> np.ndarray:
    """Return the outputs of all networks on an image (C, *spatial): (channels, *spatial) in half precision."""
    size = image.shape[1:]
    padded = DivisiblePad(multiple, mode="edge", method="end")(image).as_subclass(Tensor)
    padded = padded.to(device, torch.float32)[None]
    mode = "bilinear" if len(size) == 2 else "trilinear"
    maps = [
        output if output.shape[2:] == padded.shape[2:] else F.interpolate(output.float(), padded.shape[2:], mode=mode)
        for output in teacher.outputs(padded)
        if output is not None
    ]
    joined = torch.cat(maps, dim=1)[0]
    for axis, edge in enumerate(size, start=1):
        joined = joined.narrow(axis, 0, edge)
    return to_half(joined)


def _save(file: Path, maps: np.ndarray) -> None:
    def write(path: Path) -> None:
        np.save(path, maps)
        append_checksum(path)

    write_atomically(file, write)


def _check(file: Path) -> None:
    try:
        check_appended(file)
    except ValueError as error:
        raise ValueError(f"{file}: {error}: remove it, the same command computes it again") from None


def _file_name(item: Mapping[str, Any], image: Tensor) -> str:
    """Return a name with the case, the slice, and a checksum of the image's content."""
    slice_ = f"_{item['slice']:04d}" if "slice" in item else ""
    content = repr((image.dtype, image.shape)).encode() + np.ascontiguousarray(image.numpy()).tobytes()
    return f"{check_case_name(item['case'])}{slice_}-{zlib.crc32(content):08x}.npy"


def _is_complete(file: Path, shape: tuple[int, ...]) -> bool:
    """Return whether the file can be read: a truncated one is computed again."""
    if not file.is_file():
        return False
    try:
        maps = np.load(file, mmap_mode="r")
    except Exception:  # a damaged header raises TokenError, OverflowError and others
        return False
    return maps.shape == shape and maps.dtype == np.float16
