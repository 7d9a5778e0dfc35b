"""The plans on the pages are plans: they pass the check of `medkd experiment`."""

import re

import pytest

from medkd.cli.verbs.experiment import installed_bundles
from medkd.experiments.check_plan import check_plan
from medkd.experiments.plan_file import load_plan

from .pages import ROOT

PLANS = [
    (page.relative_to(ROOT), plan)
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for plan in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    if "\nrows:" in plan and "title:" in plan
]


def test_pages_have_plans():
    assert {str(page) for page, _ in PLANS} >= {"README.md", "docs/get-started/compare.md"}


@pytest.mark.parametrize(("page", "plan"), PLANS, ids=lambda value: str(value)[:40])
def test_plan_of_a_page_is_accepted(page, plan, tmp_path):
    file = tmp_path / "plan.yaml"
    file.write_text(plan, encoding="utf-8")
    (tmp_path / "PATH").touch()  # a teacher of a plan
    content = load_plan(file)
    check_plan(content, str(page), installed_bundles())
