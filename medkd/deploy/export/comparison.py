"""Compare exported networks with the original on whole cases."""

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
    exported: Mapping[str, nn.Module],
    cases: Sequence[dict[str, Any]],
    preprocessing: Transform,
    inferer: Any,
    postprocessing: Transform,
    classes: Mapping[int, str],
) -> dict[str, dict[str, Any]]:
    """Run all networks over the same windows of each case, and measure their predictions against the ground truth.

    Args:
        original: images ``(N, C, *spatial)`` to logits.
        exported: name -> network, likewise.
        cases: entries of the data list.
        preprocessing: entry to ``image`` and ``label``.
        inferer: runs a network over a whole case.
        postprocessing: logits ``pred`` to labels.
        classes: value in the label map -> name, without the background.

    Returns:
        Name -> differences of logits and probabilities over all windows; ``other_decision``, the share of pixels whose label
        differs; Dice by case and class, and its mean over the cases that have the class.
    """
    networks = _Networks(original, exported)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in exported}
    changed, pixels = dict.fromkeys(exported, 0), 0
    for case in cases:
        item = preprocessing(case)
        image = list_data_collate([item])["image"]
        with torch.inference_mode():
            logits = _for_each(inferer, 1 + len(exported))(image, networks)[0]
        before, *others = (_labels(part, item, postprocessing) for part in logits.chunk(1 + len(exported)))
        pixels += before.numel()
        truth = torch.as_tensor(item["label"]).as_subclass(Tensor)[0]
        for name, after in zip(exported, others, strict=True):
            changed[name] += int((before != after).sum())
            rows[name] += [
                {
                    "case": case["case"],
                    "class": class_name,
                    "original": _dice(before, truth, value),
                    "exported": _dice(after, truth, value),
                }
                for value, class_name in classes.items()
            ]
    return {
        name: {
            "cases": [case["case"] for case in cases],
            "inputs": networks.inputs,
            **networks.differences(name),
            "other_decision": changed[name] / pixels,
            "dice": {
                class_name: _mean_dice([row for row in rows[name] if row["class"] == class_name])
                for class_name in classes.values()
            },
            "dice_by_case": rows[name],
        }
        for name in exported
    }


class _Networks(nn.Module):
    """Several networks whose logits are concatenated along the channels; records how far they are from the first.

    Args:
        original: images ``(N, C, *spatial)`` to logits ``(N, K, *spatial)``.
        exported: name -> network, likewise.
    """

    def __init__(self, original: nn.Module, exported: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.original, self.exported = original, dict(exported)
        self.inputs = 0
        # of each network: largest difference, sum of the differences, number of values
        self._sums = {name: {"logits": [0.0] * 3, "probabilities": [0.0] * 3} for name in exported}

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of all networks, ``(N, networks * K, *spatial)``."""
        image = image.as_subclass(Tensor)
        original = self.original(image)
        others = {name: network(image) for name, network in self.exported.items()}
        self.inputs += len(image)
        for name, logits in others.items():
            _add_differences(self._sums[name]["logits"], original, logits)
            _add_differences(self._sums[name]["probabilities"], original.softmax(1), logits.softmax(1))
        return torch.cat([original, *others.values()], dim=1)

    def differences(self, name: str) -> dict[str, dict[str, float]]:
        """Return the largest and the mean difference of a network's logits and probabilities."""
        return {
            output: {"max_difference": largest, "mean_difference": total / count}
            for output, (largest, total, count) in self._sums[name].items()
        }


def _add_differences(sums: list[float], one: Tensor, other: Tensor) -> None:
    difference = (one - other).abs()
    sums[0] = max(sums[0], float(difference.max()))
    sums[1] += float(difference.double().sum())
    sums[2] += difference.numel()


class _DecideEach:
    """Decide on the logits of each network by itself.

    Args:
        decide: logits ``(K, *spatial)`` of one network to labels ``(1, *spatial)``.
        count: number of networks.
    """

    def __init__(self, decide: Callable[[Tensor], Tensor], count: int) -> None:
        self.decide, self.count = decide, count

    def __call__(self, logits: Tensor) -> Tensor:
        """Return labels ``(count, *spatial)`` of logits ``(count * K, *spatial)``."""
        return torch.cat([self.decide(part) for part in logits.chunk(self.count)])


def _for_each(inferer: Any, count: int) -> Any:
    """Return the inferer; one that decides slab by slab now decides for each network by itself."""
    decide: Callable[[Tensor], Tensor] | None = getattr(inferer, "decide", None)
    if decide is not None and not isinstance(decide, _DecideEach):
        inferer.decide = _DecideEach(decide, count)
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
