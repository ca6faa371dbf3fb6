"""The settings of the documentation site name files that exist."""

import re
import subprocess

from pages import ROOT

SETTINGS = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
HOOKS = (ROOT / "tools/site/hooks.py").read_text(encoding="utf-8")
HOOKS = HOOKS.replace("{CHECKPOINTS}", "models/neurossm_models/checkpoints")


def test_every_page_of_the_navigation_exists_once():
    pages = re.findall(r": ([\w/-]+\.md)$", SETTINGS, re.MULTILINE)
    elsewhere = dict(re.findall(r'"([\w./-]+\.md)": "([\w/-]+\.md)"', HOOKS))
    assert len(pages) > 40 and len(set(pages)) == len(pages) and len(elsewhere) == 10
    assert [page for page in pages if page not in elsewhere.values()
            and not (ROOT / "docs" / page).is_file()] == []  # fmt: skip
    assert [source for source in elsewhere if not (ROOT / source).is_file()] == []


def test_files_that_the_site_is_built_with_are_not_ignored_by_git():
    listed = [*re.findall(r"hooks: \[([^\]]+)\]", SETTINGS), "mkdocs.yml", "docs/index.md"]
    ignored = subprocess.run(
        ["git", "check-ignore", *listed], cwd=ROOT, text=True, capture_output=True, check=False
    )
    assert len(listed) == 3 and ignored.stdout == ""


def test_reading_the_site_needs_no_network():
    assert re.search(r"^  font: false", SETTINGS, re.MULTILINE)
    assert re.search(r"^  - offline$", SETTINGS, re.MULTILINE)
    (script,) = re.findall(r"^  polyfills: \[(\S+iframe-worker\S+)\]", SETTINGS, re.MULTILINE)
    assert (ROOT / "docs" / script).is_file()  # without it `offline` links a script elsewhere
    assert "https://" not in SETTINGS and "http://" not in SETTINGS


def test_a_strict_build_is_not_quiet():
    """With ``--quiet`` mkdocs drops the warnings before ``--strict`` counts them."""
    (build,) = re.findall(r"mkdocs build .*", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert "--strict" in build and "-q" not in build


def test_every_page_is_in_the_navigation():
    found = {p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs").rglob("*.md")}
    assert found - set(re.findall(r": ([\w/-]+\.md)$", SETTINGS, re.MULTILINE)) == set()
