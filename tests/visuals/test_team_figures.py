"""The figures of a team: which images are shown, what is left out, and who is refused."""

import pytest
import torch
from torch import nn

from medkd.correction import TeacherTeam
from medkd.networks import FeatureTaps
from medkd.teachers import SingleTeacher
from medkd.visuals import plot_team


def network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 2, 2, stride=2), nn.Upsample(scale_factor=2))


def team(bias=0.0, **options):
    net = network(0)
    with torch.no_grad():
        net[1].bias[1] += bias
    return TeacherTeam(FeatureTaps(net, encoder=["0"]), network(1), network(2), **options)


def items(count=6):
    """Case k has a lesion of k rows, the first none."""
    draw = torch.Generator().manual_seed(0)
    data = []
    for k in range(count):
        label = torch.zeros(1, 32, 32, dtype=torch.uint8)
        label[:, 4 : 4 + k, 4:20] = 1
        data.append({"image": torch.rand(3, 32, 32, generator=draw), "label": label, "case": f"case{k}"})
    return data


def half():
    """A team whose teacher calls half of the pixels lesion."""
    net = team()
    with torch.no_grad():
        logits = torch.cat([net.teacher(item["image"][None]).logits for item in items()])
        net.teacher.network[1].bias[1] -= (logits[:, 1] - logits[:, 0]).median()
    return net


def names(paths):
    return [path.name for path in paths]


def test_the_cases_with_most_and_fewest_errors_are_shown(tmp_path):
    # says background everywhere: the larger the lesion, the more errors; no false positives, hence no queue to draw from
    paths = plot_team(team(bias=-100.0), items(), tmp_path)
    soft = [f"soft_labels_case{k}.png" for k in (5, 3, 1)]
    assert names(paths) == [*soft, "boundary_transform_case3.png"]
    assert all(path.stat().st_size > 0 for path in paths)


def test_false_pixels_need_errors_of_each_class(tmp_path):
    paths = plot_team(half(), items(), tmp_path)
    assert names(paths)[-1] == "false_pixels.png" and len(paths) == 5


def test_cases_may_be_named_and_slices_are(tmp_path):
    data = [{**item, "slice": k} for k, item in enumerate(items())]
    paths = plot_team(team(bias=-100.0), data, tmp_path, cases=["case2"])
    assert names(paths) == ["soft_labels_case2_2.png", "boundary_transform_case2_2.png"]
    for case in ("case0", "nobody"):
        with pytest.raises(ValueError, match=f"cases: {case} not among the training images, or without a lesion"):
            plot_team(team(), items(), tmp_path, cases=[case])


def test_edges_that_networks_do_not_take_are_padded(tmp_path):
    item = items()[3]
    odd = {**item, "image": item["image"][:, :, :27], "label": item["label"][:, :, :27]}
    assert len(plot_team(team(bias=-100.0), [odd], tmp_path)) == 2


def test_nothing_is_drawn_of_other_teachers(tmp_path):
    net = team()
    assert (
        plot_team(SingleTeacher(net.teacher), items(), tmp_path) == plot_team(team(swap=True), items(), tmp_path) == []
    )
    assert list(tmp_path.iterdir()) == []


def test_images_of_several_sizes(tmp_path):
    data = items()
    for item, width in zip(data, (32, 64, 32, 64, 32, 64), strict=True):
        item["image"], item["label"] = (torch.cat([item[key], item[key]], 2)[..., :width] for key in ("image", "label"))
    net = half()
    paths = plot_team(net, data, tmp_path)
    assert names(paths)[-1] == "false_pixels.png"


def test_no_lesion_is_told_and_no_error(tmp_path, capsys):
    assert plot_team(team(), items(1), tmp_path) == []
    assert "none of 1 labelled images has a lesion" in capsys.readouterr().out
