"""Jobs of a plan: the commands, teams and seeds."""

import shlex
import sys

import pytest

from medkd.experiments import Plan, load_plan, plans
from medkd.experiments.run_options import _REQUESTS
from medkd.metrics import EXTRA_METRICS
from medkd.reports.tables import load_published
from medkd.reports.tables.experiment import ON_REQUEST

from .plans import BUNDLES, DATA, PLAN, load, make_plan, write_plan


@pytest.mark.parametrize("name", plans(BUNDLES))
def test_plans_of_ours_are_whole(name, tmp_path):
    data = {**DATA, **{task: f"/data/{task}" for task in load(name)["tasks"]}}
    plan = Plan(load(name), data, tmp_path)
    assert plan.content["baseline"] in plan.rows
    for job in plan.jobs.values():
        assert all(need in plan.jobs for need in job.needs)
        assert job.command[:2] in (("medkd", "train"), ("medkd", "distill"))
        assert (job.command[1] == "distill") == (job.kind == "student" and bool(job.needs))


@pytest.mark.parametrize("name", [name for name in plans(BUNDLES) if "published" in load(name)])
def test_every_published_row_is_run(name, tmp_path):
    plan, published = make_plan(name, tmp_path), load_published(load(name)["published"])
    for task in plan.tasks:
        assert set(published.tasks[task]) <= set(plan.rows_of(task))
        # the paper's rows in the paper's order; what it has not comes last
        assert [row for row in plan.rows_of(task) if row in published.tasks[task]] == list(published.tasks[task])


def test_teachers_and_assistants_are_trained_once_and_shared(tmp_path):
    plan = make_plan("plckd-table2", tmp_path, seeds=[0, 1, 2, 3], teacher_seeds=[5])
    of_task = [job for job in plan.jobs.values() if job.task == "idrid"]
    assert [job.folder for job in of_task if job.kind != "student"] == [
        f"idrid/{kind}/seed_5" for kind in ("teacher", "false_pixel_assistant", "boundary_assistant")
    ]
    expected = {
        "Vanilla KD": {"teacher"},
        "T + SC": {"teacher"},
        "T + TA_f": {"teacher", "false_pixel_assistant"},
        "T + TA_b": {"teacher", "boundary_assistant"},
        "T + TA_f + TA_b": {"teacher", "false_pixel_assistant", "boundary_assistant"},
        "PLC-KD": {"teacher", "false_pixel_assistant", "boundary_assistant"},
        "swap (control)": {"teacher"},
        "Student: UNet": set(),
    }
    for job in of_task:
        if job.kind == "student":
            assert {need.split("/")[1] for need in job.needs} == expected[job.row]


def test_runs_compute_the_metrics_that_the_plan_shows(tmp_path):
    plan = make_plan("plckd-table2", tmp_path, metrics=["dice", "nsd", "lesion_precision"])
    assert all(job.command[job.command.index("--metrics") + 1] == "nsd,lesions" for job in plan.jobs.values())
    assert not any("--metrics" in job.command for job in make_plan("plckd-table2", tmp_path).jobs.values())
    more = make_plan("plckd-table2", tmp_path, metrics=["dice", "nsd"], options={"metrics": "ece"})
    assert all(job.command[job.command.index("--metrics") + 1] == "ece,nsd" for job in more.jobs.values())
    assert set(ON_REQUEST) - {"dice_raw"} == set(_REQUESTS) and set(_REQUESTS.values()) == set(EXTRA_METRICS)


def test_options_go_from_the_general_to_the_particular(tmp_path):
    content = {
        "title": "t",
        "metrics": ["dice"],
        "seeds": [3],
        "options": {"max_epochs": 9, "training_cases": 4},
        "teacher": {"training_cases": None, "teacher_width": 8},
        "distilled": {"batch_size": 2, "method_args::warmup": 1},
        "tasks": {
            "small": {
                **{"task": "nifti", "mode": "3d", "data": "nifti"},
                "options": {"max_epochs": 7},
                "distilled": {"method_args::warmup": 3},
            }
        },
        "rows": {
            "T": {"role": "teacher"},
            "alone": {},
            "kd": {"method": "kd", "options": {"method_args::weight": 0.5}},
        },
    }
    plan = Plan(load_plan(write_plan(tmp_path, content)), DATA, tmp_path)
    teacher, student = (plan.shell(folder) for folder in ("small/teacher/seed_3", "small/kd/seed_3"))
    assert shlex.split(teacher) == [
        *(sys.executable, "-m", "medkd", "train", "nifti", "--mode", "3d", "--role", "teacher", "--max_epochs", "7"),
        *("--teacher_width", "8", "--seed", "3", "--dataset_dir", "/data/nifti"),
        *("--output_dir", f"{tmp_path}/small/teacher/seed_3"),
    ]
    assert shlex.split(student) == [
        *(
            sys.executable,
            "-m",
            "medkd",
            "distill",
            "nifti",
            "--mode",
            "3d",
            "--method",
            "kd",
            "--max_epochs",
            "7",
            "--training_cases",
            "4",
        ),
        *(
            "--batch_size",
            "2",
            "--method_args::warmup",
            "3",
            "--method_args::weight",
            "0.5",
            "--seed",
            "3",
            "--dataset_dir",
            "/data/nifti",
        ),
        *("--output_dir", f"{tmp_path}/small/kd/seed_3", "--teacher", f"{tmp_path}/small/teacher/seed_3"),
    ]
    assert "batch_size" not in plan.shell("small/alone/seed_3")


