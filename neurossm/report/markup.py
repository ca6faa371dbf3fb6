"""Elements of SVG as strings, everything that comes from outside escaped."""

from __future__ import annotations

import html
import re

_FORBIDDEN = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010fffd]")


def text(value: object) -> str:
    """Return a value as escaped text; characters that XML forbids are replaced."""
    return html.escape(allowed(str(value)), quote=True)


def allowed(text: str) -> str:
    """Return text in which characters that XML forbids are replaced."""
    return _FORBIDDEN.sub("\ufffd", text)


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
