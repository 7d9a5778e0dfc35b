"""Compare cached soft labels with those computed on the augmented image, for the team of a finished plckd run.

    python benchmarks/stored_deviation.py --run PLCKD --images 64

Each training image is measured as it is (the effect of half precision alone) and in the seven other orientations (the
prediction for a flipped or rotated image is not exactly the flipped or rotated prediction). The values are probabilities of the
lesion, of the teacher and at the end of the chain.
"""

from __future__ import annotations

import tempfile

import fire
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Subset

from medkd.runs import RunFolder, load_parser
from medkd.teachers import CachedSoftLabels, CachedTeacher


def oriented(x: Tensor, rotations: int, flipped: bool) -> Tensor:
    """Rotate by multiples of 90 degrees, then flip."""
    x = torch.rot90(x, rotations, (-2, -1))
    return x.flip(-1) if flipped else x


def main(run: str, images: int = 64) -> None:
    """Print a table: mean and largest difference, and the share of pixels with another decision of the teacher."""
    torch.set_num_threads(1)
    config = load_parser(RunFolder(run), trust_record=True)  # with the team: executes the record
    config["device"] = "cpu"
    team, source = config.get_parsed_content("teacher_team").eval(), config.get_parsed_content("train::source")
    indices = np.unique(np.linspace(0, len(source) - 1, images).round().astype(int)).tolist()
    rows: dict[str, list[tuple[float, ...]]] = {"as it is": [], "flipped, rotated": []}
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        cached, teacher = CachedSoftLabels(Subset(source, indices), team, folder, "cpu"), CachedTeacher(team)
        for item in (cached[i] for i in range(len(cached))):
            tensors = [
                torch.as_tensor(item[key]).as_subclass(Tensor)[None] for key in ("image", "label", "soft_labels")
            ]
            for orientation in [(rotations, flipped) for rotations in range(4) for flipped in (False, True)]:
                image, label, soft_labels = (oriented(x, *orientation) for x in tensors)
                label = label.long()
                pairs = list(
                    zip(team.soft_labels(image.float(), label), teacher.soft_labels(soft_labels, label), strict=True)
                )
                differences = [(a[:, 1:] - b[:, 1:]).abs() for a, b in (pairs[0], pairs[-1])]
                changed = (pairs[0][0].argmax(1) != pairs[0][1].argmax(1)).float().mean()
                of_teacher, of_chain = differences
                values = (of_teacher.mean(), of_teacher.max(), of_chain.mean(), of_chain.max(), changed)
                rows["flipped, rotated" if any(orientation) else "as it is"].append(tuple(map(float, values)))
    print(f"{len(indices)} training images of {run}\n")
    print(
        "| image | teacher, mean | largest | end of the chain, mean | largest | other decisions |\n|---|---|---|---|---|---|"
    )
    for name, values in rows.items():
        table = np.array(values)
        mean, largest = table.mean(0), table.max(0)
        print(f"| {name} | {mean[0]:.1e} | {largest[1]:.1e} | {mean[2]:.1e} | {largest[3]:.1e} | {mean[4]:.2%} |")


if __name__ == "__main__":
    fire.Fire(main)
