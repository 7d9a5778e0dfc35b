"""Soft labels that are paid for once: the outputs of a teacher, or of PLC-KD's team, kept beside the data set."""

from __future__ import annotations

import hashlib
import shutil
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import Dataset
from monai.transforms import DivisiblePad
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from medkd.correction import Correction, SoftLabels, TeacherTeam, TeamOutputs, log_probabilities
from medkd.networks import Features, FeatureTaps
from medkd.parallel.group import all_gather_object, gather_in_order, progress_disabled, shard_indices
from medkd.runs.files import write_atomically

__all__ = ["CachedSoftLabels", "CachedTeacher"]

_KEY = "soft_labels"
# Largest power of two that every network here may want an edge to be a multiple of.
_MULTIPLE = 32
_HALF_MAX = 6e4
_VERSION = 1  # of what a file holds


class CachedTeacher(nn.Module):
    """A teacher, or a team, whose outputs come with the batch instead of being computed.

    Called ``teacher(stored, target)``, with what `CachedSoftLabels` keeps, moved by the transforms as the image was. The chain
    of a team runs anew on it, in float32, with the moved labels: so every pixel is right after any flip, turn or crop.

    Args:
        teacher: whose outputs were stored; its networks are not run.
    """

    reads = _KEY

    def __init__(self, teacher: FeatureTaps | TeacherTeam) -> None:
        super().__init__()
        self.team = teacher
        # a single teacher corrects nothing
        self.correction = teacher.correction if isinstance(teacher, TeacherTeam) else Correction(similarity=False)
        self.channels = _channels(teacher)

    def forward(self, stored: Tensor, target: Tensor) -> Features:
        """Stored outputs (N, channels, *spatial), labels (N, 1, *spatial); the features hold nothing but logits."""
        if not isinstance(self.team, TeacherTeam):
            return Features(stored.float())
        return Features(log_probabilities(self.soft_labels(stored, target).ultimate))

    def soft_labels(self, stored: Tensor, target: Tensor) -> SoftLabels:
        """The four stages of the chain."""
        parts = stored.split(list(self.channels.values()), dim=1)
        return self.correction(TeamOutputs(**dict(zip(self.channels, parts, strict=True))), target)


def _channels(teacher: FeatureTaps | TeacherTeam) -> dict[str, int]:
    """What is stored, in order, as names of `TeamOutputs` with channels."""
    if not isinstance(teacher, TeacherTeam):
        return {"teacher": teacher.channels.logits}
    found = teacher.teacher.channels
    assistants = {"false_pixel": teacher.false_pixel, "boundary": teacher.boundary}
    logits = ["teacher", *(name for name, network in assistants.items() if network is not None)]
    embedding = {"embedding": (found.decoder or found.encoder)[-1]} if teacher.searches else {}
    return {**dict.fromkeys(logits, found.logits), **embedding}


