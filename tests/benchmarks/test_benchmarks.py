"""The benchmarks of reading and of inference run to their end, at sizes at which their figures mean nothing."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

FOLDER = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))  # a benchmark may import a module beside it


def rows(text: str) -> dict[str, list[float | None]]:
    """Return first cell -> numbers of the other cells, of all Markdown tables in a text."""
    numbers = {}
    for line in text.splitlines():
        name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells and re.fullmatch(r"\d[\d.e+-]*", cells[0]):
            numbers[name] = [float(cell) if cell else None for cell in cells]
    return numbers


def load(name: str):
    """Return a benchmark as a module."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def benchmark(capsys):
    def run(name: str, *arguments: object) -> dict[str, list[float | None]]:
        load(name).main([str(argument) for argument in arguments])
        return rows(capsys.readouterr().out)

    return run


def test_reading(benchmark):
    tiny = ("--cases", 5, "--slices", 8, "--size", 64, "--reads", 8, "--rounds", 1)
    memory = ("--memory_cases", 1, 2, "--memory_slices", 3, 4, "--memory_reads", 4)
    table = benchmark("loader", *tiny, *memory)
    readers = {name: row for name, row in table.items() if "our" in name or "MONAI" in name}
    assert len(readers) == 4 and all(row[0] > 0 for row in readers.values())
    assert readers["MONAI's LoadImaged, one slice per volume"][2] == 1
    # without worker memory a process of Python alone would be 0
    assert [table[cases][0] for cases in ("1", "2")] == [4, 4] and table["1"][1] > 1


@pytest.mark.slow
def test_inference(benchmark):
    tiny = ("--width", 4, "--volume_width", 2, "--size", 64, "--slices", 12, "--epochs", 1, "--rounds", 1)
    rows = ("eager", "channels", "ONNX", "MONAI")
    table = benchmark("inference", *tiny, "--patch", 16, 32, 32, "--overlap", 0, "--only", *rows)
    scans = {name: row for name, row in table.items() if name.startswith(("slices, ", "volumes, "))}
    assert len(scans) == 9 and "volumes, MONAI's bundle way" in scans
    for seconds, network, rest, cpu, faster, *parts, _, largest, _ in scans.values():
        assert 0 < network < seconds and rest == pytest.approx(100 * (1 - network / seconds), abs=0.1)
        assert 0 < sum(parts) < cpu and faster > 0 and largest > 0
    assert table["eager"][1] == 1 and table["ONNX Runtime, onnx"][3] == pytest.approx(0, abs=0.0005)


@pytest.mark.slow
def test_training_on_a_gpu(benchmark):
    """On the CPU: that the script runs, and how its figures relate."""
    steps = ("--sizes", "64x64", "--precisions", "bfloat16", "--methods", "none", "kd", "swap", "skd", "--rounds", 1)
    loader = ("--cases", 5, "--slices", 4, "--edge", 64, "--workers", 0, "--epochs", 1)
    table = benchmark("gpu", "--device", "cpu", "--width", 2, *steps, *loader)
    assert table["swap"][0] > 0 and table["skd"][1] > 1  # its discriminator is the larger part of so small a step
    for _, loaded, resident, ratio, *_ in (table["none"], table["kd"]):
        assert loaded > 0 and ratio == pytest.approx(loaded / resident, abs=0.01)


