"""A student as its run left it, with all that its use needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from monai.transforms import Transform

import medkd
from medkd.data import load_datalist
from medkd.deploy.runtime import ModelSpec
from medkd.networks import input_spec, load_weights, required_multiple
from medkd.runs.folder import RunFolder
from medkd.runs.record import check_model, check_student

__all__ = ["TrainedStudent", "apply_overrides"]


def apply_overrides(config: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """A configuration with the options of a command in their places."""
    parser = ConfigParser(config)
    for name, value in options.items():
        parser[name] = value
    return parser.config


class TrainedStudent:
    """The network of a configuration with a run's weights, on the CPU, and its data, inferer and description.

    Args:
        task: name of the bundle.
        config: what `medkd evaluate` would run, with all options in it.

    Raises:
        FileNotFoundError: no such model, or data set.
        ValueError: no record beside the model, a teacher's, or one that does not fit the options; weights of another network.
    """

    def __init__(self, task: str, config: dict[str, Any]) -> None:
        self._config = ConfigParser(config)
        self.model = self.value("model")
        if RunFolder.of_model(self.model).read_config() is None:
            raise ValueError(
                f"model {self.model}: no config.yaml of its training beside it: give the folder of the run"
            )
        check_student(self.model, "export")
        if not Path(self.value("dataset_dir")).is_dir():
            raise FileNotFoundError(f"dataset_dir {self.value('dataset_dir')}: no such folder")
        check_model(self.model, **self.value("trained_with"))
        self.network = load_weights(self.value("network_def"), self.model).eval().requires_grad_(False)
        self.kind = {"2d": "slices", "3d": "volumes"}[self.value("mode")] if "mode" in config else "pictures"
        self.description = self._described(task)

    def value(self, name: str) -> Any:
        """What an id of the configuration stands for."""
        return self._config.get_parsed_content(name)

    @property
    def inferer(self) -> Any:
        """How the network is run over a whole case."""
        return self.value("validate::inferer")

    @property
    def preprocessing(self) -> Transform:
        """From an entry of the data set to ``image`` and ``label``."""
        return self.value("validate::preprocessing")

    @property
    def postprocessing(self) -> Transform:
        """From logits ``pred`` to labels."""
        return self.value("validate::postprocessing")

    def cases(self, part: str) -> list[dict[str, Any]]:
        """Entries of the data set's part."""
        return load_datalist(self.value("dataset_dir"), part)

    def _described(self, task: str) -> ModelSpec:
        scans, size = self.kind != "pictures", tuple(self.value("image_size"))
        spacing = self.value("spacing") if self.kind == "volumes" else None
        channels = input_spec(self.network)[1]
        multiple = required_multiple(self.network)
        if any(edge % multiple for edge in size):
            raise ValueError(f"image_size {size}: each edge must be a multiple of {multiple}")
        return ModelSpec(
            task=task,
            kind=self.kind,
            channels=channels,
            per_case=self.value("per_case") if "per_case" in self._config.config else None,
            intensities=tuple(self.value("window")) if scans else (0, 255),
            clip=scans,
            padding=-1,
            orientation="IPL" if scans else None,
            size=size,
            spacing=None if spacing is None else tuple(spacing),
            overlap=getattr(self.inferer, "overlap", 0.25) if scans else 0,
            multiple=multiple,
            classes=dict(self.value("classes")),
            decide="argmax",
            trained_with=self.value("trained_with"),
            format="",
            version=medkd.__version__,
        )
