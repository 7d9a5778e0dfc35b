"""Training curves from the event files of a run."""

from torch.utils.tensorboard import SummaryWriter

from medkd.reports.page.curves import _dashes, curves, read_scalars
from medkd.reports.page.runs import RunFacts, run_facts


def test_curves_of_a_resumed_run_are_joined(tmp_path):
    for begin, value in ((1, 1.0), (3, 2.0)):
        with SummaryWriter(tmp_path, filename_suffix=f".{begin}") as writer:
            for epoch in range(begin, begin + 3):
                writer.add_scalar("loss", value, epoch)
    assert read_scalars(tmp_path)["loss"] == [(1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0), (5, 2.0)]


def test_each_run_has_a_line_and_each_row_one_legend_entry(made_experiment):
    facts = [run for run in run_facts(made_experiment) if run.task == "skin" and run.state != "no result"]
    panels, legend, without = curves(facts)
    assert [panel.title for panel in panels] == ["Loss", "Validation: Dice, mean over classes"] and without == []
    assert [line.name for line in panels[0].lines] == [run.name for run in facts]
    assert [line.row for line in legend] == list(dict.fromkeys(run.row for run in facts))
    assert panels[1].unit == "Dice, %" and panels[1].lines[0].last == "60"


def test_a_single_point_can_be_seen(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("loss", 0.5, 1)
    run = RunFacts("t", "KD", 0, tmp_path, "ended", "", "kd", "", "", "")
    (panel,), _, _ = curves([run])
    assert len(panel.lines[0].dots) == 1


def test_rows_of_one_method_have_different_dashes(tmp_path):
    runs = [RunFacts("t", row, 0, tmp_path, "ended", "", "kd", "", "", "") for row in ("A", "B")]
    assert len(set(_dashes(runs).values())) == 2
