"""Plans are data: code in a stranger's plan is refused before anything of it is read as configuration."""

import pytest
import yaml

from medkd.cli.main import main
from medkd.experiments import Plan, check_plan, load_plan, plan_file, plans
from medkd.experiments.plan_trust import check_trust

from .plans import BUNDLES, DATA, PLAN, write_plan

EXPRESSION = "$open('written', 'w')"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (
            {"rows": {"kd": {"method": "kd", "options": {"learning_rate": EXPRESSION}}}},
            "row kd: options: learning_rate",
        ),
        ({"rows": {"a b": {"options": {"image_size": [EXPRESSION, 96]}}}}, "row a b: options: image_size"),
        ({"options": {"method_args": {"weight": {"a": "@b"}}}}, "plan: options: method_args"),
        ({"teacher": {"teacher_def": {"_target_": "os.system"}}}, "plan: teacher: teacher_def"),
        ({"boundary_assistant": {"network_def::_target_": "os.system"}}, "network_def::_target_"),
        ({"tasks": {"kits19": {"distilled": {"decide": "%evil"}}}}, "task kits19: distilled: decide"),
        ({"tasks": {"kits19": {"options": {"logging_file": "evil.conf"}}}}, "task kits19: options: logging_file"),
        ({"options": {"tracking": "evil.json"}}, "plan: options: tracking"),
        ({"tasks": {"kits19": {"overlay": "evil.yaml"}}}, "task kits19: overlay"),
    ],
)
def test_code_is_refused_in_one_line(tmp_path, monkeypatch, capsys, change, place):
    pytest.importorskip("snakemake")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.yaml").write_text(yaml.safe_dump({"task_loss": {"_target_": "evil.module.Loss"}}))
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil/__init__.py").write_text("open('written', 'w')")
    file = write_plan(tmp_path, {**PLAN, **change})
    assert main(["experiment", str(file), "--data", "kits19=d", "--output_dir", "out"]) in (1, 2)
    line = capsys.readouterr().err.strip()
    assert place in line and "--trust_plan executes it" in line and "\n" not in line
    assert not (tmp_path / "written").exists() and not (tmp_path / "out").exists()


def test_data_and_what_comes_with_medkd_pass(tmp_path):
    for name in plans(BUNDLES):
        content = load_plan(file := plan_file(name, BUNDLES))
        check_plan(content, name, BUNDLES, check_options=False)
        check_trust(content, str(file), BUNDLES)
    (tmp_path / "plain.yaml").write_text("optimizer::lr: 0.1\n'+trained_with': {mode: 2d}\n")
    options = {"spacing": "$None", "learning_rate": None, "network_def::width": 3, "method_args::weight": 0.1}
    content = {**PLAN, "options": options, "tasks": {"kits19": {"overlay": str(tmp_path / "plain.yaml")}}}
    check_trust(content, "plan", BUNDLES)


def test_expressions_of_a_trusted_plan_reach_its_runs_by_an_overlay(tmp_path):
    code = {"learning_rate": "$1e-3 * 2", "image_size": ["$32 * 2", 64]}
    content = {**PLAN, "options": {"max_epochs": 1, **code}}
    check_plan(content, "plan", BUNDLES)
    plan = Plan(content, DATA, tmp_path)
    for folder, job in plan.jobs.items():
        assert job.expressions == code and "--learning_rate" not in job.command
        assert job.command[job.command.index("--overlay") + 1] == str(plan.overlay(folder))


@pytest.mark.parametrize(
    "text", ["", "[1]", "plan: 3\ndata: {}", "plan: {a: 1}\ndata: {}", "a: !!python/name:os.system ''", "a: &a [*a]"]
)
def test_a_folder_of_a_stranger_is_reported_or_refused_in_one_line(tmp_path, capsys, text):
    (tmp_path / "plan.yaml").write_text(text)
    assert main(["report", "--experiment", str(tmp_path), "--output_dir", str(tmp_path / "out")]) in (1, 2)
    line = capsys.readouterr().err.strip()
    assert line.startswith(f"medkd: error: {tmp_path}/plan.yaml: ") and "\n" not in line