def test_losses_have_the_values_of_their_plain_formulas(capsys):
    load("losses").main(sizes=(32,), rounds=1, seconds=0.0, only=("AT", "DCD", "HIFD", "IMF"))
    rows = [line.strip("|").split("|") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")][1:]
    cells = {name.strip(): [cell.strip() for cell in others] for name, *others in rows}
    assert cells["AT"][1:2] == ["-"]  # no checkout, no plain formula
    for name in ("DCD", "HIFD", "IMF"):
        assert float(cells[name][4]) < 1e-4 and float(cells[name][0]) > 0 and cells[name][5] == "plain formula"


def test_splits_of_desk2_share_no_case():
    data = load("desk2_data")
    names = {name: [f"{number:04d}" for number in range(1, 1817)] for name in data.SOURCES}
    names["cvc_endoscene"] = [str(number) for number in range(1, 613)]
    for name in ("isic2018", "cvc_endoscene", "sarcoma", "hippocampus"):
        parts = data.SOURCES[name].parts(Path(), names[name])
        cases = sum(parts.values(), [])
        assert set(parts) == {"training", "unlabelled", "validation", "test"} and all(parts.values())
        assert len(cases) == len(set(cases)) == len(names[name])
    halves = data._halves(["a_slice_1", "b_slice_1", "a_slice_2", "c_slice_1"], lambda name: name[0])
    assert halves == (["a_slice_1", "a_slice_2", "c_slice_1"], ["b_slice_1"])
    assert data.SOURCES["cvc_endoscene"].case("7") == "cvc612_007"


def test_the_search_scores_what_its_runs_left(tmp_path):
    search = load("recommended_search")
    for seed, dice in enumerate((0.5, 0.7)):
        folder = tmp_path / str(seed)
        folder.mkdir()
        torch.save({"best": {"metric": dice}}, folder / "resume.pt")
        assert search._validation_dice(folder) is None  # it has not ended
        (folder / "summary.json").write_text(json.dumps({"a": {"dice": {"mean": dice - 0.1}}, "b": {"iou": {}}}))
    runs = {seed: tmp_path / str(seed) for seed in range(3)}
    assert search._values(runs, search._validation_dice) == pytest.approx({0: 50, 1: 70})
    assert search._values(runs, search._test_dice) == pytest.approx({0: 40, 1: 60})


def test_the_table_of_the_results_page_is_that_of_the_committed_results(capsys, tmp_path):
    module = load("which_method")
    module.main(["--picture", str(tmp_path / "forest.png")])
    printed = capsys.readouterr().out
    assert (tmp_path / "forest.png").stat().st_size > 10_000
    page = (FOLDER.parent / "docs/results.md").read_text(encoding="utf-8")
    lines = [line for line in printed.splitlines() if line]
    assert len(lines) > 10
    assert [line for line in lines if line not in page] == []


def test_the_table_of_hlfds_terms_is_that_of_the_committed_results():
    names = {
        "UFD alone": "UFD",
        "IFD alone, `bottleneck`": "IFD",
        "IFD alone, `final`": "IFD, late = final",
        "UPD and IPD alone": "UPD and IPD",
        "HLFD, `bottleneck`": "HLFD",
        "HLFD, `final`": "HLFD, late = final",
        "AT and KD (`recommended`)": "AT",
    }
    value = load("which_method")._value
    paths = [FOLDER / "results" / kind / f"{name}.csv" for kind in ("desk2", "hlfd_terms") for name in ("isic", "cvc")]
    cells = pd.concat([pd.read_csv(path) for path in paths]).set_index(["task", "row", "metric"])
    page = (FOLDER.parent / "docs/hlfd.md").read_text(encoding="utf-8")
    for words, row in names.items():
        of_sets = [f"{name}_{'few' if row == 'AT' else 'terms'}" for name in ("isic", "cvc")]
        texts = [value(cells.loc[(task, row, metric)], row) for task in of_sets for metric in ("dice", "ece")]
        assert f"| {words} | {' | '.join(texts)} |" in page


def test_the_table_of_hlfd_at_256_pixels_is_that_of_the_committed_results():
    module = load("which_method")
    page = (FOLDER.parent / "docs/hlfd.md").read_text(encoding="utf-8")
    table = pd.read_csv(FOLDER / "results/hlfd_readings/resnetfcn_256.csv").query("metric == 'dice'")
    assert len(table) == 10 and (table["seeds"].iloc[1:] == 3).all()
    for _, cell in table.iterrows():
        words = re.sub("late = (bottleneck|final)", r"`\1`", cell["row"])
        difference = "" if cell["row"] == module.BASELINE else module._value(cell, cell["row"])
        minutes = "" if pd.isna(cell["minutes"]) else f"{cell['minutes']:.1f}"
        texts = (module._value(cell, module.BASELINE), difference, module._gap_closed(cell), minutes)
        assert f"| {words} | {' | '.join(texts)} |" in page
    pairs = pd.read_csv(FOLDER / "results/hlfd_readings/resnetfcn_256_pairs.csv").set_index("row")
    for row, words in (("HLFD, late = bottleneck", "`bottleneck`"), ("KD", "KD")):
        cell = pairs.loc[f"HLFD, late = final minus {row}"]
        expected = f"{cell['difference']:+.1f} ({cell['difference_low']:.1f} to {cell['difference_high']:.1f})"
        assert f"`final` minus {words} is {expected}" in page


@pytest.mark.parametrize(
    ("task", "recommended"),
    [("lits_unet_few", "AT"), ("lits_fcn_none", "HLFD, late = final"), ("resnetfcn_256", "HLFD, late = final")],
)
def test_pairs_begin_with_what_is_recommended_for_the_student(task, recommended):
    first, second, *_ = load("desk2_pairs").rows_to_compare(task)
    assert first == (recommended, "KD") and second == ("Pseudo-labels", recommended)


def test_pairs_of_methods_are_compared_by_seed(tmp_path, capsys):
    rows = {"AT": {"method": "at"}, "KD": {"method": "kd"}, "HLFD": {"method": "hlfd"}, "Student alone": {}}
    plan = {
        "title": "Pairs",
        "metrics": ["dice"],
        "seeds": [0, 1, 2],
        "tasks": {
            "x_few": {},
            "x_unlabelled": {"rows": ["AT"], "distilled": {"max_epochs": 5}},
            "x_seen": {"rows": ["AT"], "distilled": {"max_epochs": 4}},
            "x_none": {"rows": ["AT"], "distilled": {"max_epochs": 3}},
            "x_full": {"rows": ["AT"], "distilled": {"max_epochs": 2}},
            "x_long": {"rows": ["Student alone"]},
        },
        "rows": rows,
    }
    dice = {"x_few/at": [0.5, 0.6, 0.7], "x_few/kd": [0.4, 0.55], "x_few/hlfd": [0.1, 0.1, 0.1]}
    dice |= {"x_unlabelled/at": [0.55, 0.65, 0.75], "x_seen/at": [0.52, 0.62, 0.72], "x_none/at": [0.54, 0.64, 0.74]}
    dice |= {"x_full/at": [0.8, 0.8, 0.8], "x_long/student_alone": [0.7, 0.75, 0.8]}
    for row, values in dice.items():
        for seed, value in enumerate(values):
            folder = tmp_path / "runs" / row / f"seed_{seed}"
            folder.mkdir(parents=True)
            (folder / "summary.json").write_text("{}")
            lines = [f"{case},c,{value + 0.01 * number}" for number, case in enumerate("abcd")]
            (folder / "metrics.csv").write_text("\n".join(["case,class,dice", *lines]))
    recorded = yaml.safe_dump({"plan": plan, "data": dict.fromkeys(plan["tasks"], "x")}, sort_keys=False)
    (tmp_path / "runs/plan.yaml").write_text(recorded)
    load("desk2_pairs").main([str(tmp_path / "runs"), str(tmp_path / "pairs.csv")])
    table = pd.read_csv(tmp_path / "pairs.csv").set_index(["task", "row"])
    # the seed that KD lacks is left out; HLFD has no other row
    others = {"unlabelled": "without these images", "seen": "without these images", "none": "with few labels too"}
    of_supplies = [(f"x_{supply}", f"AT minus AT {words}") for supply, words in others.items()]
    longer = ("x_long", "AT minus Student alone, the teacher's epochs")
    assert list(table.index) == [("x_few", "AT minus KD"), *of_supplies, longer]
    assert table["seeds"].tolist() == [2, 3, 3, 3, 3]
    assert table["difference"].tolist() == pytest.approx([7.5, 5.0, 2.0, -1.0, 5.0])
    assert table.loc[of_supplies, "difference_low"].tolist() == pytest.approx([5.0, 2.0, -1.0])
