"""What the command line changes of a plan."""

import pytest

from medkd.experiments.plan_changes import change_plan, notes_of_changes

from .plans import PLAN


def test_seeds_of_the_command_replace_those_of_rows():
    content = change_plan({**PLAN, "rows": {"kd": {"method": "kd", "seeds": [0, 1, 2]}}}, {"seeds": [7]})
    assert content["seeds"] == [7]
    assert content["rows"] == {"kd": {"method": "kd"}}


def test_tasks_without_any_of_the_chosen_rows_are_left_out():
    tasks = {"kits19": {"rows": ["kd"]}, "lits": {}}
    content = {**PLAN, "tasks": tasks, "rows": {"kd": {"method": "kd"}, "at": {"method": "at"}}}
    assert list(change_plan(content, {"rows": ["at"]})["tasks"]) == ["lits"]
    with pytest.raises(ValueError, match="--rows: none of the tasks has a row of .'at'."):
        change_plan(content, {"rows": ["at"], "tasks": ["kits19"]})


def test_a_task_is_not_left_without_its_team():
    content = {**PLAN, "tasks": {"kits19": {}, "full": {"task": "kits19", "team_of": "kits19"}}}
    with pytest.raises(
        ValueError, match="--tasks: 'full' has the teacher of 'kits19', which is left out: expected both"
    ):
        change_plan(content, {"tasks": ["full"]})
    assert list(change_plan(content, {"tasks": ["kits19"]})["tasks"]) == ["kits19"]


def notes(plan, changes, *runs):
    return list(notes_of_changes(change_plan(plan, changes), runs, changes))


def test_runs_that_do_not_take_an_option_of_the_command_are_named(tmp_path):
    plan = {
        **PLAN,
        "metrics": ["dice", "nsd"],
        "options": {"batch_size": 8},
        "tasks": {
            "kits19": {"teacher": {"max_epochs": 3, "batch_size": 2}, "distilled": {"max_epochs": 6}},
            "lits": {},
        },
        "rows": {"kd": {"method": "kd"}, "alone": {}, "other": {"options": {"max_epochs": None}}},
        "boundary_assistant": {"max_epochs": 5},
    }
    runs = [(task, who) for task in plan["tasks"] for who in ("teacher", "boundary_assistant", *plan["rows"])]
    assert notes(plan, {"options": {"max_epochs": 1}}, *runs) == [
        "note: --options max_epochs has no effect on kits19/teacher, kits19/boundary_assistant, kits19/kd, kits19/other "
        "and 2 more: the plan sets it there",
    ]
    assert notes(plan, {"options": {"max_epochs": 1}}, ("lits", "teacher"), ("lits", "kd"), ("kits19", "alone")) == []
    both = {"options": {"max_epochs": 1, "metrics": "ece"}, "teacher": {"max_epochs": 7, "batch_size": 6}}
    assert notes(plan, both, ("kits19", "teacher"), ("lits", "teacher")) == [
        "note: --teacher max_epochs has no effect on kits19/teacher: the plan sets it there",
        "note: --teacher batch_size has no effect on kits19/teacher: the plan sets it there",
    ]
    outside = {"options": {"max_epochs": 1}, "teacher": {"teacher": str(tmp_path)}}
    assert notes(plan, outside, ("lits", "teacher"), ("lits", "kd")) == []
