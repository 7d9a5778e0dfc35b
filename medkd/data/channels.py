"""The channels of a prepared data set."""

from __future__ import annotations

from medkd.io.paths import PathLike

from .dataset_properties import dataset_property

__all__ = ["data_channels"]

# The name of a single channel tells nothing apart: data sets of other names can be used with its models.
_ONE_CHANNEL = ["image"]


def data_channels(dataset_dir: PathLike) -> list[str]:
    """Return the names of the channels of a data set, in their order; a single channel is called ``image``."""
    modality = dataset_property(dataset_dir, "modality")
    names = [name for _, name in sorted(modality.items(), key=lambda item: int(item[0]))]
    return names if len(names) > 1 else list(_ONE_CHANNEL)
