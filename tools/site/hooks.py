"""Hooks of the documentation site: pages that lie elsewhere in the repository, and their links.

FORMAT.md, the changelog and so on are pages of the site under other names. Links between all pages
are written as they work in the repository; here they are led to where the target is on the site.
A link to a file that is no page of the site (a program, a test) becomes its plain text.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
CHECKPOINTS = "models/neurossm_models/checkpoints"
PAGES = {
    "ARCHITECTURE.md": "explanation/architecture.md",
    "benchmarks/README.md": "explanation/benchmarks.md",
    "FORMAT.md": "reference/format.md",
    "models/README.md": "reference/models.md",
    f"{CHECKPOINTS}/README.md": "reference/checkpoints.md",
    "CHANGELOG.md": "reference/changelog.md",
    "CONTRIBUTING.md": "contributing/contributing.md",
    "RELEASING.md": "contributing/releasing.md",
    "SECURITY.md": "contributing/security.md",
    "CODE_OF_CONDUCT.md": "contributing/conduct.md",
}
CARDS = {
    path.relative_to(ROOT).as_posix(): f"reference/checkpoints/{path.parent.name}.md"
    for path in sorted((ROOT / CHECKPOINTS).glob("*/MODEL_CARD.md"))
}
ELSEWHERE = PAGES | CARDS
_HOMES = {page: source for source, page in ELSEWHERE.items()}
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
_FENCE = re.compile(r"^( *)(```+|~~~+).*?^\1\2 *$", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie elsewhere."""
    for source, page in ELSEWHERE.items():
        content = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=content))
    for card in CARDS.values():  # reached from the table of checkpoints
        file = files.get_file_from_path(card)
        if file is not None:
            file.inclusion = file.inclusion.NOT_IN_NAV
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to where their targets are on the site."""
    here = page.file.src_uri
    source = _HOMES.get(here, f"docs/{here}")

    def led(match: re.Match[str]) -> str:
        image, text, target = match.groups()
        if re.match(r"[a-z]+:|#|/", target):
            return match[0]
        path, _, anchor = target.partition("#")
        found = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        site = ELSEWHERE.get(found)
        if site is None and found.startswith("docs/"):
            site = found.removeprefix("docs/")
        if site is None:
            if not (ROOT / found).exists():
                return match[0]  # a broken link, which the strict build reports
            return text if image else f"{text}"
        led_to = posixpath.relpath(site, posixpath.dirname(here) or ".")
        return f"{image}[{text}]({led_to}{'#' + anchor if anchor else ''})"

    parts, end = [], 0
    for fence in _FENCE.finditer(markdown):
        parts += [_LINK.sub(led, markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, _LINK.sub(led, markdown[end:])])
