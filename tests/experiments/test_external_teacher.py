"""Plans with a teacher that is trained already: no run trains one, students are given its path, its row is an evaluation."""

import json

import pytest
import yaml

from medkd.experiments import Plan, check_plan
from medkd.experiments.check_plan import check_data_sets
from medkd.experiments.plan_changes import change_plan
from medkd.experiments.plan_file import load_plan
from medkd.experiments.plan_trust import check_trust

from .plans import BUNDLES, PLAN, write_plan

ROWS = {"T": {"role": "teacher"}, "alone": {}, "kd": {"method": "kd"}, "plckd": {"method": "plckd"}}


@pytest.fixture
def teacher(tmp_path):
    """Folder of a run of kits19, with a record alone."""
    (tmp_path / "run").mkdir()
    record = {"bundle_root": "bundles/kits19", "method": "teacher", "teacher_width": 8, "mode": "2d"}
    (tmp_path / "run/config.yaml").write_text(yaml.safe_dump(record))
    return tmp_path / "run"


def plan_of(folder, data="/data", **changes):
    content = load_plan(write_plan(folder, {**PLAN, "rows": ROWS, "seeds": [0, 1], **changes}))
    check_plan(content, "own.yaml", BUNDLES)
    return Plan(content, {"kits19": str(data)}, folder / "out")


def test_students_learn_from_it_and_its_row_is_an_evaluation(tmp_path, teacher):
    options = {"max_epochs": 2, "device": "cpu"}
    section = {"teacher": "run", "teacher_output": "logits"}  # beside the plan
    plan = plan_of(tmp_path, options=options, teacher=section)
    assert {job.kind for job in plan.jobs.values()} == {
        "teacher",
        "false_pixel_assistant",
        "boundary_assistant",
        "student",
    }
    assert plan.command("kits19/teacher/seed_0") == (
        f"medkd evaluate kits19 --model {teacher} --device cpu --seed 0 --dataset_dir /data "
        f"--output_dir {tmp_path}/out/kits19/teacher/seed_0"
    )
    assert "kits19/teacher/seed_1" not in plan.jobs and list(plan.runs("kits19", "T")) == [0]
    for folder in ("kd/seed_1", "plckd/seed_0", "false_pixel_assistant/seed_0"):
        command = plan.command(f"kits19/{folder}")
        assert command.count("--teacher ") == 1 and f"--teacher {teacher} --teacher_output logits" in command
        assert not any("/teacher/" in need for need in plan.jobs[f"kits19/{folder}"].needs)
    assert "--teacher" not in plan.command("kits19/alone/seed_0")


def test_each_task_may_have_its_own_and_may_be_an_ensemble(tmp_path, teacher):
    rows = {"kd": {"method": "kd"}}
    tasks = {"kits19": {"teacher": {"teacher": ["run", str(teacher)]}}, "own": {"task": "kits19", "data": "kits19"}}
    plan = plan_of(tmp_path, rows=rows, tasks=tasks, teacher={"max_epochs": 3})
    assert f"--teacher '['\"'\"'{teacher}" in plan.command("kits19/kd/seed_0")
    assert "max_epochs" not in plan.command("kits19/kd/seed_0")
    assert "--max_epochs 3" in plan.command("own/teacher/seed_0")
    assert not any(folder.startswith("kits19/teacher") for folder in plan.jobs)


def test_the_command_names_one_in_place_of_those_that_are_trained(tmp_path, teacher, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = {**PLAN, "teacher": {"max_epochs": 3}, "tasks": {"kits19": {"teacher": {"teacher_width": 4}}}}
    changed = change_plan(content, {"teacher": {"teacher": "run"}})
    assert changed["teacher"] == {"teacher": str(teacher)} and changed["tasks"] == {"kits19": {}}
    assert change_plan(content, {"teacher": {"max_epochs": 4}})["teacher"] == {"max_epochs": 4}
    with pytest.raises(ValueError, match="--teacher: teacher: teacher: gone: no such file or folder"):
        change_plan(content, {"teacher": {"teacher": "gone"}})


def test_one_that_is_code_needs_trust(tmp_path):
    (tmp_path / "bundle/configs").mkdir(parents=True)
    (tmp_path / "bundle/configs/inference.json").write_text("{}")
    content = plan_of(tmp_path, rows={"kd": {"method": "kd"}}, teacher={"teacher": "bundle"}).content
    with pytest.raises(
        ValueError, match=r"own.yaml: plan: teacher: teacher: found .*/bundle, a MONAI bundle, .*--trust_plan"
    ):
        check_trust(content, "own.yaml", BUNDLES)


@pytest.mark.parametrize("value", [3, ["a", 3], {"a": 1}])
def test_what_is_no_path_is_one_line(tmp_path, value):
    with pytest.raises(ValueError, match="teacher: teacher: found .*, expected a path, or a list of paths"):
        plan_of(tmp_path, teacher={"teacher": value})


def test_a_data_set_without_labels_needs_one_and_rows_with_a_method(tmp_path, teacher):
    data = tmp_path / "data"
    data.mkdir()
    lists = {"without_labels": True, "training": [], "unlabelled": [{"case": "a", "image": "a.b2nd"}]}
    (data / "datalist.json").write_text(json.dumps({"name": "nifti", **lists}))

    def check(**changes):
        plan = plan_of(tmp_path, data, **changes)
        check_data_sets(plan.content, "own.yaml", BUNDLES, {"kits19": str(data)})

    kd = {"kd": {"method": "kd"}}
    own, external = {"rows": kd}, {"teacher": {"teacher": "run"}}
    with pytest.raises(ValueError, match=r"task kits19: .* expected a teacher that is trained already: `teacher: "):
        check(**own)
    with pytest.raises(
        ValueError, match="row alone: found a data set without labels, expected rows with a method alone"
    ):
        check(**external, rows={"alone": {}, **kd})
    with pytest.raises(
        ValueError, match="row kd: --dataset_dir .*: found a data set without labels, expected one with"
    ):
        check(**external, rows=kd)
    check(**external, rows=kd, distilled={"training_cases": 0, "unlabelled": "all"})


def test_a_method_that_the_data_set_cannot_teach_is_told_before_anything_runs(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "datalist.json").write_text(json.dumps({"training": [{"case": "a", "image": "a.b2nd"}]}))
    plan = plan_of(tmp_path, data, rows={"pseudo": {"method": "pseudo"}})
    with pytest.raises(ValueError, match="own.yaml: row pseudo: method pseudo: found no unlabelled images"):
        check_data_sets(plan.content, "own.yaml", BUNDLES, {"kits19": str(data)})
