"""What the team corrects on the training images, and what its assistants know, before the student learns from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import SupervisedTrainer
from monai.engines.utils import default_prepare_batch
from monai.inferers import Inferer
from tabulate import tabulate
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from medkd.correction import SoftLabels, TeacherTeam, is_correct
from medkd.parallel.group import all_gather_object, is_main_process, progress_disabled
from medkd.runs.folder import RunFolder
from medkd.teachers.cached import CachedTeacher

from .scores import score_assistants

__all__ = ["CorrectionReport", "count_errors"]

# Of SoftLabels, in order: T, then TA_f, then TA_b, then similarity.
_STAGES = ("T", "TA_f", "TA_b", "SC")
# A wrong pixel this near to a lesion's border is a boundary error (ours).
_NEAR = 3


def count_errors(labels: SoftLabels, target: Tensor) -> dict[str, Tensor]:
    """Wrong pixels of each stage by kind: tensors (4,), one value a stage.

    "false positive" and "false negative" are wrong pixels outside and inside lesions; "boundary" those whose neighbourhood
    of 3 pixels an axis holds lesion and background, "interior" all others. Each pair adds up to "wrong".

    Args:
        labels: the chain's stages, (N, K, *spatial).
        target: (N, 1, *spatial) integers.
    """
    lesion = (target > 0).float()
    pool = F.max_pool2d if target.ndim == 4 else F.max_pool3d
    edge = 2 * _NEAR + 1
    widest, narrowest = (pool(mask, edge, stride=1, padding=_NEAR) for mask in (lesion, 1 - lesion))
    near = (widest > 0) & (narrowest > 0)
    wrong = torch.stack([~is_correct(stage, target) for stage in labels])
    kinds = {
        "wrong": torch.ones_like(near),
        "false positive": lesion == 0,
        "false negative": lesion > 0,
        "boundary": near,
        "interior": ~near,
    }
    return {kind: (wrong & mask).flatten(1).sum(dim=1) for kind, mask in kinds.items()}


class CorrectionReport:
    """At the start of a run, one pass over the training images and one over the validation images: ``correction.json``.

    On the training images labels decide which assistant's pixel is taken, so "corrected" says little about an assistant. On the
    validation images nothing is corrected: each network is scored by itself (`score_assistants`). Several processes add up
    what each found in its share.

    Args:
        teacher: any; nothing is done unless it is a team, stored or not.
        output_dir: of the run.
        validation: batches of one image; None leaves the scores out.
        inferer: how networks are called on them.
    """

    def __init__(
        self,
        teacher: Any,
        output_dir: str | Path,
        validation: Iterable | None = None,
        inferer: Inferer | None = None,
    ) -> None:
        self.teacher, self.output_dir = teacher, Path(output_dir)
        self.validation, self.inferer = validation, inferer

    def attach(self, trainer: SupervisedTrainer) -> None:
        team = self.teacher.team if isinstance(self.teacher, CachedTeacher) else self.teacher
        if isinstance(team, TeacherTeam) and not team.correction.swap:
            self.team = team
            trainer.add_event_handler(Events.STARTED, self._report)

    @torch.no_grad()
    def _report(self, trainer: Engine) -> None:
        if trainer.state.iteration > 0:  # a resumed run has it already
            return
        report = self._corrected(trainer)
        if self.validation is not None:
            names = {"T": self.team.teacher.network, "TA_f": self.team.false_pixel, "TA_b": self.team.boundary}
            networks = {name: network for name, network in names.items() if network is not None}
            report["on_validation_images"] = score_assistants(
                networks, self.validation, trainer.state.device, self.inferer
            )
        if is_main_process():
            RunFolder(self.output_dir).write_correction(report)
            _show(report)

    def _corrected(self, trainer: Engine) -> dict[str, Any]:
        counts: dict[str, Tensor] = {}
        pixels, images, correction = 0, 0, self.team.correction
        correction.tally.clear()
        for batch in tqdm(trainer.data_loader, desc="correction", leave=False, disable=progress_disabled()):
            given, target = default_prepare_batch(
                {"image": batch[self.teacher.reads], "label": batch["label"]}, trainer.state.device
            )
            pixels += target.numel()
            images += len(target)
            for kind, found in count_errors(self.teacher.soft_labels(given, target), target).items():
                counts[kind] = counts.get(kind, 0) + found.cpu()
        drawn = len(getattr(trainer.data_loader, "sampler", None) or range(images))
        parts = all_gather_object((pixels, counts, correction.tally, images, drawn - images))
        sums = {kind: sum(part[1][kind] for part in parts).tolist() for kind in counts}
        report = {
            "pixels": sum(part[0] for part in parts),
            "images": sum(part[3] for part in parts),
            "images_left_out": sum(part[4] for part in parts),  # of an incomplete last batch
            "wrong_pixels_after": {kind: dict(zip(_STAGES, found, strict=True)) for kind, found in sums.items()},
            "similarity_took_from": dict(sum((part[2] for part in parts), Counter())),
        }
        correction.tally.clear()
        correction.memory.forget()
        return report


def _show(report: dict[str, Any]) -> None:
    pixels = report["pixels"]
    rows = [
        [kind, *(f"{stages[stage]} ({stages[stage] / pixels:.2%})" for stage in _STAGES)]
        for kind, stages in report["wrong_pixels_after"].items()
    ]
    left = f" ({report['images_left_out']} of an incomplete last batch left out)" if report["images_left_out"] else ""
    about = f"{pixels} on {report['images']} training images{left}"
    print(f"wrong pixels of {about}, after each step of the correction")
    print(tabulate(rows, headers=("", *_STAGES)), flush=True)
    if "on_validation_images" in report:
        print("each network by itself on the validation images")
        print(
            tabulate([_score_row(*item) for item in report["on_validation_images"].items()], headers=_COLUMNS),
            flush=True,
        )


_COLUMNS = ("", "Dice", "right on T's false negatives", "on its false positives", "wrong where T is right", "beyond T")


def _score_row(name: str, scores: dict[str, Any]) -> list[str]:
    shares = ("right_on_false_negatives", "right_on_false_positives", "wrong_where_teacher_right")
    row = [
        name,
        _shown(scores["dice"], ".3f"),
        *(_shown(scores[share], ".1%") if share in scores else "" for share in shares),
    ]
    if "beyond_teacher" not in scores:  # the teacher itself
        return [*row, ""]
    interval = scores["interval"]
    about = f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else ""
    return [*row, _shown(scores["beyond_teacher"], ".3f") + about]


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"
