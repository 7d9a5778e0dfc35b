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

from medkd.correction import Correction, TeacherTeam, TeamOutputs, log_probabilities
from medkd.data.files import write_atomically
from medkd.networks import Features, FeatureTaps

__all__ = ["StoredSoftLabels", "StoredTeacher"]

_KEY = "soft_labels"
# Largest power of two that every network here may want an edge to be a multiple of.
_MULTIPLE = 32
_HALF_MAX = 6e4


class StoredTeacher(nn.Module):
    """A teacher, or a team, whose outputs come with the batch instead of being computed.

    Called ``teacher(stored, target)``, with what `StoredSoftLabels` keeps, moved by the transforms as the image was. The chain
    of a team runs anew on it, in float32, with the moved labels: so every pixel is right after any flip, turn or crop.

    Args:
        teacher: whose outputs were stored; its networks are not run.
    """

    reads = _KEY

    def __init__(self, teacher: FeatureTaps | TeacherTeam) -> None:
        super().__init__()
        self.team = teacher
        self.is_team = isinstance(teacher, TeacherTeam)
        self.correction = teacher.correction if self.is_team else Correction()
        taps = teacher.teacher if self.is_team else teacher
        self.num_classes = taps.channels.logits

    def forward(self, stored: Tensor, target: Tensor) -> Features:
        """Stored outputs (N, channels, *spatial), labels (N, 1, *spatial); the features hold nothing but logits."""
        if not self.is_team:
            return Features(stored.float())
        return Features(log_probabilities(self.soft_labels(stored, target).ultimate))

    def soft_labels(self, stored: Tensor, target: Tensor) -> Any:
        """The four stages of the chain."""
        return self.correction(self._unpacked(stored), target)

    def _unpacked(self, stored: Tensor) -> TeamOutputs:
        parts = {"teacher": None, "false_pixel": self.team.false_pixel, "boundary": self.team.boundary}
        present = [name for name, network in parts.items() if name == "teacher" or network is not None]
        logits, rest = stored.split(
            [len(present) * self.num_classes, stored.shape[1] - len(present) * self.num_classes], 1
        )
        outputs = dict(zip(present, logits.split(self.num_classes, 1), strict=True))
        return TeamOutputs(**outputs, embedding=rest if self.team.searches else None)


class StoredSoftLabels(Dataset):
    """A data set whose items get what the teacher's networks say of their images, under "soft_labels".

    Each network is run once an image; its logits, and T's embedding where the similarity correction reads it, are kept in
    half precision, one file an image. A file is found again by the weights of the networks and the content of the image, so
    another teacher, window or image size has files of its own, and a run that was stopped goes on where it was.

    Against a teacher that sees the augmented image two things differ: values are rounded to half precision, and a network that
    is shown a flipped image does not say exactly the flipped answer. (benchmarks/README.md has how much.)

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
        for index in tqdm(range(len(self.data)), desc="soft labels", leave=False, disable=None):
            item = self.data[index]
            image = torch.as_tensor(item["image"])
            place = f"_{item['slice']:04d}" if "slice" in item else ""
            content = zlib.crc32(np.ascontiguousarray(image.numpy()).tobytes())
            files.append(self.folder / f"{item['case']}{place}-{content:08x}.npy")
            if files[-1].is_file():
                continue
            maps = self._outputs(image)
            if not made:
                self._check_room(maps.nbytes * (len(self.data) - len(files) + 1))
            write_atomically(files[-1], lambda path, maps=maps: np.save(path, maps))
            made += 1
        size = sum(file.stat().st_size for file in files) / 2**20
        spent = time.monotonic() - begun
        about = f"{len(files)} images, {made} of them new: {spent:.0f} s, {size:.0f} MiB in {self.folder}"
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


def _fingerprint(teacher: FeatureTaps | TeacherTeam) -> str:
    """Of the weights of all networks, and of what is kept of them."""
    is_team = isinstance(teacher, TeacherTeam)
    digest = hashlib.sha256(repr((is_team and teacher.searches,)).encode())
    for network in teacher.members if is_team else [teacher.network]:
        digest.update(type(network).__name__.encode())
        for name, value in network.state_dict().items():
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