def test_a_student_learns_from_the_teacher_of_its_seed_where_there_is_one(tmp_path):
    def teachers(**changes):
        jobs = make_plan("hlfd-table1", tmp_path, **changes).jobs.values()
        return {job.seed: job.needs[0][-1] for job in jobs if job.task == "lits" and job.row == "HLFD"}

    assert teachers(seeds=[2, 1]) == {2: "2", 1: "1"}
    assert teachers(seeds=[0, 1, 2], teacher_seeds=[0, 1]) == {0: "0", 1: "1", 2: "0"}


def test_a_team_may_be_chosen_for_all_distilled_rows(tmp_path):
    rows = {"PLC-KD": {"method": "plckd"}}
    plan = make_plan("plckd-table2", tmp_path, rows=rows, distilled={"method_args::boundary": False})
    assert {job.kind for job in plan.jobs.values()} == {"teacher", "false_pixel_assistant", "student"}


def test_seeds_of_a_task_replace_those_of_rows_and_plan(tmp_path):
    content = {**PLAN, "rows": {"kd": {"method": "kd", "seeds": [0, 1, 2]}, "alone": {}}}
    content["tasks"] = {"kits19": {"seeds": [4]}, "lits": {}}
    plan = Plan(content, DATA, tmp_path)
    assert [list(plan.runs("kits19", row)) for row in ("kd", "alone")] == [[4], [4]]
    assert [list(plan.runs("lits", row)) for row in ("kd", "alone")] == [[0, 1, 2], [0]]


def test_tasks_share_a_team(tmp_path):
    tasks = {
        "few": {"task": "kits19", "teacher": {"max_epochs": 9}},
        "full": {"task": "kits19", "team_of": "few", "options": {"max_epochs": 5}},
    }
    rows = {"Teacher": {"role": "teacher"}, "PLC-KD": {"method": "plckd"}}
    plan = Plan({**PLAN, "tasks": tasks, "rows": rows}, DATA, tmp_path)
    members = [job.folder for job in plan.jobs.values() if job.kind != "student"]
    assert members == [f"few/{kind}/seed_0" for kind in ("teacher", "false_pixel_assistant", "boundary_assistant")]
    assert set(plan.jobs["full/plc_kd/seed_0"].needs) == set(members)
    assert plan.runs("full", "Teacher") == plan.runs("few", "Teacher") == {0: tmp_path / "few/teacher/seed_0"}
    assert "--max_epochs 9" in plan.command("few/teacher/seed_0")


def test_tasks_share_runs_with_equal_commands(tmp_path):
    more = {"task": "kits19", "team_of": "few", "distilled": {"unlabelled": "rest"}}
    tasks = {"few": {"task": "kits19"}, "more": more, "longer": {**more, "options": {"max_epochs": 9}}}
    rows = {"Teacher": {"role": "teacher"}, "alone": {}, "KD": {"method": "kd"}}
    plan = Plan({**PLAN, "tasks": tasks, "rows": rows, "seeds": [0, 1]}, DATA, tmp_path)
    folders = {seed: tmp_path / f"few/alone/seed_{seed}" for seed in (0, 1)}
    assert plan.runs("few", "alone") == plan.runs("more", "alone") == folders
    assert plan.runs("longer", "alone") == {seed: tmp_path / f"longer/alone/seed_{seed}" for seed in (0, 1)}
    assert plan.runs("more", "KD") == {seed: tmp_path / f"more/kd/seed_{seed}" for seed in (0, 1)}
    assert sorted(folder for folder in plan.jobs if "alone" in folder) == sorted(
        f"{task}/alone/seed_{seed}" for task in ("few", "longer") for seed in (0, 1)
    )


def test_a_task_without_a_data_set_is_refused(tmp_path):
    with pytest.raises(ValueError, match="--data: no data set for lits"):
        Plan(load("hlfd-table1"), {"kits19": "x"}, tmp_path)
