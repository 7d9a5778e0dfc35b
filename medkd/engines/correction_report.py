"""What the team corrects on the training images, before the student learns from it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import SupervisedTrainer
from monai.engines.utils import default_prepare_batch
from tabulate import tabulate
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from medkd.correction import SoftLabels, TeacherTeam, is_right
from medkd.data.files import write_atomically

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
    wrong = torch.stack([~is_right(stage, target) for stage in labels])
    kinds = {
        "wrong": torch.ones_like(near),
        "false positive": lesion == 0,
        "false negative": lesion > 0,
        "boundary": near,
        "interior": ~near,
    }
    return {kind: (wrong & mask).flatten(1).sum(dim=1) for kind, mask in kinds.items()}


class CorrectionReport:
    """At the start of a run, passes once over the training images, prints a table and writes ``correction.json``.

    Labels decide which assistant's pixel is taken, so "corrected" says little about an assistant: one that always
    contradicted the teacher would correct everything. How good it is alone stands in the results of its own run.

    Args:
        team: any teacher; nothing is done unless it is a team.
        output_dir: of the run.
    """

    def __init__(self, team: Any, output_dir: str | Path) -> None:
        self.team, self.output_dir = team, Path(output_dir)

    def attach(self, trainer: SupervisedTrainer) -> None:
        if isinstance(self.team, TeacherTeam) and not self.team.swap:
            trainer.add_event_handler(Events.STARTED, self._report)

    @torch.no_grad()
    def _report(self, trainer: Engine) -> None:
        if trainer.state.iteration > 0:  # a resumed run has it already
            return
        counts: dict[str, Tensor] = {}
        pixels, self.team.tally = 0, Counter()
        for batch in tqdm(trainer.data_loader, desc="correction", leave=False, disable=None):
            image, target = default_prepare_batch(batch, trainer.state.device)
            pixels += target.numel()
            for kind, found in count_errors(self.team.soft_labels(image, target), target).items():
                counts[kind] = counts.get(kind, 0) + found.cpu()
        table = {kind: dict(zip(_STAGES, found.tolist(), strict=True)) for kind, found in counts.items()}
        report = {"pixels": pixels, "wrong_pixels_after": table, "similarity_took_from": dict(self.team.tally)}
        self.team.tally = Counter()
        write_atomically(
            self.output_dir / "correction.json", lambda path: path.write_text(json.dumps(report, indent=2))
        )
        rows = [[kind, *(f"{stages[s]} ({stages[s] / pixels:.2%})" for s in _STAGES)] for kind, stages in table.items()]
        print(f"wrong pixels of {pixels} on the training images, after each step of the correction")
        print(tabulate(rows, headers=("", *_STAGES)), flush=True)
