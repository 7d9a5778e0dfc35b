"""Compare an exported network with the original on whole cases."""

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
    """Run both networks over the same windows of each case, and measure both predictions against the ground truth.

    Args:
        original: images ``(N, C, *spatial)`` to logits.
        exported: likewise.
        cases: entries of the data list.
        preprocessing: entry to ``image`` and ``label``.
        inferer: runs a network over a whole case.
        postprocessing: logits ``pred`` to labels.
        classes: value in the label map -> name, without the background.

    Returns:
        Differences of logits and probabilities over all windows; ``other_decision``, the share of pixels whose label
        differs; Dice by case and class, and its mean over the cases that have the class.
    """
    pair = _NetworkPair(original, exported)
    rows, names = [], []
    changed = pixels = 0
    for case in cases:
        item = preprocessing(case)
        image = list_data_collate([item])["image"]
        with torch.inference_mode():
            logits = _for_two_networks(inferer)(image, pair)[0]
        before, after = (_labels(half, item, postprocessing) for half in logits.chunk(2))
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
        "dice": {name: _mean_dice([row for row in rows if row["class"] == name]) for name in classes.values()},
        "dice_by_case": rows,
    }


class _NetworkPair(nn.Module):
    """Two networks whose logits are concatenated along the channels; records how far they differ.

    Args:
        original: images ``(N, C, *spatial)`` to logits ``(N, K, *spatial)``.
        exported: likewise.
    """

    def __init__(self, original: nn.Module, exported: nn.Module) -> None:
        super().__init__()
        self.original, self.exported = original, exported
        self.inputs = 0
        # largest difference, sum of the differences, number of values
        self._sums: dict[str, list[float]] = {"logits": [0.0, 0.0, 0.0], "probabilities": [0.0, 0.0, 0.0]}

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of both networks, ``(N, 2 * K, *spatial)``."""
        image = image.as_subclass(Tensor)
        logits = [network(image) for network in (self.original, self.exported)]
        self.inputs += len(image)
        outputs = {"logits": logits, "probabilities": [x.softmax(1) for x in logits]}
        for name, (original, exported) in outputs.items():
            difference = (original - exported).abs()
            largest, total, count = self._sums[name]
            self._sums[name] = [
                max(largest, float(difference.max())),
                total + float(difference.double().sum()),
                count + difference.numel(),
            ]
        return torch.cat(logits, dim=1)

    def differences(self) -> dict[str, dict[str, float]]:
        """Return the largest and the mean difference of logits and probabilities."""
        return {
            name: {"max_difference": largest, "mean_difference": total / count}
            for name, (largest, total, count) in self._sums.items()
        }


class _DecideEach:
    """Decide on the logits of each network by itself.

    Args:
        decide: logits ``(K, *spatial)`` of one network to labels ``(1, *spatial)``.
    """

    def __init__(self, decide: Callable[[Tensor], Tensor]) -> None:
        self.decide = decide

    def __call__(self, logits: Tensor) -> Tensor:
        """Return labels ``(2, *spatial)`` of logits ``(2 * K, *spatial)``."""
        return torch.cat([self.decide(half) for half in logits.chunk(2)])


def _for_two_networks(inferer: Any) -> Any:
    """Return the inferer; one that decides slab by slab now decides for each network by itself."""
    decide: Callable[[Tensor], Tensor] | None = getattr(inferer, "decide", None)
    if decide is not None and not isinstance(decide, _DecideEach):
        inferer.decide = _DecideEach(decide)
    return inferer


def _labels(logits: Tensor, item: Mapping[str, Any], postprocessing: Transform) -> Tensor:
    pred = MetaTensor(logits.as_subclass(Tensor), meta=item["image"].meta)
    return torch.as_tensor(postprocessing({**item, "pred": pred})["pred"]).as_subclass(Tensor)[0]


def _dice(labels: Tensor, truth: Tensor, value: int) -> float | None:
    """Return the Dice of a class as `medkd.metrics.case_metrics` defines it; None if the ground truth lacks the class."""
    dice = compute_dice((labels == value)[None, None].float(), (truth == value)[None, None].float()).item()
    return None if np.isnan(dice) else dice


def _mean_dice(rows: Sequence[Mapping[str, Any]]) -> dict[str, float | int | None]:
    pairs = [(row["original"], row["exported"]) for row in rows if row["original"] is not None]
    if not pairs:
        return {"original": None, "exported": None, "change": None, "n": 0}
    before, after = np.mean(pairs, axis=0)
    return {"original": float(before), "exported": float(after), "change": float(after - before), "n": len(pairs)}
