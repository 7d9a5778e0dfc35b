"""`medkd.io.write_prediction` as a dictionary transform."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import ImageMetaKey

from medkd.io import write_prediction
from medkd.runs.case_names import check_case_name

__all__ = ["SavePredictiond"]


class SavePredictiond(MapTransform):
    """Dictionary transform that writes predictions to ``<output_dir>/<case><postfix>``, see `write_prediction`.

    Args:
        keys: keys of labels ``(1, *spatial)`` uint8 or probabilities ``(K, *spatial)`` float32. Values are MetaTensors with
            their file in the meta data.
        output_dir: output folder, created with the first file.
        num_classes: K, for the grey values of pictures.
        postfix: text behind the case's name, "_prob" for example.
    """

    def __init__(self, keys: KeysCollection, output_dir: str | Path, num_classes: int = 2, postfix: str = "") -> None:
        super().__init__(keys)
        self.output_dir = Path(output_dir)
        self.num_classes = num_classes
        self.postfix = postfix

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write the predictions and return the item unchanged."""
        for key in self.key_iterator(data):
            image = data[key]
            source = str(image.meta[ImageMetaKey.FILENAME_OR_OBJ])
            array, affine = image.as_tensor().cpu().numpy(), np.asarray(image.affine.cpu())
            name = f"{check_case_name(data['case'])}{self.postfix}"
            write_prediction(array, self.output_dir, name, source, affine, self.num_classes)
        return dict(data)
