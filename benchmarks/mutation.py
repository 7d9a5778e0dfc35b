"""Measure how many small faults in the code the tests notice: ``python benchmarks/mutation.py WORK`` (``pip install mutmut``).

`mutmut` makes mutants: copies of a function with one operator, number, text or argument changed. A mutant is killed if a test
fails. Of each group of files a sample is tested, drawn by the seed. WORK keeps a copy of the tree for each group with the
verdicts, and ``survivors.txt`` with the change of each mutant that lived. A second call goes on where the first ended.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TREE = Path(__file__).parents[1]
# Exits of mutants that a test has noticed. The others survived, or no test runs them.
NOTICED = ("killed", "timeout", "segfault")


@dataclass(frozen=True)
class Group:
    """Files that are changed, and the tests that should notice."""

    files: tuple[str, ...]
    tests: tuple[str, ...]


GROUPS = {
    "losses": Group(("medkd/losses/*.py",), ("tests/losses", "medkd/losses")),
    "correction": Group(("medkd/correction/*.py",), ("tests/correction", "tests/plckd", "medkd/correction")),
    "methods": Group(("medkd/methods/*.py",), ("tests/methods", "medkd/methods")),
    "metrics": Group(("medkd/metrics/*.py",), ("tests/metrics", "medkd/metrics")),
    "statistics": Group(
        (
            "medkd/reports/tables/statistics.py",
            "medkd/reports/tables/bootstrap.py",
            "medkd/reports/tables/experiment.py",
        ),
        ("tests/reports/tables", "medkd/reports/tables"),
    ),
    "resume": Group(("medkd/runs/resume.py",), ("tests/runs",)),
}


def main(words: Sequence[str] | None = None) -> None:
    """Print the table of the groups."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--sample", type=int, default=150, help="mutants of each group")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--children", type=int, default=2, help="mutants that are tested at a time")
    options = parser.parse_args(words)
    print("| files | mutants | tested | killed | survived | no test | killed, % |\n|---|---|---|---|---|---|---|")
    for name in options.only:
        folder = options.work.resolve() / name
        if not folder.is_dir():
            _copy_tree(folder, GROUPS[name])
        print(_row(name, folder, options), flush=True)


def _copy_tree(folder: Path, group: Group) -> None:
    """Copy the tracked files, with a configuration of mutmut."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=TREE, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(TREE / name, folder / name)
    settings = {
        "source_paths": ["medkd"],
        "only_mutate": list(group.files),
        "pytest_add_cli_args": ["-k", "not compile"],  # torch.compile cannot read functions that choose a mutant
        "pytest_add_cli_args_test_selection": list(group.tests),
        "also_copy": [path.name for path in folder.iterdir() if path.name != "medkd"],
        "process_isolation": "forkserver",  # torch does not survive a fork of a process that has used it
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    with (folder / "pyproject.toml").open("a") as file:
        file.write("\n[tool.mutmut]\n" + "\n".join(lines) + "\n")


def _row(name: str, folder: Path, options: argparse.Namespace) -> str:
    """Test the sample of a group, write its survivors, and return its line of the table."""
    # makes the mutants, measures which tests run them, and stops: no mutant has this name
    made = _mutmut(folder, "run", "none", "--max-children", "1")
    verdicts = _verdicts(folder)
    if not verdicts:
        raise SystemExit(f"{name}: mutmut made no mutant:\n{made.stdout[-2000:]}{made.stderr[-2000:]}")
    sample = random.Random(options.seed).sample(sorted(verdicts), min(options.sample, len(verdicts)))
    if waiting := [mutant for mutant in sample if verdicts[mutant] == "not checked"]:
        ran = _mutmut(folder, "run", *waiting, "--max-children", str(options.children))
        if ran.returncode:
            raise SystemExit(f"{name}: mutmut failed:\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}")
        verdicts = _verdicts(folder)
    counts = Counter(verdicts[mutant] for mutant in sample)
    lived = sorted(mutant for mutant in sample if verdicts[mutant] not in NOTICED)
    texts = [f"# {verdicts[mutant]}\n{_mutmut(folder, 'show', mutant).stdout}" for mutant in lived]
    (folder / "survivors.txt").write_text("\n".join(texts))
    killed = sum(counts[verdict] for verdict in NOTICED)
    untested = counts["no tests"]
    numbers = (len(verdicts), len(sample), killed, len(sample) - killed - untested, untested)
    return f"| {name} | {' | '.join(map(str, numbers))} | {100 * killed / len(sample):.0f} |"


def _mutmut(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(folder / "mutants")}
    command = [sys.executable, "-m", "mutmut", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def _verdicts(folder: Path) -> dict[str, str]:
    """Return mutant -> verdict of all mutants that were made."""
    lines = _mutmut(folder, "results", "--all", "True").stdout.splitlines()
    pairs = (line.strip().rpartition(": ") for line in lines if ": " in line)
    return {mutant: verdict for mutant, _, verdict in pairs}


if __name__ == "__main__":
    main()
