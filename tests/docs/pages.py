"""The pages of the project, and the code blocks in them."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md")),
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if "generated" not in path.parts),
    *sorted((ROOT / "bundles").glob("*/docs/README.md")),
]
# Pages whose commands no test runs, and why.
NOT_RUN = {
    **{
        f"docs/{name}.md": "the commands of measurements: they need the data and hours"
        for name in ("results", "every_method", "earlier_checks", "hlfd")
    },
    "benchmarks/README.md": "the commands of measurements: they need the data and hours",
    "CONTRIBUTING.md": "the commands of .ci/run",
    **{
        str(page.relative_to(ROOT)): "tests/bundles runs the commands of each bundle on its phantoms"
        for page in PAGES
        if "bundles" in page.parts
    },
}
_BLOCK = re.compile(r"(?:^<!-- not run: ([^\n]+) -->\n)?^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A code block: its page, language and text, and why it is not run (empty where it is)."""

    page: str
    language: str
    text: str
    not_run: str

    @property
    def commands(self) -> list[str]:
        """The command lines of a bash block, continued lines joined."""
        lines = self.text.replace("\\\n", " ").splitlines() if self.language == "bash" else []
        return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def blocks(page: Path) -> list[Block]:
    name = str(page.relative_to(ROOT))
    found = _BLOCK.findall(page.read_text(encoding="utf-8"))
    return [Block(name, language, text, reason or NOT_RUN.get(name, "")) for reason, language, text in found]


def run_blocks(page: Path) -> list[Block]:
    """The blocks of commands and Python that a test runs."""
    return [block for block in blocks(page) if block.language in ("bash", "python") and not block.not_run]


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))
