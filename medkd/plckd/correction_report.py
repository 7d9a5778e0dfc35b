"""The correction report: incorrect pixels after each stage on training images, scores of the networks on validation images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Events
from monai.engines import SupervisedTrainer
from monai.inferers import Inferer
from tabulate import tabulate
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from medkd.correction import SoftLabels, TeacherTeam, is_correct
from medkd.parallel.group import all_gather_object, is_main_process, progress_disabled
from medkd.runs.folder import RunFolder
from medkd.teachers import Teacher

from .batches import engine_device, image_and_label
from .scores import score_assistants

__all__ = ["CorrectionReport", "count_errors"]

# Networks by the stage of SoftLabels that they lead to; SC is the similarity correction.
_STAGES = ("T", "TA_f", "TA_b", "SC")
# An incorrect pixel within this distance of a lesion's border is a boundary error (ours).
_NEAR = 3


def count_errors(labels: SoftLabels, target: Tensor) -> dict[str, Tensor]:
    """Count the incorrect pixels of each stage by kind.

    "false positive" and "false negative" are incorrect pixels outside and inside lesions. "boundary" errors have lesion and
    background within 3 pixels along the axes; "interior" errors are all others. Each pair adds up to "wrong".

    Args:
        labels: the stages of the chain, (N, K, *spatial).
        target: (N, 1, *spatial) integers.

    Returns:
        Kind -> tensor (4,), one count for each stage.

    Example:
        >>> p = torch.tensor([[[[0.9, 0.2]], [[0.1, 0.8]]]])
        >>> counts = count_errors(SoftLabels(p, p, p, p), torch.tensor([[[[1, 1]]]]))
        >>> counts["false negative"].tolist()
        [1, 1, 1, 1]
    """
    lesion = (target > 0).float()
    pool = F.max_pool2d if target.ndim == 4 else F.max_pool3d
    edge = 2 * _NEAR + 1
    dilated_lesion, dilated_background = (pool(mask, edge, stride=1, padding=_NEAR) for mask in (lesion, 1 - lesion))
    is_near = (dilated_lesion > 0) & (dilated_background > 0)
    incorrect = torch.stack([~is_correct(stage, target) for stage in labels])
    kinds = {
        "wrong": torch.ones_like(is_near),
        "false positive": lesion == 0,
        "false negative": lesion > 0,
        "boundary": is_near,
        "interior": ~is_near,
    }
    return {kind: (incorrect & mask).flatten(1).sum(dim=1) for kind, mask in kinds.items()}


class CorrectionReport:
    """Write ``correction.json`` at the start of a run, after one pass over training and one over validation images.

    Images without labels are not counted: nothing corrects them. On training images the labels decide which assistant's pixel
    is taken, so the number of corrected pixels says little about an assistant. On validation images nothing is corrected: each
    network is scored by itself (`score_assistants`). Several processes add up their counts.

    Args:
        teacher: the teacher. Without a team, or with the control swap, nothing is written.
        output_dir: folder of the run.
        validation: batches of one image; None leaves the scores out.
        inferer: calls the networks on validation images.
    """

    def __init__(
        self,
        teacher: Teacher,
        output_dir: str | Path,
        validation: Iterable | None = None,
        inferer: Inferer | None = None,
    ) -> None:
        self.teacher, self.output_dir = teacher, Path(output_dir)
        self.validation, self.inferer = validation, inferer

    def attach(self, trainer: SupervisedTrainer) -> None:
        """Write the report when the trainer starts."""
        team = self.teacher.team
        if team is not None and not team.correction.swap:
            trainer.add_event_handler(Events.STARTED, self._write, team)

    @torch.no_grad()
    def _write(self, trainer: SupervisedTrainer, team: TeacherTeam) -> None:
        if trainer.state.iteration > 0:  # a resumed run has the report already
            return
        report = self._count_corrections(trainer, team)
        if report is None:
            print(
                "note: no training image has a label: the team corrects nothing, its teacher's own soft labels are learned"
            )
            return
        if self.validation is not None:
            members = {"T": team.teacher.network, "TA_f": team.false_pixel, "TA_b": team.boundary}
            networks = {name: network for name, network in members.items() if network is not None}
            report["on_validation_images"] = score_assistants(
                networks, self.validation, engine_device(trainer), self.inferer
            )
        if is_main_process():
            RunFolder(self.output_dir).write_correction(report)
            _print_report(report)

    def _count_corrections(self, trainer: SupervisedTrainer, team: TeacherTeam) -> dict[str, Any] | None:
        """Return the counts on the labelled images of one pass; None if there are none."""
        counts: dict[str, Tensor] = {}
        pixels, images, correction = 0, 0, team.correction
        correction.tally.clear()
        for batch in tqdm(trainer.data_loader, desc="correction", leave=False, disable=progress_disabled()):
            image, target = image_and_label(_labelled_part(batch, self.teacher.reads), engine_device(trainer))
            if len(target) == 0:
                continue
            pixels += target.numel()
            images += len(target)
            soft_labels = correction(self.teacher.outputs(image), target)
            for kind, count in count_errors(soft_labels, target).items():
                counts[kind] = counts.get(kind, 0) + count.cpu()
        left_out = _count_left_out(trainer.data_loader, images)
        shards = all_gather_object((pixels, counts, correction.tally, images, left_out))
        if not any(shard[0] for shard in shards):
            return None
        all_pixels, all_counts, tallies, all_images, left_out = zip(*shards, strict=True)
        sums = {kind: sum(shard[kind] for shard in all_counts).tolist() for kind in counts}
        report = {
            "pixels": sum(all_pixels),
            "images": sum(all_images),
            "images_left_out": sum(left_out),  # of an incomplete last batch
            "wrong_pixels_after": {kind: dict(zip(_STAGES, stages, strict=True)) for kind, stages in sums.items()},
            "similarity_took_from": dict(sum(tallies, Counter())),
        }
        correction.tally.clear()
        correction.memory.forget()
        return report


def _labelled_part(batch: dict[str, Any], reads: str) -> dict[str, Tensor]:
    """Return what the teacher reads and the labels of the labelled images of a batch."""
    part = {"image": batch[reads], "label": batch["label"]}
    if "labelled" not in batch:
        return part
    indices = batch["labelled"].nonzero().flatten()
    return {name: value[indices] for name, value in part.items()}


def _count_left_out(data_loader: Any, images: int) -> int:
    """Return the number of labelled images of an incomplete last batch."""
    sampler = getattr(data_loader, "sampler", None)
    left_out = getattr(getattr(sampler, "sampler", sampler), "left_out", None)
    if left_out is not None:  # a sampler of labelled and unlabelled images, of all processes together
        return left_out if is_main_process() else 0
    return len(sampler or range(images)) - images


def _print_report(report: dict[str, Any]) -> None:
    pixels, left_out = report["pixels"], report["images_left_out"]
    rows = [
        [kind, *(f"{stages[stage]} ({stages[stage] / pixels:.2%})" for stage in _STAGES)]
        for kind, stages in report["wrong_pixels_after"].items()
    ]
    note = f" ({left_out} of an incomplete last batch left out)" if left_out else ""
    print(
        f"incorrect pixels of {pixels} on {report['images']} training images{note}, after each stage of the correction"
    )
    print(tabulate(rows, headers=("", *_STAGES)), flush=True)
    if "on_validation_images" in report:
        print("each network by itself on the validation images")
        print(
            tabulate([_score_row(*item) for item in report["on_validation_images"].items()], headers=_COLUMNS),
            flush=True,
        )


_COLUMNS = (
    "",
    "Dice",
    "correct on T's false negatives",
    "on its false positives",
    "incorrect where T is correct",
    "beyond T",
)


def _score_row(name: str, scores: dict[str, Any]) -> list[str]:
    shares = ("right_on_false_negatives", "right_on_false_positives", "wrong_where_teacher_right")
    row = [
        name,
        _format(scores["dice"], ".3f"),
        *(_format(scores[share], ".1%") if share in scores else "" for share in shares),
    ]
    if "beyond_teacher" not in scores:  # the teacher itself
        return [*row, ""]
    interval = scores["interval"]
    limits = f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else ""
    return [*row, _format(scores["beyond_teacher"], ".3f") + limits]


def _format(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"
