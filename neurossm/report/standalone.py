"""A drawing of the report as an SVG file: light, of a fixed size, its text as text.

What draws for the page leaves colors and type to the page's style sheet and places to its width.
Programs that make PDF of SVG know neither variables of CSS nor media queries, so both are resolved.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from xml.etree import ElementTree

_SVG = "http://www.w3.org/2000/svg"
ONE_COLUMN, TWO_COLUMNS = 3.3, 7.0  # inches
UNITS = 400.0  # across one column, so that type of 12.5 units is 7.4 points
_FONT = "Helvetica,Arial,&quot;DejaVu Sans&quot;,sans-serif".replace("&quot;", "'")
_TITLE_HEIGHT = 26.0
_CHARACTER = 0.56  # width of bold type over its size
_SCALED = ("x", "x1", "x2", "cx", "width")
_MEDIA = re.compile(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}")
_VARIABLE = re.compile(r"--([\w-]+):([^;}]+)")


def standalone(svg: str, title: str = "") -> str:
    """Return a drawing of the page as a file.

    Parameters
    ----------
    svg
        What one of the functions of `neurossm.report` drew.
    title
        Drawn above it; empty: none, for a figure that has a caption.
    """
    root = ElementTree.fromstring(svg)
    _without_namespace(root)
    width = _number(root.get("width", "100%"), UNITS)
    height = _number(root.get("height", "0"), 0.0)
    if root.get("width", "").endswith("%"):
        _in_units(root, width)
        # marks at the rim and the last tick stand a little outside of what is drawn
        view = (-6.0, 0.0, width + 12, height + 6)
    else:
        x, y, wide, high = map(float, root.get("viewBox", f"0 0 {width} {height}").split())
        view = (x, y, wide, high)
    if title:
        root.append(_title(title, view))
        view = (view[0], view[1] - _TITLE_HEIGHT, view[2], view[3] + _TITLE_HEIGHT)
    inches = _inches(view[2])
    for name in ("class", "role", "aria-labelledby", "width", "height", "viewBox"):
        kept = root.attrib.pop(name, None)
        if name == "class" and kept:
            root.set("class", kept)
    root.set("xmlns", _SVG)
    root.set("viewBox", " ".join(f"{value:g}" for value in view))
    root.set("width", f"{inches:.3g}in")
    root.set("height", f"{inches * view[3] / view[2]:.4g}in")
    style = next(root.iter("style"), None)
    if style is None:
        style = ElementTree.Element("style")
        root.insert(0, style)
        style.text = _chart_style()
    else:
        style.text = _resolved(style.text or "")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _inches(width: float) -> float:
    if width <= UNITS * 1.3:
        return ONE_COLUMN
    return min(TWO_COLUMNS, width * ONE_COLUMN / UNITS)


def _title(title: str, view: tuple[float, ...]) -> ElementTree.Element:
    size = min(14.0, 0.96 * view[2] / (_CHARACTER * len(title)))  # a long title is as wide as it
    drawn = ElementTree.Element("text", {
        "x": f"{view[0] + view[2] / 2:g}", "y": f"{view[1] - 9:g}", "text-anchor": "middle",
        "style": f"font:600 {size:.1f}px {_FONT};fill:#1b2733",
    })  # fmt: skip
    drawn.text = title
    return drawn


def _without_namespace(root: ElementTree.Element) -> None:
    for item in root.iter():
        item.tag = item.tag.rpartition("}")[2]


def _in_units(item: ElementTree.Element, width: float) -> None:
    """Replace percentages of the width by units; an inner drawing has units of its own."""
    for child in item:
        for name in _SCALED:
            value = child.get(name, "")
            if value.endswith("%"):
                child.set(name, f"{_number(value, width):.4g}")
        if child.tag != "svg":
            _in_units(child, width)


def _number(text: str, whole: float) -> float:
    return float(text[:-1]) / 100 * whole if text.endswith("%") else float(text)


@cache
def _chart_style() -> str:
    sheet = (resources.files("neurossm.report") / "style.css").read_text(encoding="utf-8")
    return _resolved(sheet, only=(".chart", ".bar"))


def _resolved(sheet: str, only: tuple[str, ...] = ()) -> str:
    """Return rules of a style sheet in its light colors, without variables."""
    sheet = _MEDIA.sub("", sheet.replace("\n", ""))
    colors: dict[str, str] = {}
    for name, value in _VARIABLE.findall(sheet):
        colors.setdefault(name, value)
    sheet = re.sub(r"var\(--([\w-]+)\)", lambda found: colors[found[1]], sheet)
    sheet = _VARIABLE.sub("", sheet)
    sheet = re.sub(r"system-ui,[^;}]*sans-serif", _FONT, sheet)
    sheet = re.sub(r"ui-monospace,[^;}]*monospace", "'DejaVu Sans Mono',Menlo,monospace", sheet)
    rules = re.findall(r"[^{}]+\{[^{}]*\}", sheet)
    return "".join(rule for rule in rules if not only or rule.startswith(only))
