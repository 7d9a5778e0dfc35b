"""Texts from data in tables: a name is neither a formula of a spreadsheet nor a tag of HTML."""

from __future__ import annotations

import re

__all__ = ["escape_csv", "markdown_cell", "markdown_text", "unescape_csv"]

# What a spreadsheet takes for a formula, behind blanks too, with the wide forms of the signs.
_FORMULA = r"(?:[\t\r\n]|\s*[=+\-@＝＋－＠].)"
_ESCAPED = re.compile(rf"'+{_FORMULA}", re.DOTALL)
_UNSAFE = re.compile(rf"'*{_FORMULA}", re.DOTALL)
# What begins an entity, a tag or a comment of HTML, and a link or an image of Markdown. "p < 0.05" and "[1, 2]" begin none.
_MARKUP = {r"&(?=#|\w+;)": "&amp;", r"<(?=[A-Za-z/!?])": "&lt;", r"\[(?=[^\]]*\]\s*[(\[:])": "&#91;"}
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def escape_csv(cell: str) -> str:
    """Return a text that a spreadsheet shows instead of computing it: an apostrophe is set before a formula.

    Example:
        >>> escape_csv("=HYPERLINK(A1)"), escape_csv("-0.5"), escape_csv("case_1")
        ("'=HYPERLINK(A1)", '-0.5', 'case_1')
    """
    return f"'{cell}" if _UNSAFE.match(cell) and not _is_number(cell) else cell


def unescape_csv(cell: str) -> str:
    """Return the text that `escape_csv` was given.

    Example:
        >>> unescape_csv("'=HYPERLINK(A1)"), unescape_csv("'quoted'")
        ('=HYPERLINK(A1)', "'quoted'")
    """
    return cell[1:] if _ESCAPED.match(cell) else cell


def markdown_text(text: object) -> str:
    """Return a text in one line of Markdown that makes no tag, no link and no image.

    Example:
        >>> markdown_text("<b>5 < 6</b>")
        '&lt;b>5 < 6&lt;/b>'
    """
    line = _CONTROL.sub("\ufffd", " ".join(str(text).split()))
    for pattern, entity in _MARKUP.items():
        line = re.sub(pattern, entity, line)
    return line


def markdown_cell(text: object) -> str:
    r"""Return a text as a cell of a table in Markdown, see `markdown_text`.

    Example:
        >>> print(markdown_cell("|RVD|"))
        \|RVD\|
    """
    return markdown_text(text).replace("\\", "\\\\").replace("|", "\\|")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
