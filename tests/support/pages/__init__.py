"""Pages of documentation taken apart: blocks, commands, links; and a program that runs a page.

``python -m pages.running PAGE FOLDER [--sh]`` executes a page in a folder, as the tests do.
"""

from pathlib import Path

ROOT = Path(__file__).parents[3]
GENERATED = ("docs/reference/commands.md",)  # made when the site is built


def all_pages() -> list[Path]:
    """Return the pages whose blocks and links are checked, in order."""
    found = [ROOT / name for name in ("README.md", "CONTRIBUTING.md")]
    found += [ROOT / name / "README.md" for name in ("hw_tests", "benchmarks", "examples")]
    for folder in ("docs", "models"):
        found += sorted((ROOT / folder).rglob("*.md"))
    return [page for page in found if page.is_file() and name_of(page) not in GENERATED]


def name_of(page: Path) -> str:
    """Return the path of a page from the root of the repository."""
    return page.relative_to(ROOT).as_posix()


def runs_commands(page: Path) -> bool:
    """Tell whether the commands of a page are executed, not only parsed."""
    name = name_of(page)
    how_to = ("data", "own-networks", "streaming")
    return (
        name in ("README.md", "docs/index.md", *(f"docs/how-to/{one}.md" for one in how_to))
        or "docs/tutorials/" in name
    )
