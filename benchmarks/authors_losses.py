"""The losses of the authors' public code, called on the tensors of `losses.py`; none of that code is here.

A folder holds checkouts by the names of their repositories (`SOURCES`), as ``git clone`` leaves them. A loss whose repository
is not there is left out. The code is written for CUDA: it runs on a CPU with ``.cuda()`` as the identity, and with batch norm
in the place of its synchronised form. Factors make reductions equal, so that values can be compared. DCD needs PyWavelets.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock, patch

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medkd.networks import Features

Call = Callable[[Any, Any, Tensor], Tensor]
"""A loss: maps of the student, maps of the teacher, labels (N, 1, *spatial)."""

SOURCES = {
    "KD": "winycg/CIRKD",
    "KD standardised": "sunshangquan/logit-standardization-KD",
    "DKD": "megvii-research/mdistiller",
    "DKD standardised": "sunshangquan/logit-standardization-KD",
    "CWD": "irfanICMLL/TorchDistiller",
    "Dice-KD": "zifuwanggg/JDTLosses",
    "DIST": "hunto/DIST_KD",
    "AT": "szagoruyko/attention-transfer",
    "IMD (EMKD)": "EagleMIT/EMKD",
    "RAD (EMKD)": "EagleMIT/EMKD",
    "FitNet": "winycg/CIRKD",
    "SPKD": "HobbitLong/RepDistiller",
    "PA of 2 x 2 nodes": "irfanICMLL/structure_knowledge_distillation",
    "IFVD": "YukangWang/IFVD",
    "CIRKD batch": "winycg/CIRKD",
    "CIRKD memory": "winycg/CIRKD",
    "HLFD": "vangorade/RethinkingKD_ISBI24",
    "DCD 3-D": "ClinicaAlpha/DCD-3D-MedSeg",
}


def load(folder: Path, name: str, *absent: str) -> Any:
    """Return a module of a checkout.

    Args:
        folder: its folder, to which relative imports refer.
        name: of the module.
        absent: modules that it imports and that no loss needs.
    """
    package = ModuleType("authors")
    package.__path__ = [str(folder)]
    modules = {"authors": package, **{module: MagicMock() for module in absent}}
    with patch.dict(sys.modules, modules), patch.object(sys, "path", [str(folder.parent), *sys.path]):
        return import_module(f"authors.{name}")


@contextmanager
def on_cpu() -> Iterator[None]:
    """Let code that is written for CUDA run on a CPU."""
    same = patch.object(Tensor, "cuda", lambda self, *_: self), patch.object(nn.Module, "cuda", lambda self, *_: self)
    with same[0], same[1], patch.object(nn, "SyncBatchNorm", nn.BatchNorm2d), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def load_losses(folder: Path) -> dict[str, Call]:
    """Return the losses whose repositories lie in a folder, by the names of `SOURCES`."""
    calls: dict[str, Call] = {}
    with on_cpu():
        for name, source in SOURCES.items():
            if (checkout := folder / source.split("/")[1]).is_dir():
                calls[name] = _LOADERS[name](checkout)
    return calls


def _rows(logits: Tensor) -> Tensor:
    """Return one row for each pixel: (N, K, *spatial) to (N P, K)."""
    return logits.movedim(1, -1).flatten(0, -2)


def _kd(checkout: Path) -> Call:
    loss = load(checkout / "losses", "kd").CriterionKD(temperature=4)
    return lambda student, teacher, label: loss(student, teacher)


def _standardised_kd(checkout: Path) -> Call:
    kd_loss = load(checkout / "mdistiller" / "distillers", "KD").kd_loss
    return lambda student, teacher, label: kd_loss(_rows(student), _rows(teacher), 4, True)


def _dkd(checkout: Path) -> Call:
    dkd_loss = load(checkout / "mdistiller" / "distillers", "DKD").dkd_loss
    return lambda student, teacher, label: dkd_loss(_rows(student), _rows(teacher), label.flatten(), 1.0, 8.0, 4.0)


def _standardised_dkd(checkout: Path) -> Call:
    dkd_loss = load(checkout / "mdistiller" / "distillers", "DKD").dkd_loss
    return lambda student, teacher, label: dkd_loss(
        _rows(student), _rows(teacher), label.flatten(), 1.0, 8.0, 4.0, True
    )


def _cwd(checkout: Path) -> Call:
    loss = load(checkout / "SemSeg-distill" / "utils", "criterion").CriterionCWD("channel", "kl", 4.0)
    return lambda student, teacher, label: loss(student, teacher)


def _dice_kd(checkout: Path) -> Call:
    loss = load(checkout / "losses", "jdt_loss").JDTLoss(mIoUD=0.0, mIoUI=1.0, alpha=0.5, beta=0.5, smooth=1.0)
    return lambda student, teacher, label: loss(student, teacher.softmax(dim=1))


def _dist(checkout: Path) -> Call:
    loss = load(checkout / "segmentation" / "losses", "dist_kd").DIST()
    return lambda student, teacher, label: loss(student, teacher)


def _at(checkout: Path) -> Call:
    at_loss = load(checkout, "utils", "nested_dict").at_loss
    return lambda student, teacher, label: at_loss(student, teacher) * student[0, 0].numel()


def _imd(checkout: Path) -> Call:
    distance = load(checkout / "utils", "loss_functions").importance_maps_distillation
    return lambda student, teacher, label: distance(student, teacher)


def _rad(checkout: Path) -> Call:
    distance = load(checkout / "utils", "loss_functions").region_affinity_distillation
    return lambda student, teacher, label: distance(
        student, teacher, torch.cat([1 - label.float(), label.float()], dim=1)
    )


def _fitnet(checkout: Path) -> Call:
    module = load(checkout / "losses", "fitnet")
    return lambda student, teacher, label: _fitnet_loss(module, student, teacher)


def _fitnet_loss(module: Any, student: Tensor, teacher: Tensor) -> Tensor:
    torch.manual_seed(0)  # the regressor of our loss has the same weights
    value: Tensor = module.CriterionFitNet(student.shape[1], teacher.shape[1])(student, teacher)
    return value


def _spkd(checkout: Path) -> Call:
    loss = load(checkout / "distiller_zoo", "SP").Similarity()
    return lambda student, teacher, label: loss([student], [teacher])[0].squeeze()


def _pa(checkout: Path) -> Call:
    loss = load(checkout / "utils", "criterion", "tensorboardX").CriterionPairWiseforWholeFeatAfterPool(0.5, 0)
    return lambda student, teacher, label: loss([student], [teacher])


def _ifvd(checkout: Path) -> Call:
    loss = load(checkout / "utils", "criterion").CriterionIFV(2)
    return lambda student, teacher, label: loss([None, None, student], [None, None, teacher], label.squeeze(1))


def _cirkd_batch(checkout: Path) -> Call:
    loss = load(checkout / "losses", "cirkd_mini_batch").CriterionMiniBatchCrossImagePair(0.1)
    return lambda student, teacher, label: loss(*(F.adaptive_avg_pool2d(f, _nodes(f)) for f in (student, teacher)))


def _nodes(feature: Tensor) -> int:
    """Return the nodes an axis of our batch term: the map pooled by the smallest whole factor that leaves at most 28."""
    return -(-feature.shape[2] // -(-feature.shape[2] // 28))


def _cirkd_memory(checkout: Path) -> Call:
    loss = load(checkout / "losses", "cirkd_memory").StudentSegContrast(
        2, 2000, 200, 513, 2049, 1.0, 0.1, s_channels=64, t_channels=64, ignore_label=255
    )
    loss.concat_all_gather = lambda tensor: tensor
    return lambda student, teacher, label: sum(loss(student, teacher, label.squeeze(1), label)) * 0.1


def _hlfd(checkout: Path) -> Call:
    module = load(checkout / "utils", "loss_functions")

    def call(student: Features, teacher: Features, label: Tensor) -> Tensor:
        early, *mids, _ = student.encoder
        predictions = module.rec_prediction_map_distillation(early, list(teacher.maps))
        predictions = predictions + sum(module.prediction_map_distillation(mid, teacher.logits) for mid in mids)
        features = module.recur_cat_importance_maps_distillation(early, list(teacher.encoder[1:-1]))
        features = features + sum(module.importance_maps_distillation(mid, teacher.encoder[-1]) for mid in mids)
        return 0.1 * 0.5 * predictions + 0.9 * 0.5 * features

    return call


def _dcd(checkout: Path) -> Call:
    methods = checkout / "dcd_medseg" / "training" / "distillation" / "methods"
    loss = load(methods, "dcd").StageWiseDCDLoss(64, 64, "db4", 3, [1, 2, 3, 4, 5, 6])
    return lambda student, teacher, label: loss(student, teacher)[0]


_LOADERS: dict[str, Callable[[Path], Call]] = dict(
    zip(
        SOURCES,
        (_kd, _standardised_kd, _dkd, _standardised_dkd, _cwd, _dice_kd, _dist, _at, _imd, _rad, _fitnet, _spkd, _pa)
        + (_ifvd, _cirkd_batch, _cirkd_memory, _hlfd, _dcd),
        strict=True,
    )
)
