"""Links, anchors and pictures of every page lead somewhere; outside ones are well-formed."""

from __future__ import annotations

import pytest
from pages import ROOT, all_pages, name_of
from pages.links import Link, anchors_of, links_of, wrong_with

README = ROOT / "README.md"


@pytest.mark.parametrize("page", all_pages(), ids=name_of)
def test_every_link_leads_somewhere(page):
    wrong = [said for link in links_of(page.read_text()) if (said := wrong_with(link, page))]
    assert wrong == []


def test_links_of_all_kinds_are_found():
    text = (
        "[a](x.md) ![p (1)](p.svg) [![b](q.png)](y.md#z) [c]: https://a.org\n"
        "`[no](no.md)` <!-- [no](no.md) -->\n```\n[no](no.md)\n```\n\n[d]: ../z.md\n"
        '<img src="r.png" alt="a text"> <a href="#here">h</a>\n'
    )
    found = {(link.target, link.image) for link in links_of(text)}
    assert found == {("x.md", False), ("p.svg", True), ("q.png", True), ("y.md#z", False),
                     ("../z.md", False), ("r.png", True), ("#here", False)}  # fmt: skip


@pytest.mark.parametrize(
    ("target", "text", "said"),
    [
        ("no/such.md", "x", "no such file"),
        ("CONTRIBUTING.md#no-such-heading", "x", "no such heading"),
        ("CONTRIBUTING.md#the-first-hour", "x", ""),
        ("../outside.md", "x", "outside of the repository"),
        ("pyproject.toml#x", "x", "no page"),
        ("http://a.org", "x", "expected https"),
        ("https://example.com/x", "x", "expected https"),
        ("https://arxiv.org/abs/2401.00955", "x", ""),
        ("mailto:nobody", "x", "no address"),
    ],
)
def test_what_is_wrong_with_a_link(target, text, said):
    found = wrong_with(Link(target, text), README)
    assert said in found and bool(said) == bool(found)


def test_a_picture_has_a_text():
    assert "without a text" in wrong_with(Link("docs/images/report.png", " ", True), README)


def test_anchors_are_those_of_github_and_of_the_site():
    # the rules: GitHub keeps each blank as a hyphen and numbers from -1; Python-Markdown joins
    # blanks and hyphens, drops what is not ASCII and numbers from _1
    text = "# A & b\n## `x_y`, z\n## Two\n## Two\n```\n# no\n```\n## [L](l.md) é\n### C {#own}\n"
    assert anchors_of(text, github=True) == {"a--b", "x_y-z", "two", "two-1", "l-é", "c", "own"}
    assert anchors_of(text, github=False) == {"a-b", "x_y-z", "two", "two_1", "l-e", "c", "own"}
