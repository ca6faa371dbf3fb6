"""Elements of SVG as strings, everything that comes from outside escaped."""

from __future__ import annotations

import html


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


def _plain(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def _is_allowed(char: str) -> bool:
    code = ord(char)
    return char in "\t\n" or (0x20 <= code < 0xD800) or (code >= 0xE000 and code & 0xFFFE != 0xFFFE)
