"""Every command in a block of a page could be typed: the real parser and the real names say so."""

from __future__ import annotations

import tomllib

import pytest
from pages import all_pages, name_of
from pages.blocks import Block, blocks_of
from pages.commands import wrong_with
from pages.shell import commands_in, is_shell, lines_of


def plug_ins(block: Block) -> list[str]:
    """The executors that a pyproject.toml in a page makes known."""
    if block.language != "toml":
        return []
    points = tomllib.loads(block.text).get("project", {}).get("entry-points", {})
    return list(points.get("neurossm.executors", {}))


def checked(blocks: list[Block]) -> list[str]:
    """What is wrong with the commands of a page, with the line of their block."""
    wrong, known = list[str](), list[str]()
    for block in blocks:
        known += plug_ins(block)
        if block.title:
            known.append(block.title)
        if not is_shell(block) or block.title:
            continue
        for line in lines_of(block.language, block.text):
            for words in commands_in(line.text):
                said = wrong_with(words, known)
                wrong += [f"line {block.line}: {said}"] if said else []
                # what it is given or makes is there afterwards
                known += [word.partition(":")[0] for word in words[1:] if word[0] != "-"]
    return wrong


@pytest.mark.parametrize("page", all_pages(), ids=name_of)
def test_every_command_could_be_typed(page):
    assert checked(blocks_of(page)) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("neurossm run m.nssm --data digits:test --engine lava:batch=2", ""),
        ("neurossm train binary-s4d-digits --set train.epochs=1 --out runs/a", ""),
        ("neurossm train spikingssm --data my.npz", ""),
        ("neurossm train spikingssm --data my.npz --set train.epochs=2", ""),
        ("neurossm train spikingssm --data my.npz --set train.epoch=2", "epoch"),
        (". .venv/bin/activate", ""),
        ("neurossm export binary-s4d-digits -o m.nssm  # a comment", ""),
        ("X=1 neurossm data list | head -3 && neurossm --version", ""),
        ("python -m neurossm doctor", ""),
        ("make quick SECONDS=3", ""),
        ("pip install 'neurossm[torch,nir]'", ""),
        ("python examples/by_hand.py", ""),
        ("neurossm run m.nssm", "Missing option"),
        ("neurossm run m.nssm more --data digits:test", "unexpected extra argument"),
        ("neurossm fly m.nssm", "No such command"),
        ("neurossm run m.nssm --data digits:test --fly", "No such option"),
        ("neurossm run m.nssm --data digits:tset", "'tset'"),
        ("neurossm run m.nssm --data digit", "'digit'"),
        ("neurossm run m.nssm --data my.npz:tset", "'tset'"),
        ("neurossm run m.nssm --data digits:test --engine lavva", "'lavva'"),
        ("neurossm run m.nssm --data digits:test --engine lava:staked=2", "staked"),
        ("neurossm train binary-s4d-digit", "'binary-s4d-digit'"),
        ("neurossm train binary-s4d-digits --set train.epoch=1", "epoch"),
        ("neurossm train binary-s4d-digits --set train.epochs=none", "epochs"),
        ("neurossm export binary-s4d-digit -o m.nssm", "'binary-s4d-digit'"),
        ("neurossm check m.nssm --hardware loihi3", "loihi3"),
        ("neurossm sweep m.nssm --data digits:test --calibrate digits:train:x -o s.csv", "'x'"),
        ("make fly", "no such target"),
        ("pip install 'neurossm[torhc]'", "no extra 'torhc'"),
        ("python -m pip install '.[torhc]'", "no extra 'torhc'"),
        ("python examples/no_such.py", "no such file"),
        ("python -m no_such_module", "no such module"),
        ("neurosm doctor", "no command"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_command(line, said):
    wrong = " ".join(checked([Block(1, "sh", line + "\n")]))
    assert said in wrong and bool(said) == bool(wrong)


def test_files_of_the_page_are_known():
    typed = "python my.py\nneurossm deploy m.nssm --bundle out\npython out/run.py\n"
    page = [Block(1, "python", "", title="my.py"), Block(2, "sh", typed)]
    assert checked(page) == []
    assert "no such file" in checked(page[1:])[0]


def test_lines_of_a_block():
    text = "# a comment\nneurossm a \\\n    --b c\n\ncat > f <<'E'\nx\nE\n"
    assert [line.text for line in lines_of("sh", text)] == [
        "neurossm a  --b c", "cat > f <<'E'\nx\nE"]  # fmt: skip
    transcript = "$ neurossm a \\\n>   --b\nprints\n\nmore\n$ ls\n"
    assert [(line.text, line.printed) for line in lines_of("console", transcript)] == [
        ("neurossm a  --b", "prints\n\nmore"), ("ls", "")]  # fmt: skip
    with pytest.raises(ValueError, match="begins with"):
        lines_of("console", "prints\n")


def test_commands_in_a_line():
    line = "A=1 neurossm run 'a b' > out.txt 2>&1 && cat out.txt | head -n 3  # c; d"
    assert commands_in(line) == [["neurossm", "run", "a b"], ["cat", "out.txt"],
                                 ["head", "-n", "3"]]  # fmt: skip
