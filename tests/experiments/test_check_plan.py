"""Plans that are refused: names, values, methods and options."""

import pytest

from medkd.experiments import plan_file, plans

from .plans import BUNDLES, PLAN, check_file, write_plan


@pytest.mark.parametrize("name", plans(BUNDLES))
def test_each_plan_of_medkd_passes(name):
    check_file(plan_file(name, BUNDLES))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"row": {}}, "own.yaml: plan: unknown 'row' .did you mean rows"),
        ({"titel": "x"}, "unknown 'titel' .did you mean title"),
        ({"seeds": None}, "own.yaml: plan: no seeds"),
        ({"seeds": [0, 0]}, "seeds: found .0, 0., expected a list of different whole numbers"),
        ({"seeds": 3}, "seeds: found 3, expected a list of different whole numbers"),
        ({"metrics": ["dise"]}, "metrics: found 'dise', did you mean dice. expected one of dice, iou"),
        ({"published": "table9"}, "published: found 'table9', expected one of hlfd-table1"),
        ({"options": ["a"]}, "options: found .'a'., expected names and values"),
        ({"tasks": {"kits19": {"mode": "4d"}}}, "mode: found '4d', expected 2d or 3d"),
        ({"rows": {"Teacher": {"method": "kd"}}}, "rows 'of the team' and 'Teacher' would have one folder"),
        ({"rows": {"T": {"role": "teacher", "seeds": [1]}}}, "row T: the settings of a teacher are expected under"),
        ({"rows": {"kd": {"methd": "kd"}}}, "row kd: unknown 'methd' .did you mean method"),
        (
            {"rows": {"kd": {"method": "kd", "unlabelled": "rest"}}},
            "'unlabelled', expected `options: .unlabelled: rest.`",
        ),
        ({"rows": {"kd": {"method_args::weight": 1}}}, "expected `options: ..method_args::weight.: 1.`"),
        (
            {"rows": {"kd": {"method": "kd", "teacher": "T"}}},
            "'teacher', expected `teacher: .teacher: PATH.` of the plan",
        ),
        (
            {"tasks": {"kits19": {"max_epochs": 3}}},
            "task kits19: unknown 'max_epochs', expected `options: .max_epochs: 3.`",
        ),
        ({"max_epochs": 3}, "plan: unknown 'max_epochs', expected `options:"),
        ({"rows": {"kd": {"method": "kd", "seed": 3}}}, "row kd: unknown 'seed', expected `seeds: "),
        ({"options": {"mode": "3d"}}, "plan: options: found 'mode', expected `mode: 3d` of a task"),
        ({"options": {"unlabelled": "rest"}, "rows": {"a": {}}}, "row a: unknown .* are expected under `distilled:`"),
        ({"distilled": {"teacher": "T"}}, "plan: distilled: found 'teacher', expected `teacher: .teacher: PATH.`"),
        ({"false_pixel_assistant": {"teacher": "T"}}, "false_pixel_assistant: found 'teacher', expected `teacher:"),
        (
            {"rows": {"kd": {"method": "kd", "options": {"dataset_dir": "D"}}}},
            "found 'dataset_dir', expected --data TASK",
        ),
        ({"teacher": {"teacher": "gone"}}, "plan: teacher: teacher: .*gone: no such file or folder"),
        (
            {"tasks": {"kits19": {"teacher": {"teacher": ".", "max_epochs": 2}}}},
            "max_epochs: has no effect: the teacher . is",
        ),
        (
            {"teacher": {"teacher": "."}, "rows": {"T": {"role": "teacher"}}},
            "row T: found the external teacher .*leave the",
        ),
        ({"rows": {"kd": {"method": "kdd"}}}, "row kd: method: found 'kdd', did you mean kd. expected one of"),
        ({"tasks": {"kits20": {}}}, "task kits20: found 'kits20', did you mean kits19. expected one of"),
        ({"tasks": {"kits19": {"rows": ["hlfd"]}}}, "task kits19: rows: found 'hlfd', expected one of kd"),
        ({"tasks": {"a": {"task": "lits", "team_of": "b"}}}, "task a: team_of: found 'b', expected one of"),
        (
            {"tasks": {"lits": {}, "a": {"task": "lits", "team_of": "lits", "teacher": {"max_epochs": 1}}}},
            "task a: teacher: the task has the team of lits: expected its settings there",
        ),
        ({"baseline": "student"}, "baseline: found 'student', expected one of kd"),
        ({"tasks": {"a, b": {"task": "kits19"}}}, "task 'a, b': expected the name of a folder"),
        ({"tasks": {"../a": {"task": "kits19"}}}, "task '../a': expected the name of a folder"),
        ({"rows": {"???": {}}}, "row '.*': expected a letter or a digit"),
        ({"rows": {"T + A": {}, "t a": {}}}, "rows 'T . A' and 't a' would have one folder"),
    ],
)
def test_a_wrong_plan_is_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        check_file(write_plan(tmp_path, {**PLAN, **change}))


def test_all_problems_are_told_row_by_row(tmp_path):
    rows = {
        "KD": {"method": "kd", "options": {"method_args::wieght": 1}},
        "AT": {"method": "at", "options": {"batch_sise": 4}},
        "PLC-KD": {"method": "plckd", "options": {"method_args::boundry": False}},
        "alone": {},
    }
    tasks = {"kits19": {}, "lits": {"teacher": {"teacher_widht": 4}}}
    with pytest.raises(ValueError) as error:
        check_file(write_plan(tmp_path, {**PLAN, "rows": rows, "tasks": tasks}))
    message = str(error.value)
    assert "row KD: method kd has no argument 'wieght': did you mean weight?" in message
    assert "row AT: unknown option(s): --batch_sise (did you mean --batch_size" in message
    assert "row PLC-KD: method plckd has no argument 'boundry': did you mean boundary?" in message
    assert "teacher of lits: unknown option(s): --teacher_widht" in message
    assert message.count("row KD") == 1 and "alone" not in message and "\n" not in message


def test_several_problems_of_form_are_told_at_once(tmp_path):
    rows = {"a": {"methd": "kd"}, "b": {"seeds": [1, 1]}}
    with pytest.raises(ValueError, match=r"row a: unknown 'methd' .*; row b: seeds: found \[1, 1\]"):
        check_file(write_plan(tmp_path, {**PLAN, "rows": rows}))


def test_a_method_that_reads_maps_is_refused_with_cached_soft_labels(tmp_path):
    rows = {"AT": {"method": "at", "soft_labels": "cached"}}
    with pytest.raises(ValueError, match="row AT: method at reads .* of the teacher"):
        check_file(write_plan(tmp_path, {**PLAN, "rows": rows}))