class CachedSoftLabels(Dataset):
    """A data set whose items get what the teacher's networks say of their images, under "soft_labels".

    Each network is run once an image; its logits, and T's embedding where the similarity correction reads it, are kept in
    half precision, one file an image. A file is found again by the networks with their weights and the content of the image,
    so another teacher, window or image size has files of its own, and a run that was stopped goes on where it was. Several
    processes fill the folder by shares.

    Against a teacher that sees the augmented image three things differ: values are rounded to half precision; a network that
    is shown a flipped image does not say exactly the flipped answer; and where the random transforms crop, it saw the whole
    image. benchmarks/README.md has how much the first two are.

    Args:
        data: items with "image" (C, *spatial) and "case" (and "slice"), before any random transform.
        teacher: a tapped teacher, or a team.
        folder: where the files go, in a sub-folder by the weights.
        device: the networks' device.

    Raises:
        OSError: when the disk has no room for it; looked at before anything is written.
    """

    def __init__(self, data: Dataset, teacher: FeatureTaps | TeacherTeam, folder: str | Path, device: Any) -> None:
        super().__init__(data)
        self.teacher, self.device = teacher.eval(), torch.device(device)
        self.folder = Path(folder) / _fingerprint(teacher)
        self.files = self._fill()
        del self.teacher  # not for the workers of a data loader

    def _transform(self, index: int) -> dict[str, Any]:
        return {**self.data[index], _KEY: torch.from_numpy(np.load(self.files[index]))}

    def _fill(self) -> list[Path]:
        files, begun, made = [], time.monotonic(), 0
        channels = sum(_channels(self.teacher).values())
        for index in tqdm(shard_indices(len(self.data)), desc="soft labels", leave=False, disable=progress_disabled()):
            item = self.data[index]
            image = torch.as_tensor(item["image"])
            place = f"_{item['slice']:04d}" if "slice" in item else ""
            content = repr((image.dtype, image.shape)).encode() + np.ascontiguousarray(image.numpy()).tobytes()
            files.append(self.folder / f"{item['case']}{place}-{zlib.crc32(content):08x}.npy")
            if _is_whole(files[-1], (channels, *image.shape[1:])):
                continue
            maps = self._outputs(image)
            if not made:
                self._check_room(maps.nbytes * (len(self.data) - index))
            write_atomically(files[-1], lambda path, maps=maps: np.save(path, maps))
            made += 1
        files = gather_in_order(files, len(self.data))  # waits until all are written
        size = sum(file.stat().st_size for file in files) / 2**20
        spent = time.monotonic() - begun
        computed = sum(all_gather_object(made))
        about = f"{len(files)} images, {computed} of them new: {spent:.0f} s, {size:.0f} MiB in {self.folder}"
        print(f"soft labels of {about}", flush=True)
        return files

    def _check_room(self, needed: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            need, there = (f"{amount / 2**30:.1f} GiB" for amount in (needed, free))
            raise OSError(f"soft labels in {self.folder} take {need}, {there} are free: use --soft_labels online")

    @torch.no_grad()
    def _outputs(self, image: Tensor) -> np.ndarray:
        """(channels, *spatial) in half precision: logits of T and its assistants, then T's embedding."""
        size = image.shape[1:]
        padded = DivisiblePad(_MULTIPLE, mode="edge", method="end")(image).as_subclass(Tensor)
        padded = padded.to(self.device, torch.float32)[None]
        is_team = isinstance(self.teacher, TeacherTeam)
        outputs = self.teacher.outputs(padded) if is_team else TeamOutputs(self.teacher(padded).logits)
        mode = "bilinear" if len(size) == 2 else "trilinear"
        maps = [
            part if part.shape[2:] == padded.shape[2:] else F.interpolate(part.float(), padded.shape[2:], mode=mode)
            for part in outputs
            if part is not None
        ]
        kept = torch.cat(maps, dim=1)[(0, slice(None), *(slice(edge) for edge in size))]
        return kept.float().clamp(-_HALF_MAX, _HALF_MAX).half().cpu().numpy()


def _is_whole(file: Path, shape: tuple[int, ...]) -> bool:
    """Whether the file is there and can be read: one that was cut off is computed again."""
    if not file.is_file():
        return False
    try:
        maps = np.load(file, mmap_mode="r")
    except (ValueError, EOFError, OSError):
        return False
    return maps.shape == shape and maps.dtype == np.float16


def _fingerprint(teacher: FeatureTaps | TeacherTeam) -> str:
    """Of what is stored: the networks, their weights and buffers, the taps of T, the channels."""
    is_team = isinstance(teacher, TeacherTeam)
    taps = teacher.teacher if is_team else teacher
    digest = hashlib.sha256(repr((_VERSION, _MULTIPLE, _channels(teacher), taps.names)).encode())
    for network in teacher.members if is_team else [teacher.network]:
        digest.update(repr(network).encode())
        for name, value in network.state_dict().items():
            digest.update(repr((name, value.dtype, value.shape)).encode())
            digest.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
