"""The bundles that an experiment is planned with."""

from dataclasses import FrozenInstanceError, replace

import pytest

from medkd.experiments import Bundles, check_plan

from .plans import BUNDLES, PLAN


def test_the_installed_bundles_have_plans_and_a_snakefile():
    assert (BUNDLES.folder / "Snakefile").is_file() and list((BUNDLES.folder / "experiments").glob("*.yaml"))
    assert all((BUNDLES.folder / task / "configs").is_dir() for task in BUNDLES.tasks)


def test_a_plan_is_checked_with_the_check_of_the_bundles():
    verbs = []

    def check_options(verb, task, options, **settings):
        verbs.append((verb, task))

    check_plan({**PLAN, "baseline": "kd"}, "plan", replace(BUNDLES, check_options=check_options))
    assert ("distill", "kits19") in verbs


def test_bundles_do_not_change():
    bundles = Bundles(BUNDLES.folder, ("kits19",), BUNDLES.check_options)
    with pytest.raises(FrozenInstanceError):
        bundles.tasks = ()
