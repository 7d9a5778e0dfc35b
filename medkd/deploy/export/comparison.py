"""An exported network against the original, on whole cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor, list_data_collate
from monai.metrics import compute_dice
from monai.transforms import Transform
from torch import Tensor, nn

__all__ = ["compare"]


def compare(
    original: nn.Module,
    exported: nn.Module,
    cases: Sequence[dict[str, Any]],
    preprocessing: Transform,
    inferer: Any,
    postprocessing: Transform,
    classes: Mapping[int, str],
) -> dict[str, Any]:
    """Runs both networks over the same windows of each case and measures both predictions against the truth.

    Returns:
        Differences of logits and probabilities over all inputs that the networks saw; the share of pixels of whole cases
        that are decided otherwise; Dice by case and class, and its mean over the cases that have the class.
    """
    pair = _Pair(original, exported)
    rows, names = [], []
    changed = pixels = 0
    for case in cases:
        item = preprocessing(case)
        image = list_data_collate([item])["image"]
        with torch.inference_mode():
            both = _deciding(inferer, pair)(image, pair)[0]
        before, after = (_labels(half, item, postprocessing) for half in both.chunk(2))
        changed += int((before != after).sum())
        pixels += before.numel()
        truth = torch.as_tensor(item["label"]).as_subclass(Tensor)[0]
        names.append(case["case"])
        for value, name in classes.items():
            dice = {"original": _dice(before, truth, value), "exported": _dice(after, truth, value)}
            rows.append({"case": case["case"], "class": name, **dice})
    return {
        "cases": names,
        "inputs": pair.inputs,
        **pair.differences(),
        "other_decision": changed / pixels,
        "dice": {name: _mean([row for row in rows if row["class"] == name]) for name in classes.values()},
        "dice_by_case": rows,
    }


class _Pair(nn.Module):
    """Two networks as one with the channels of both; remembers how far their answers differ."""

    def __init__(self, original: nn.Module, exported: nn.Module) -> None:
        super().__init__()
        self.original, self.exported = original, exported
        self.inputs = 0
        self._sums: dict[str, list[float]] = {"logits": [0.0, 0.0, 0.0], "probabilities": [0.0, 0.0, 0.0]}

    def forward(self, image: Tensor) -> Tensor:
        image = image.as_subclass(Tensor)
        logits = [network(image) for network in (self.original, self.exported)]
        self.inputs += len(image)
        for name, (one, other) in {"logits": logits, "probabilities": [x.softmax(1) for x in logits]}.items():
            away = (one - other).abs()
            most, total, count = self._sums[name]
            self._sums[name] = [max(most, float(away.max())), total + float(away.double().sum()), count + away.numel()]
        return torch.cat(logits, dim=1)

    def differences(self) -> dict[str, dict[str, float]]:
        return {
            name: {"max_difference": most, "mean_difference": total / count}
            for name, (most, total, count) in self._sums.items()
        }


def _deciding(inferer: Any, pair: _Pair) -> Any:
    """The inferer; where it decides slab by slab, it decides for each network by itself."""
    decide: Callable[[Tensor], Tensor] | None = getattr(inferer, "decide", None)
    if decide is not None and not getattr(decide, "of_both", False):

        def of_both(logits: Tensor) -> Tensor:
            return torch.cat([decide(half) for half in logits.chunk(2)])

        of_both.of_both = True
        inferer.decide = of_both
    return inferer


def _labels(logits: Tensor, item: Mapping[str, Any], postprocessing: Transform) -> Tensor:
    pred = MetaTensor(logits.as_subclass(Tensor), meta=item["image"].meta)
    return torch.as_tensor(postprocessing({**item, "pred": pred})["pred"]).as_subclass(Tensor)[0]


def _dice(labels: Tensor, truth: Tensor, value: int) -> float | None:
    """As `medkd.metrics.case_metrics` has it; None where the truth has no such class."""
    found = compute_dice((labels == value)[None, None].float(), (truth == value)[None, None].float()).item()
    return None if np.isnan(found) else found


def _mean(rows: Sequence[Mapping[str, Any]]) -> dict[str, float | int | None]:
    pairs = [(row["original"], row["exported"]) for row in rows if row["original"] is not None]
    if not pairs:
        return {"original": None, "exported": None, "change": None, "n": 0}
    before, after = np.mean(pairs, axis=0)
    return {"original": float(before), "exported": float(after), "change": float(after - before), "n": len(pairs)}
