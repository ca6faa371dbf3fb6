"""Links and pictures of a page, and the anchors that a page has."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pages import ROOT

_LINK = re.compile(
    r"(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]"
    r"\((?P<target>[^()\s]*(?:\([^()]*\))?[^()\s]*)(?:\s+\"[^\"]*\")?\)"
)
_REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]:\s*(?P<target>\S+)", re.M)
_HTML = re.compile(
    r"<(?P<tag>a|img|source)\b[^>]*?\b(?:href|src|srcset)=\"(?P<target>[^\"]*)\"[^>]*>"
)
_ID = re.compile(r"\b(?:id|name)=\"([^\"]+)\"|\{[^}]*#([\w-]+)[^}]*\}")


@dataclass(frozen=True)
class Link:
    """A link or a picture: where it leads, and what is read or read out for it."""

    target: str
    text: str
    image: bool = False


def links_of(text: str) -> list[Link]:
    """Return the links and pictures of a text outside of code."""
    plain = without_code(text)
    found = []
    for match in _LINK.finditer(plain):
        found.append(Link(match["target"].strip("<>"), match["text"], bool(match["image"])))
        inner = _LINK.search(match["text"])  # a picture that is a link
        if inner:
            found.append(Link(inner["target"], inner["text"], bool(inner["image"])))
    found += [
        Link(match["target"].strip("<>"), "reference") for match in _REFERENCE.finditer(plain)
    ]
    for match in _HTML.finditer(plain):
        alt = re.search(r"\balt=\"([^\"]*)\"", match[0])
        found.append(Link(match["target"], alt[1] if alt else "", match["tag"] == "img"))
    return found


def without_code(text: str) -> str:
    """Return a text without fenced blocks, comments and code within lines."""
    text = re.sub(r"^( *)(`{3,}|~{3,}).*?^ *\2[`~]*\s*$", "", text, flags=re.M | re.S)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    return re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "code", text)


def anchors_of(text: str, github: bool) -> set[str]:
    """Return the anchors of a page: of its headings as GitHub or as mkdocs makes them, and ids."""
    plain = re.sub(r"^( *)(`{3,}|~{3,}).*?^ *\2[`~]*\s*$", "", text, flags=re.M | re.S)
    anchors = {one or other for one, other in _ID.findall(plain)}
    for heading in re.findall(r"^#{1,6} +(.+?)(?: +#+)? *$", plain, re.M):
        words = re.sub(r"\s*\{[^}]*\}$", "", heading)
        words = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", words).replace("`", "").replace("*", "")
        slug, join = (_github(words), "-") if github else (_mkdocs(words), "_")
        number, unique = 0, slug
        while unique in anchors:
            number += 1
            unique = f"{slug}{join}{number}"
        anchors.add(unique)
    return anchors


def _github(words: str) -> str:
    return re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")


def _mkdocs(words: str) -> str:
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())


def wrong_with(link: Link, page: Path) -> str:
    """Return what is wrong with a link of a page; empty if nothing is."""
    if link.image and not link.text.strip():
        return f"{link.target}: a picture without a text"
    parts = urlsplit(link.target)
    if parts.scheme:
        return _wrong_outside(link.target)
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.is_relative_to(ROOT):
        return f"{link.target}: outside of the repository"
    if not target.exists():
        return "" if _of_site(target) else f"{link.target}: no such file"
    if not parts.fragment:
        return ""
    if target.suffix != ".md":
        return "" if re.fullmatch(r"L\d+", parts.fragment) else f"{link.target}: no page"
    text, fragment = target.read_text(encoding="utf-8"), unquote(parts.fragment)
    if "--8<--" in text:  # it is put together when the site is built
        return ""
    if fragment not in anchors_of(text, github=True):
        return f"{link.target}: no such heading"
    if target.is_relative_to(ROOT / "docs") and fragment not in anchors_of(text, github=False):
        return f"{link.target}: the site names this heading otherwise"
    return ""


def _wrong_outside(target: str) -> str:
    parts = urlsplit(target)
    if parts.scheme == "mailto":
        return "" if re.fullmatch(r"[^@\s]+@[^@\s]+\.\w+", parts.path) else f"{target}: no address"
    well = parts.scheme == "https" and re.fullmatch(r"[\w-]+(\.[\w-]+)+", parts.netloc)
    known = parts.netloc not in ("example.com", "example.org")
    return "" if well and known else f"{target}: expected https://HOST/..."


def _of_site(target: Path) -> bool:
    """Tell whether the site makes this page when it is built."""
    settings, docs = ROOT / "mkdocs.yml", ROOT / "docs"
    if not settings.is_file() or not target.is_relative_to(docs):
        return False
    name = re.escape(target.relative_to(docs).as_posix())
    return re.search(rf"\b{name}\b", settings.read_text()) is not None
