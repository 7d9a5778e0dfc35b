"""Texts from data in tables: a name is neither a formula of a spreadsheet nor a tag of HTML."""

from __future__ import annotations

import re

__all__ = ["escape_csv", "markdown_cell", "markdown_text", "unescape_csv", "without_escapes"]

# What a spreadsheet takes for a formula, behind blanks too, with the wide forms of the signs.
_FORMULA = r"(?:[\t\r\n]|\s*[=+\-@＝＋－＠].)"
_ESCAPED = re.compile(rf"'+{_FORMULA}", re.DOTALL)
_UNSAFE = re.compile(rf"'*{_FORMULA}", re.DOTALL)
# What begins an entity, a tag or a comment of HTML, and what makes a link, an image or the target of one of Markdown.
# "p < 0.05" begins none, and "[32, 32] (rows, columns)" is no link.
_MARKUP = {
    r"&(?=#|\w+;)": "&amp;",
    r"<(?=[A-Za-z/!?])": "&lt;",
    r"\](?=[(\[])": "&#93;",
    r"^\[": "&#91;",
}
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&#91;": "[", "&#93;": "]"}
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


def without_escapes(markdown: str) -> str:
    r"""Return Markdown as a console shows it: the texts as they were before `markdown_text` and `markdown_cell`.

    Example:
        >>> without_escapes("a &lt;b>")
        'a <b>'
    """
    return "\n".join(_table_row(line) if line.startswith("|") else _unescape(line) for line in markdown.split("\n"))


def _table_row(line: str) -> str:
    """Return a row of a table with its cells as they were; the columns keep their widths."""
    cells = re.findall(r"((?:\\.|[^|\\])*)\|", line)
    plain = (re.sub(r"\\(.)", r"\1", _unescape(cell)).ljust(len(cell)) for cell in cells)
    return "".join(f"{cell}|" for cell in plain)


def _unescape(text: str) -> str:
    return re.sub("|".join(_ENTITIES), lambda match: _ENTITIES[match[0]], text)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
