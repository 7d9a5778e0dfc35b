"""How far stored soft labels are from those computed on the augmented image, for the team of a finished plckd run.

    python benchmarks/stored_deviation.py --run PLCKD --images 64

Each training image as it is (half precision alone), and flipped and turned in the seven other ways (what networks say of a
moved image is not exactly their moved answer). Probabilities of the lesion: the teacher's own, and at the end of the chain.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import fire
import numpy as np
import torch
import yaml
from monai.bundle import ConfigParser
from torch import Tensor
from torch.utils.data import Subset

from medkd.teachers import CachedSoftLabels, CachedTeacher


def moved(x: Tensor, turns: int, flipped: bool) -> Tensor:
    x = torch.rot90(x, turns, (-2, -1))
    return x.flip(-1) if flipped else x


def main(run: str, images: int = 64) -> None:
    """Prints a table: mean and largest difference, and the share of pixels with another decision of the teacher."""
    torch.set_num_threads(1)
    config = ConfigParser(yaml.safe_load((Path(run) / "config.yaml").read_text()))
    config["device"] = "cpu"
    team, source = config.get_parsed_content("teacher_team").eval(), config.get_parsed_content("train::source")
    chosen = np.unique(np.linspace(0, len(source) - 1, images).round().astype(int)).tolist()
    rows: dict[str, list[tuple[float, ...]]] = {"as it is": [], "flipped, turned": []}
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        stored, teacher = CachedSoftLabels(Subset(source, chosen), team, folder, "cpu"), CachedTeacher(team)
        for item in (stored[i] for i in range(len(stored))):
            whole = [torch.as_tensor(item[key]).as_subclass(Tensor)[None] for key in ("image", "label", "soft_labels")]
            for move in [(turns, flipped) for turns in range(4) for flipped in (False, True)]:
                image, label, kept = (moved(x, *move) for x in whole)
                label = label.long()
                pairs = list(zip(team.soft_labels(image.float(), label), teacher.soft_labels(kept, label), strict=True))
                apart = [(a[:, 1:] - b[:, 1:]).abs() for a, b in (pairs[0], pairs[-1])]
                other = (pairs[0][0].argmax(1) != pairs[0][1].argmax(1)).float().mean()
                values = (apart[0].mean(), apart[0].max(), apart[1].mean(), apart[1].max(), other)
                rows["flipped, turned" if any(move) else "as it is"].append(tuple(map(float, values)))
    print(f"{len(chosen)} training images of {run}\n")
    print(
        "| image | teacher, mean | largest | end of the chain, mean | largest | other decisions |\n|---|---|---|---|---|---|"
    )
    for name, values in rows.items():
        table = np.array(values)
        mean, largest = table.mean(0), table.max(0)
        print(f"| {name} | {mean[0]:.1e} | {largest[1]:.1e} | {mean[2]:.1e} | {largest[3]:.1e} | {mean[4]:.2%} |")


if __name__ == "__main__":
    fire.Fire(main)
