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


def test_options_that_the_plan_sets_more_specifically_are_named(tmp_path):
    plan = {
        **PLAN,
        "tasks": {"kits19": {"options": {"max_epochs": 9}, "teacher": {"max_epochs": 3, "batch_size": 2}}, "lits": {}},
        "rows": {"kd": {"method": "kd", "options": {"max_epochs": 4}}},
        "teacher": {"max_epochs": 5},
        "distilled": {"batch_size": 1},
    }
    changes = {"options": {"max_epochs": 1, "seed": 3}, "teacher": {"batch_size": 6}}
    assert list(notes_of_changes(change_plan(plan, changes), changes)) == [
        "note: --options max_epochs: the plan has values of its own, which stay: "
        "task kits19 (options, teacher), row kd (options), plan (teacher)",
        "note: --teacher batch_size: the plan has values of its own, which stay: task kits19 (teacher)",
    ]
    both = {"options": {"max_epochs": 1}, "teacher": {"max_epochs": 2}}  # the teacher's is no value of the plan
    assert "plan (" not in "".join(notes_of_changes(change_plan(plan, both), both))
    outside = {"teacher": {"teacher": str(tmp_path)}}
    assert list(notes_of_changes(change_plan(plan, outside), outside)) == []
