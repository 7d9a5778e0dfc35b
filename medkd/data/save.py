"""Predictions written as MONAI's transforms write."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import ImageMetaKey

from medkd.io import write_prediction

__all__ = ["SavePredictiond"]


class SavePredictiond(MapTransform):
    """Writes labels (1, *spatial) as `medkd.io.write_prediction` does, to ``<output_dir>/<case><postfix>.*``.

    Args:
        keys: labels (uint8) or probabilities (float32, one channel a class), MetaTensors that know their file.
        output_dir: is made when the first file is written.
        num_classes: K, for the grey values of pictures.
        postfix: put behind the case's name, "_prob" for example.
    """

    def __init__(self, keys: KeysCollection, output_dir: str | Path, num_classes: int = 2, postfix: str = "") -> None:
        super().__init__(keys)
        self.output_dir = Path(output_dir)
        self.num_classes = num_classes
        self.postfix = postfix

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        for key in self.key_iterator(data):
            image = data[key]
            source = str(image.meta[ImageMetaKey.FILENAME_OR_OBJ])
            array, affine = image.as_tensor().cpu().numpy(), np.asarray(image.affine.cpu())
            name = f"{data['case']}{self.postfix}"
            write_prediction(array, self.output_dir, name, source, affine, self.num_classes)
        return dict(data)
