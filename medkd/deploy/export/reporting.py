"""The report of an export for people: tables and warnings."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from medkd.deploy.runtime.runtimes import RUNTIMES
from medkd.runs.errors import rounded

__all__ = ["print_report", "warnings_of"]

_MAX_DICE_LOSS = 0.0005  # a larger one is a warning
_MAX_DICE_LOSS_OF_PRECISION = 0.005  # int8 and bf16 change the network on purpose


def warnings_of(report: Mapping[str, Any], is_agreement: bool = False) -> list[str]:
    """Return a line for each loss of Dice that is too large, and for each runtime that int8 does not make faster.

    Args:
        report: of `export`.
        is_agreement: whether Dice is the agreement with the teacher.
    """
    form, warnings = report["format"], []
    for entry in report.get("runtimes", [report]):
        if "refused" in entry:
            continue
        name = f"{_variant(form, entry)}, " if "runtime" in entry else ""
        is_exact = form != "onnx-int8" and entry.get("precision", "float32") == "float32"
        limit = _MAX_DICE_LOSS if is_exact else _MAX_DICE_LOSS_OF_PRECISION
        warnings += [
            f"{name}{label}: {_name_of_dice(is_agreement)} fell by {-means['change']:.4f}, more than {limit}"
            for label, means in entry["dice"].items()
            if means["change"] is not None and means["change"] < -limit
        ]
        if entry.get("precision") == "float32" and entry["seconds"] >= entry.get("float32_seconds", float("inf")):
            ratio = entry["seconds"] / entry["float32_seconds"]
            warnings.append(
                f"{name}one window took {ratio:.2f} times as long as in float32: --format onnx is faster there"
            )
    return warnings


def print_report(path: Path, report: Mapping[str, Any], is_agreement: bool) -> None:
    """Print the differences, Dice and seconds of a report, and its warnings on stderr."""
    print(f"{path} ({report['megabytes']:.1f} MB, {report['input']})")
    rows: Sequence[Sequence[Any]] = [
        *((f"{name}: largest, mean difference", *report[name].values()) for name in ("logits", "probabilities")),
        ("share of pixels with another label", report["other_decision"], None),
    ]
    print(tabulate(rows, tablefmt="plain", floatfmt=".2e"))
    headers = (_name_of_dice(is_agreement), "original", "exported", "change", "cases")
    print(tabulate([(name, *means.values()) for name, means in report["dice"].items()], headers, floatfmt=".4f"))
    if "runtimes" in report:
        _print_runtimes(report, is_agreement)
    for warning in report["warnings"]:
        print(f"medkd: warning: {warning}", file=sys.stderr)


def _print_runtimes(report: Mapping[str, Any], is_agreement: bool) -> None:
    eager = report["speed"]["eager_seconds"]
    rows = [("eager torch", rounded(1000 * eager), 1, None, None)]
    for entry in report["runtimes"]:
        if "refused" not in entry:
            changes = [means["change"] for means in entry["dice"].values() if means["change"] is not None]
            lowest = min(changes) if changes else None
            times = (rounded(1000 * entry["seconds"]), eager / entry["seconds"])
            rows.append((_variant(report["format"], entry), *times, lowest, entry["other_decision"]))
    lost = f"lowest change of {_name_of_dice(is_agreement)}"
    headers = (f"threads: {report['speed']['threads']}", "ms a window", "times eager", lost, "other label")
    print(tabulate(rows, headers, floatfmt=("", "", ".2f", "+.4f", ".1e")))
    for entry in report["runtimes"]:
        if "refused" in entry:
            print(f"not measured: {_variant(report['format'], entry)}: {entry['refused']}")


def _variant(form: str, entry: Mapping[str, Any]) -> str:
    precision = entry["precision"]
    if form == "onnx-int8":
        precision = "int8" if precision == "float32" else f"int8 and {precision}"
    return f"{RUNTIMES[entry['runtime']].title} {precision}"


def _name_of_dice(is_agreement: bool) -> str:
    return "agreement with the teacher (Dice)" if is_agreement else "Dice"
