"""Programs and files in pages: they compile, what they name is there, readers take them."""

from __future__ import annotations

import json
import re

import pytest
from pages import all_pages, name_of
from pages.blocks import Block, WrongMark, blocks_of, indented_commands, parse
from pages.matching import differs
from pages.programs import unresolved, wrong_with_file


@pytest.mark.parametrize("page", all_pages(), ids=name_of)
def test_programs_compile_and_files_are_read(page):
    wrong = []
    for block in blocks_of(page):
        if block.language == "python":
            compile(block.text, f"{name_of(page)} line {block.line}", "exec")
            if "not run" in block.marks or block.title:
                wrong += [f"line {block.line}: {said}" for said in unresolved(block.text)]
        elif block.language in ("toml", "json") and (said := wrong_with_file(block)):
            wrong.append(f"line {block.line}: {said}")
    assert wrong == []


# what is not checked is called by another name than what is
LANGUAGES = {"sh", "console", "python", "toml", "json", "text", ""}
OTHERS = {"yaml", "html", "mermaid", "bibtex", "markdown", "diff", "c", "csv", "dockerfile"}


@pytest.mark.parametrize("page", all_pages(), ids=name_of)
def test_blocks_are_of_a_language_that_is_known(page):
    for block in blocks_of(page):
        assert block.language in LANGUAGES | OTHERS, f"line {block.line}: {block.language}"
        if block.language in ("text", ""):
            hidden = re.search(r"^(\$ |neurossm |import neurossm)", block.text, re.M)
            assert hidden is None or block.title, f"line {block.line}: a block that runs has a name"


@pytest.mark.parametrize(
    ("program", "found"),
    [
        ("import neurossm\nneurossm.run\nneurossm.fixed.Fixed(9, 4).frac", []),
        ("import neurossm.nodes as n\nn.LIF", []),
        ("from neurossm.nodes import LIF\nimport no_such_package\nno_such_package.x", []),
        ("import neurossm\nneurossm.rum", ["neurossm.rum: no such name"]),
        ("import neurossm.nodes as n\nn.LIFF(1)", ["neurossm.nodes.LIFF: no such name"]),
        ("from neurossm.nodes import LIFF", ["neurossm.nodes.LIFF: no such name"]),
        ("from neurossm import fixed, fixxed", ["neurossm.fixxed: no such name"]),
    ],
)
def test_names_are_followed(program, found):
    assert unresolved(program) == found


RECIPE = """[data]
path = "my.npz"
[model]
family = "binary-s4d"
width = 8
state = 4
layers = 1
[train]
epochs = 1
batch = 8
lr = 0.01
ssm_lr = 0.01
"""


@pytest.mark.parametrize(
    ("language", "text", "said"),
    [
        ("toml", RECIPE, ""),
        ("toml", RECIPE.replace("width", "widht"), "widht"),
        ("toml", RECIPE.replace("epochs = 1", "epochs = 0"), "epochs"),
        ("toml", "[project]\nname = 'x'", ""),
        ("toml", "a = ", "toml:"),
        ("json", json.dumps({"a": 1}), ""),
        ("json", "{'a': 1}", "json:"),
    ],
)
def test_what_is_wrong_with_a_file(language, text, said):
    found = wrong_with_file(Block(1, language, text))
    assert said in found and bool(said) == bool(found)


def test_marks_and_blocks():
    text = """<!-- file: a.py
x = 1
-->
<!-- setup: python
y = 2
-->
<!-- not run: needs a GPU -->
```python
z = 3
```
<!-- run instead:
neurossm train a --epochs 1
-->

1. in a list

   prose
"""
    with pytest.raises(WrongMark, match=r"line 15: expected a block behind run instead"):
        parse(text)
    blocks = parse(text.replace("1. in a list\n\n   prose", "   ~~~sh\n   neurossm\n   ~~~"))
    assert [(b.line, b.language, b.text, b.title, b.hidden) for b in blocks] == [
        (1, "", "x = 1\n", "a.py", True),
        (4, "python", "y = 2\n", "", True),
        (8, "python", "z = 3\n", "", False),
        (15, "sh", "neurossm\n", "", False),
    ]
    assert blocks[2].left_out == "needs a GPU"
    assert blocks[3].marks == {"run instead": "neurossm train a --epochs 1"}
    (titled,) = parse('```toml title="a/b.toml"\nc = 1\n```\n')
    assert (titled.title, titled.text) == ("a/b.toml", "c = 1\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<!-- not run: -->\n```sh\n```\n", "says nothing"),
        ("<!-- setup: perl\nx\n-->\n", "python or sh"),
        ("<!-- output -->\n", "expected a block"),
        ("```sh\nx\n", "does not end"),
        ("<!-- file -->\n```sh\n```\n", "file without title"),
    ],
)
def test_a_wrong_mark_is_named(text, said):
    with pytest.raises(WrongMark, match=said):
        parse(text)


def test_a_comment_of_prose_is_no_mark():
    assert parse("<!-- what runs where: make matrix -->\ntext\n") == []


def test_indented_commands_are_counted():
    text = "a\n\n    neurossm x\n    neurossm y\n\nb\n\n    pip\n\n```sh\n    neurossm z\n```\n"
    assert indented_commands(text) == 1
    assert indented_commands("a\n\n    $ neurossm x\n") == 1


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("accuracy 97.5% of 1,000 in 3 s", "accuracy 8% of 10 in 1.25e-3 s", True),
        ("energy 1.2 to 8.8 mJ", "energy 850 to 900 µJ", True),
        ("fast: 12 us", "fast: 1.2 s", True),
        ("int8 on Loihi 2", "int8 on Loihi 3", True),
        ("int8", "int16", False),
        ("3 samples", "3 sequences", False),
        ("12 s", "12 J", False),
        ("a\n...\nz", "a\nb\nc\nz", True),
        ("a\n...\nz", "a\nz", True),
        ("a\nz", "a\nb\nz", False),
        ("wrote ... nodes", "wrote m.nssm: 8 nodes", True),
        ("a b\n\n────\nc", "a    b\nc\n", True),
        ("a", "", False),
        ("", "a", False),
    ],
)
def test_shapes_of_what_is_printed(expected, printed, same):
    assert (differs(expected, printed) == "") is same
