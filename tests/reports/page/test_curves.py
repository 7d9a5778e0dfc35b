"""Training curves from the event files of a run."""

from torch.utils.tensorboard import SummaryWriter

from medkd.reports.page.curves import curves, read_scalars
from medkd.reports.page.runs import run_facts


def test_curves_of_a_resumed_run_are_joined(tmp_path):
    for begin, value in ((1, 1.0), (3, 2.0)):
        with SummaryWriter(tmp_path, filename_suffix=f".{begin}") as writer:
            for epoch in range(begin, begin + 3):
                writer.add_scalar("loss", value, epoch)
    assert read_scalars(tmp_path)["loss"] == [(1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0), (5, 2.0)]


def test_each_run_has_a_line_and_one_legend_entry(made_experiment):
    facts = [run for run in run_facts(made_experiment) if run.task == "skin" and run.state != "no result"]
    panels, legend, without = curves(facts)
    assert [panel.title for panel in panels] == ["Loss", "Validation: mean Dice"] and without == []
    assert [line.name for line in legend] == [run.name for run in facts]
