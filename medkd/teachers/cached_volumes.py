"""Cached soft labels of volumes: the maps of a teacher over whole volumes, of which training reads patches."""

from __future__ import annotations

import copy
import math
import shutil
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import Dataset, MetaTensor
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from medkd.data.patch_maps import MapGrid, map_grid
from medkd.data.volume_store import SUFFIX, content_checksum, maps_shape, write_maps
from medkd.io import image_files
from medkd.parallel.group import (
    all_gather_object,
    barrier,
    is_main_process,
    processes,
    progress_disabled,
    shard_indices,
)
from medkd.runs.case_names import check_case_name
from medkd.runs.lock import FolderLock

from .adapter import TeacherAdapter
from .cache_files import check_room, fingerprint, to_half
from .ensemble import Ensemble
from .geometry import Grid
from .protocol import NetworkTeacher
from .volume_inferer import TeacherInferer

__all__ = ["CachedVolumeLabels"]

_KEY = "soft_labels"
_VERSION = 1  # of the content of a file
_PADDING = -1  # what an image is padded with, as in training


class CachedVolumeLabels(Dataset):
    """A data set of volumes that adds to each the file of its soft labels, under "soft_labels".

    Each network of the teacher runs once over each volume, in windows blended as in inference, at the spacing and with the
    windows of its own training. Its logits, and T's embedding if the similarity correction reads it, are interpolated to the
    student's spacing once and kept in half precision, compressed, one file for each volume. `RandStoredPatch` reads the
    patch of the image out of it. Volumes smaller than the student's patch are padded as patches are.

    A file is found again by the networks' weights, the settings, and the checksums of the image's file: another teacher,
    window or spacing has its own files, and a run that was stopped continues. The processes of a run share the work. Another
    run with the same teacher waits until all is written.

    Cached soft labels differ from those of a teacher that sees the patch: windows overlap and are blended, so that a patch's
    border has the context of the volume; and see `CachedSoftLabels` for rounding and random transforms.

    Args:
        data: entries of a data list with "image", "case", "shape" and "spacing".
        teacher: the teacher whose networks run.
        folder: where files are kept, in a sub-folder named by the weights and settings.
        device: device of the networks.
        preprocessing: from an entry's image to the network's, a MetaTensor (C, *spatial).
        inferer: runs T over a volume. Assistants run at the spacing and in windows of the student.
        roi_size: slices, rows, columns of the student's patch.
        spacing: mm per voxel of the student; None: the volumes' own.
        settings: plain values that decide what the networks see, such as the window.

    Raises:
        OSError: If the disk has too little room.
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        teacher: NetworkTeacher,
        folder: str | Path,
        device: torch.device | str,
        preprocessing: Callable[[dict[str, Any]], Mapping[str, Any]],
        inferer: TeacherInferer,
        roi_size: Sequence[int],
        spacing: Sequence[float] | None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data)
        self.teacher, self.preprocessing, self.device = teacher, preprocessing, torch.device(device)
        teacher.eval()
        self.inferer = copy.copy(inferer)
        self.inferer.output_spacing = spacing
        self.student_grid = Grid(spacing and tuple(spacing), tuple(roi_size))
        decided_by: tuple[Any, ...] = (_VERSION, inferer.grids, inferer.overlap, self.student_grid, settings)
        network = teacher.taps.network
        members = network.members if isinstance(network, Ensemble) else [network]
        if any(isinstance(member, TeacherAdapter) and member.scales_by_image for member in members):
            decided_by += ("scaled by the whole volume",)  # earlier versions scaled each window
        self.folder = Path(folder) / f"volumes-{fingerprint(teacher, decided_by)}"
        self.files = self._fill()

    def _transform(self, index: int) -> dict[str, Any]:
        return {**self.data[index], _KEY: str(self.files[index])}

    def _fill(self) -> list[Path]:
        """Compute the missing files of this process's shard; return those of all volumes."""
        start = time.monotonic()
        lock = FolderLock(self.folder, wait=True)
        if lock.is_locked():
            print(f"{self.folder}: another run computes these soft labels: waiting for it", flush=True)
        with lock if is_main_process() else nullcontext():
            barrier()
            files = [self._file(index) for index in range(len(self.data))]
            missing = [index for index, file in enumerate(files) if not self._is_complete(index, file)]
            self._tell_room(missing)
            barrier()  # all have seen what is missing before one of them writes
            shard = [missing[index] for index in shard_indices(len(missing))]
            self._write(shard, files)
            all_gather_object(len(shard))  # waits until all processes have written theirs
        size = sum(file.stat().st_size for file in files) / 2**20
        seconds = time.monotonic() - start
        print(
            f"soft labels of {len(files)} volumes, {len(missing)} of them new: {seconds:.0f} s, {size:.0f} MiB in "
            f"{self.folder}",
            flush=True,
        )
        return files

    def _grid(self, index: int) -> MapGrid:
        entry, grid = self.data[index], self.student_grid
        assert grid.patch_size is not None
        return map_grid(entry["shape"], entry["spacing"], grid.patch_size, self.inferer.output_spacing)

    def _shape(self, index: int) -> tuple[int, ...]:
        return sum(self.teacher.output_channels.values()), *self._grid(index).size

    def _file(self, index: int) -> Path:
        """Return the file of a volume, whose name has a checksum of its image and of its grid."""
        entry = self.data[index]
        sums = [content_checksum(path) for path in image_files(entry["image"])]
        content = zlib.crc32(repr((sums, list(entry["spacing"]), self._grid(index))).encode())
        return self.folder / f"{check_case_name(entry['case'])}-{content:08x}{SUFFIX}"

    def _is_complete(self, index: int, file: Path) -> bool:
        """Return whether the file can be read: a truncated one is computed again."""
        try:
            return maps_shape(file) == self._shape(index)
        except (FileNotFoundError, ValueError):
            return False

    def _bytes(self, indices: Sequence[int]) -> int:
        return sum(2 * int(np.prod(self._shape(index))) for index in indices)

    def _tell_room(self, missing: Sequence[int]) -> None:
        if missing:
            free = shutil.disk_usage(self.folder).free
            print(
                f"soft labels of {len(missing)} volumes are computed: {math.ceil(self._bytes(missing) / 2**20)} MiB at most "
                f"in {self.folder} ({free // 2**20} MiB free)",
                flush=True,
            )

    def _write(self, shard: Sequence[int], files: Sequence[Path]) -> None:
        """Compute and write the files of some volumes; after each, check that the disk has room for the rest."""
        raw = written = 0
        bar = tqdm(shard, desc="soft labels", unit="volume", leave=False, disable=progress_disabled())
        for count, index in enumerate(bar, start=1):
            maps, affine = self._compute(index)
            write_maps(files[index], maps, affine)
            raw, written = raw + maps.nbytes, written + files[index].stat().st_size
            # the ratio of the compression is known only now
            check_room(self.folder, written / raw * self._bytes(shard[count:]) * processes())

    @torch.no_grad()
    def _compute(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the maps of a volume (channels, *spatial) in half precision, and their affine."""
        entry, grid = self.data[index], self._grid(index)
        image = self.preprocessing({"image": entry["image"], "case": entry["case"]})["image"]
        behind = [n - edge - before for n, edge, before in zip(grid.padded, entry["shape"], grid.before, strict=True)]
        pairs = zip(reversed(grid.before), reversed(behind), strict=True)
        voxels = F.pad(image.as_subclass(Tensor), [n for pair in pairs for n in pair], value=_PADDING)
        # of the entry: sizes are computed by its spacing, not by that of the affine, which differs by rounding
        affine = torch.diag(torch.tensor([*entry["spacing"], 1.0], dtype=torch.float64))
        padded = MetaTensor(voxels[None].to(self.device, torch.float32), affine=affine)
        maps = np.concatenate([to_half(part) for part in self._parts(padded)])
        return maps, _affine(np.asarray(image.affine), grid)

    def _parts(self, image: MetaTensor) -> list[Tensor]:
        """Return the maps (channels, *spatial) of each network, in the order of the `TeamOutputs`."""
        teacher, team = self.teacher, self.teacher.team
        if isinstance(teacher.taps.network, Ensemble):
            maps = self.inferer(image, teacher.taps.network)
        else:
            grid, adapter = self.inferer.grids[0], teacher.taps.network
            maps = self.inferer.run(image, lambda crops: _teacher_maps(teacher, crops), grid, adapter)
        of_teacher, *embedding = maps[0].split(_channels_of_teacher(teacher))
        networks = [] if team is None else [network for network in team.assistants.values() if network is not None]
        assistants = [self.inferer.run(image, network, self.student_grid)[0] for network in networks]
        return [of_teacher, *assistants, *embedding]


def _teacher_maps(teacher: NetworkTeacher, crops: Tensor) -> Tensor:
    """Return T's logits, and its embedding if the team reads it, for windows (N, C, *spatial)."""
    features = teacher.taps(crops)
    embedding = None if teacher.team is None else teacher.team.embedding_of(features)
    if embedding is None:
        return features.logits
    size = features.logits.shape[2:]
    embedding = embedding if embedding.shape[2:] == size else F.interpolate(embedding.float(), size, mode="trilinear")
    return torch.cat([features.logits, embedding], dim=1)


def _channels_of_teacher(teacher: NetworkTeacher) -> list[int]:
    channels = teacher.output_channels
    return [channels[name] for name in ("teacher", "embedding") if name in channels]


def _affine(affine: np.ndarray, grid: MapGrid) -> np.ndarray:
    """Return the affine of the maps of a volume, for viewers."""
    step = np.array(grid.padded) / np.array(grid.size)
    to_volume = np.diag([*step, 1.0])
    to_volume[:3, 3] = step / 2 - 0.5 - np.array(grid.before)
    return np.asarray(affine @ to_volume)
