"""Elements of HTML and SVG as strings, everything that comes from outside escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable


def text(value: object) -> str:
    """Return a value as escaped text; characters that XML forbids are replaced."""
    shown = "".join(char if _is_allowed(char) else "\ufffd" for char in str(value))
    return html.escape(shown, quote=True)


def element(tag: str, *content: str, **attributes: object) -> str:
    """Return one element. Content is markup; attributes are escaped, ``_`` in names becomes ``-``.

    A trailing ``_`` is dropped, so ``class_`` may be written. Without content it closes itself.
    """
    pairs = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{text(_plain(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    if not content:
        return f"<{tag}{pairs}/>"
    return f"<{tag}{pairs}>{''.join(content)}</{tag}>"


def table(
    head: Iterable[str],
    rows: Iterable[Iterable[str]],
    caption: str,
    numeric: Iterable[int] = (),
    *,
    stacks: bool = False,
    full: bool = False,
) -> str:
    """Return a table in a box that scrolls sideways; cells are markup, the first heads its row.

    Parameters
    ----------
    numeric
        Columns of numbers: to the right.
    stacks
        Has sentences in it: on a narrow page each cell has a line of its own, with its head.
    full
        As wide as the page, also with two columns.
    """
    right, head = set(numeric), list(head)

    def kind(index: int) -> str | None:
        return "number" if index in right else None

    heads = (
        element("th", cell, scope="col", class_=kind(index)) for index, cell in enumerate(head)
    )
    lines = [list(row) for row in rows]
    body = (
        element(
            "tr",
            *(
                element(
                    "td",
                    cell or "",
                    class_=kind(index),
                    data_label=html.unescape(head[index]) if stacks else None,
                )
                if index
                else element("th", cell or "", scope="row")
                for index, cell in enumerate(line)
            ),
        )
        for line in lines
    )
    whole = element(
        "table",
        element("thead", element("tr", *heads)),
        element("tbody", *body),
    )
    columns = max((len(line) for line in lines), default=0)
    size = "narrow" if columns == 2 and not full else "wide" if columns > 3 else ""
    size = f"table {size} stack" if stacks else f"table {size}"
    # the words stand outside of what scrolls, so that a narrow page shows all of them
    return element(
        "figure",
        element("figcaption", caption),
        element("div", whole, class_="scroll"),
        class_=size.strip(),
    )


def _plain(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def _is_allowed(char: str) -> bool:
    code = ord(char)
    return char in "\t\n" or (0x20 <= code < 0xD800) or (code >= 0xE000 and code & 0xFFFE != 0xFFFE)
