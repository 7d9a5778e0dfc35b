"""Names of the classes of a user's own masks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from medkd.runs.errors import UsageError, counted

__all__ = ["check_class_names", "name_values", "require_classes", "split_names", "unnamed_values"]


def name_values(
    classes: str | Sequence[str] | Mapping[int, str] | None, cases_with: Mapping[int, Sequence[str]]
) -> dict[int, str]:
    """Return label value in the files -> name, in order of value.

    Args:
        classes: names of the values above 0, in order of value; also one text with commas, or value -> name.
            None: ``class_1``, ...
        cases_with: label value -> names of the cases that hold it, for the values above 0.

    Raises:
        ValueError: no value above 0, another number of names than of values, a value without a name or a name without a
            value, names that `check_class_names` refuses.
    """
    values = sorted(cases_with)
    if not values:
        raise ValueError("--labels: no mask holds a value above 0, expected one at least: nothing was written")
    if isinstance(classes, Mapping):
        _require_same_values(classes, cases_with)
        check_class_names(list(classes.values()))
        return dict(sorted(classes.items()))
    if classes is None:
        numbered = [f"class_{number}" for number, _ in enumerate(values, 1)] if values[1:] else ["foreground"]
        return dict(zip(values, numbered, strict=True))
    names = split_names(classes)
    if len(names) != len(values):
        counts = {value: cases[0] if len(cases) == 1 else f"{len(cases)} cases" for value, cases in cases_with.items()}
        listed = ", ".join(f"{value} ({counts[value]})" for value in values)
        raise ValueError(
            f"--classes: {counted(len(names), 'name')} ({', '.join(names)}) for {counted(len(values), 'value')} in the masks: "
            f"{listed}"
        )
    check_class_names(names)
    return dict(zip(values, names, strict=True))


def _require_same_values(classes: Mapping[int, str], cases_with: Mapping[int, Sequence[str]]) -> None:
    """Raise ValueError for a value in the masks that has no name, and for a name whose value is in no mask."""
    for value, cases in cases_with.items():
        if value not in classes:
            held = ", ".join(cases[:3]) + (f" and {len(cases) - 3} more" if cases[3:] else "")
            raise ValueError(
                f"--classes: found the value {value} in the masks of {held}, expected only {_listed(classes)}"
            )
    for value, name in classes.items():
        if value not in cases_with:
            raise ValueError(
                f"--classes: no mask holds {name} (label value {value}): add cases that do, or take the class out"
            )


def unnamed_values(classes: Mapping[int, str], cases_with: Mapping[int, Sequence[str]]) -> dict[str, str]:
    """Return case -> reason of refusal, of the cases whose masks hold a value without a name."""
    return {
        case: f"found the value {value} in the mask, expected only {_listed(classes)}"
        for value, cases in cases_with.items()
        if value not in classes
        for case in cases
    }


def _listed(classes: Mapping[int, str]) -> str:
    return ", ".join(f"{value} {name}" for value, name in classes.items())


def split_names(classes: str | Sequence[str]) -> list[str]:
    """Return the names of ``--classes``: one text with commas, or several."""
    texts = [classes] if isinstance(classes, str) else classes
    return [name.strip() for text in texts for name in str(text).split(",")]


def check_class_names(names: Sequence[str]) -> None:
    """Raise ValueError for names that are equal, empty, mean something else, or would be code in configurations."""
    if len(set(names)) < len(names) or {"", "all", "background"} & set(names):
        raise UsageError(f"--classes: {', '.join(names)}: names must differ, and be neither empty, all nor background")
    if unprintable := [name for name in names if not name.isprintable()]:
        raise UsageError(f"--classes: found the name {unprintable[0]!a}, expected one without control characters")
    if any(name.startswith(("$", "@", "%")) for name in names):
        raise UsageError(
            f"--classes: {', '.join(names)}: names must not begin with $, @ or %, which mark code in configurations"
        )


def require_classes(names: Mapping[int, str], training: Sequence[Collection[int]]) -> None:
    """Raise ValueError for a class that no training case has.

    Args:
        names: label value -> name.
        training: the label values of each training case.
    """
    for value, name in names.items():
        if not any(value in values for values in training):
            raise ValueError(f"no training case has {name} (label value {value}): nothing was written, split otherwise")
