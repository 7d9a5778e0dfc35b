"""`medkd.io.write_prediction` as a dictionary transform."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform, SaveImaged
from monai.utils import ImageMetaKey

from medkd.io import LabelFormat, case_name, write_prediction
from medkd.runs.case_names import check_case_name

__all__ = ["DropChannelForMonaiLabeld", "SaveImagePredictiond"]


class SaveImagePredictiond(SaveImaged):
    """Dictionary transform that writes predictions to ``<output_dir>/<case><postfix>``, see `write_prediction`.

    Programs that write predictions themselves leave out what saves images. MONAI Label knows it by the base class
    `SaveImaged`, MONAI Deploy by "SaveImage" in the name of the class.

    Args:
        keys: keys of labels ``(1, *spatial)`` uint8 or probabilities ``(K, *spatial)`` float32. Values are MetaTensors with
            their file in the meta data. The item's "case" names the file written; without it, the file of the image does.
        output_dir: output folder, created with the first file.
        num_classes: K, for the grey values of pictures.
        postfix: text behind the case's name, "_prob" for example.
        reverse_indexing: whether pictures have the axes columns, rows, as MONAI's PILReader reads them by default.
        label_format: of labels of volumes; None: NIfTI without the names of the classes.
    """

    def __init__(
        self,
        keys: KeysCollection,
        output_dir: str | Path,
        num_classes: int = 2,
        postfix: str = "",
        reverse_indexing: bool = False,
        label_format: LabelFormat | None = None,
    ) -> None:
        super().__init__(keys, output_dir=output_dir, output_postfix=postfix)
        self.output_dir = Path(output_dir)
        self.num_classes = num_classes
        self.postfix = postfix
        self.reverse_indexing = reverse_indexing
        self.label_format = label_format

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write the predictions and return the item unchanged."""
        for key in self.key_iterator(data):
            image = data[key]
            source = str(image.meta[ImageMetaKey.FILENAME_OR_OBJ])
            array, affine = image.as_tensor().cpu().numpy(), np.asarray(image.affine.cpu())
            if self.reverse_indexing:
                array = array.swapaxes(1, 2)
            name = f"{check_case_name(data.get('case', case_name(source)))}{self.postfix}"
            write_prediction(array, self.output_dir, name, source, affine, self.num_classes, self.label_format)
        return dict(data)


class DropChannelForMonaiLabeld(MapTransform):
    """Dictionary transform that takes the channel axis from labels ``(1, W, H)`` of a picture if MONAI Label asked for them.

    MONAI Label would write ``(1, W, H)`` as a volume. MONAI Deploy and MONAI's own engines need the channel axis.

    Args:
        keys: keys of labels. The items of MONAI Label are its requests, which have an "image_path".
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item; only that of a request of MONAI Label is changed."""
        item = dict(data)
        for key in self.key_iterator(item) if "image_path" in item else ():
            item[key] = item[key][0]
        return item
