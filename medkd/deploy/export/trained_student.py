"""A trained student with its data, its inferer and its description."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from monai.transforms import Transform

from medkd.configs.table import data_as_literals
from medkd.data import has_labels, load_datalist, load_unlabelled
from medkd.deploy.describe import describe, kind_of
from medkd.deploy.runtime import ModelSpec
from medkd.io import channel_windows
from medkd.networks import input_spec, load_weights, required_multiple
from medkd.runs.folder import RunFolder
from medkd.runs.record import check_model, check_student

__all__ = ["TrainedStudent", "apply_overrides"]


def apply_overrides(config: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with the options of a command, those of the table as data."""
    parser = ConfigParser(config)
    for name, value in data_as_literals(options).items():
        parser[name] = value
    assert isinstance(parser.config, dict)
    return parser.config


class TrainedStudent:
    """The network of a configuration with a run's weights, on the CPU, and its data, inferer and description.

    Args:
        task: name of the bundle.
        config: the configuration of `medkd evaluate`, with all options applied.

    Raises:
        FileNotFoundError: if the model or the data set does not exist.
        ValueError: if the model has no record or is a teacher, if the record contradicts the options, or if the weights are
            those of another network.

    Attributes:
        model: the run's folder or its model.pt.
        network: in evaluation mode, on the CPU.
        kind: "slices", "volumes" or "pictures".
        description: of the network; its ``format`` is empty.
    """

    def __init__(self, task: str, config: dict[str, Any]) -> None:
        self._config = ConfigParser(config)
        self._ids = set(config)
        self.model = self.value("model")
        if RunFolder.of_model(self.model).read_config() is None:
            raise ValueError(
                f"--model {self.model}: found no config.yaml of its training beside it, expected the folder of a run"
            )
        check_student(self.model, "export")
        if not Path(self.value("dataset_dir")).is_dir():
            raise FileNotFoundError(f"--dataset_dir {self.value('dataset_dir')}: no such folder")
        check_model(self.model, **self.value("trained_with"))
        self.network = load_weights(self.value("network_def"), self.model).eval().requires_grad_(False)
        self.kind = kind_of(self._ids, self.value)
        self.description = self._describe(task)

    def value(self, name: str) -> Any:
        """Return the resolved value of an id of the configuration."""
        return self._config.get_parsed_content(name)

    @property
    def inferer(self) -> Any:
        """The inferer that runs the network over a whole case."""
        return self.value("validate::inferer")

    @property
    def preprocessing(self) -> Transform:
        """The transform from an entry of the data list to ``image`` and ``label``."""
        return self.value("validate::preprocessing")

    @property
    def postprocessing(self) -> Transform:
        """The transform from logits ``pred`` to labels."""
        return self.value("validate::postprocessing")

    def cases(self, split: str) -> list[dict[str, Any]]:
        """Return the entries of a split: "training", "validation" or "test".

        Without labels, those of training have none, and the others have the teacher's label maps beside the model.
        """
        folder = self.value("dataset_dir")
        if self.is_agreement and split == "training":
            return load_unlabelled(folder)
        return load_datalist(folder, split, self.value("validate::reference"))

    @property
    def is_agreement(self) -> bool:
        """Whether the data set has no labels, so that Dice is the agreement with the teacher."""
        return not has_labels(self.value("dataset_dir"))

    def _describe(self, task: str) -> ModelSpec:
        size = tuple(self.value("image_size"))
        channels = input_spec(self.network)[1]
        multiple = required_multiple(self.network)
        if any(edge % multiple for edge in size):
            raise ValueError(f"--image_size: found {size}, expected multiples of {multiple}")
        spec = describe(task, self._ids, self.value, channels, multiple)
        if spec.kind != "pictures" or not spec.form:
            return spec
        windows = channel_windows(self.value("window"))
        if any(window != windows[0] for window in windows):
            raise ValueError(f"--window: found {windows}, expected one for all channels of a picture")
        return replace(spec, intensities=windows[0])
