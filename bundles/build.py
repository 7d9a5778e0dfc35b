"""Generate ``bundles/<task>/configs/*.yaml`` from ``bundles/base/*.yaml.j2`` and ``bundles/<task>/task.yaml``.

``python bundles/build.py`` writes the files; ``python bundles/build.py --check`` writes nothing and exits with 1 when a file is
stale. The generated files are committed: users and other programs read them, and none of them needs this script.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

ROOT = Path(__file__).parent
CONFIGS = ("train", "evaluate", "inference")


def render_configs(root: Path = ROOT) -> dict[Path, str]:
    """Render all configurations of all tasks.

    Args:
        root: folder with ``base/`` and one folder for each task.

    Returns:
        File -> its text.

    Raises:
        jinja2.UndefinedError: for a value that a template needs and a ``task.yaml`` lacks.
    """
    templates = Environment(
        loader=FileSystemLoader(root / "base"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        # the braces of jinja2 are those of YAML
        variable_start_string="<<",
        variable_end_string=">>",
    )
    texts = {}
    for task in sorted(root.glob("*/task.yaml")):
        values = yaml.safe_load(task.read_text(encoding="utf-8"))
        for name in CONFIGS:
            texts[task.parent / f"configs/{name}.yaml"] = templates.get_template(f"{name}.yaml.j2").render(
                task=task.parent.name, **values
            )
    return texts


def stale_files(root: Path = ROOT) -> list[Path]:
    """List the configurations that are not what the templates give."""
    texts = render_configs(root)
    return [path for path, text in texts.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]


def write_configs(root: Path = ROOT) -> list[Path]:
    """Write the stale configurations and return their paths."""
    texts, stale = render_configs(root), stale_files(root)
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(texts[path], encoding="utf-8")
    return stale


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(description="Generate the configurations of the bundles.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a file is stale")
    check = parser.parse_args(arguments).check
    files = [str(path.relative_to(root.parent)) for path in (stale_files(root) if check else write_configs(root))]
    if check and files:
        print(f"{' '.join(files)}: found a stale file, expected the output of python bundles/build.py", file=sys.stderr)
        return 1
    print("written:" if files and not check else "up to date", *files)
    return 0


if __name__ == "__main__":
    sys.exit(main())
