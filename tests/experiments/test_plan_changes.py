"""What the command line changes of a plan."""

import pytest

from medkd.experiments.plan_changes import change_plan

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
