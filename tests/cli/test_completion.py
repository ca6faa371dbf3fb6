"""Shell completion by its protocol, as bash and zsh speak it: environment in, words out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from neurossm_cli.presentation import choices, completing
from neurossm_cli.presentation.completion import joined

LINE = "import sys; from neurossm_cli import main; sys.argv[0] = 'neurossm'; main()"
BASH = shutil.which("bash")


def bash(neurossm, monkeypatch, words, at=None):
    """What bash is told for a line, as it takes it apart."""
    monkeypatch.setenv("_NEUROSSM_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "\n".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1 if at is None else at))
    ended = neurossm()
    assert ended.status == 0 and not ended.err
    return ended.out.split()


def zsh(neurossm, monkeypatch, line):
    monkeypatch.setenv("_NEUROSSM_COMPLETE", "complete_zsh")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
    ended = neurossm()
    assert ended.status == 0 and not ended.err
    return ended.out.strip()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["qu"], ["quantize"]),
        (["data", ""], ["list", "fetch", "show"]),
        (["data", "fetch", ""], ["mnist"]),
        (["train", "--q"], ["--qat"]),
        (["quantize", "--mess"], []),  # old spellings are not offered
        (["quantize", "m", "--ranges", "p"], ["percentile"]),
        (["import", "n", "--convention", "norse"], ["norse", "norse-dt", "norse-s"]),
        (["check", "m", "--hardware", ""], list(choices.chips())),
        (["demo", "--checkpoint", "gsu"], ["gsu-smnist"]),
        (["export", "spik"],
         ["spike-ssm-smnist", "spikingssm-psmnist", "spikingssm-smnist"]),
        (["train", "gsu-d"], ["gsu-digits"]),
        (["train", "spike-ssm-wiki"], ["spike-ssm-wikitext103"]),
        (["run", "m", "--data", "mni"], ["mnist:train", "mnist:valid", "mnist:test"]),
        # bash makes words of the signs, and completes only what stands behind the last of them
        (["run", "m", "--data", "mnist", ":", "te"], ["test"]),
        (["run", "m", "--data", "mnist", ":"], ["train", "valid", "test"]),
        (["run", "m", "--data", "=", "mnist", ":", "v"], ["valid"]),
        (["run", "m", "--data", "own.npz", ":"], ["train", "valid", "test", "all"]),
        (["run", "m", "--data", "mnist", ":", "test", ":", "2"], []),
        (["run", "m", "--engine", "f"], ["fast", "float"]),
        (["run", "m", "--engine", "lava", ":", "fu"], ["fuse=auto", "fuse=stage", "fuse=network"]),
        (["run", "m", "--engine", "lava", ":", "fuse", "=", "s"], ["stage"]),
        (["run", "m", "--engine", "lava", ":", "fuse", "=", "stage,proto"],
         ["stage,protocol=async", "stage,protocol=loihi"]),
        (["run", "m", "--engine", "none", ":", ""], []),
        (["show", "m"], []),  # the shell completes files
        (["run", "m", "--da"], ["--data", "--data-dir"]),
        (["--inst"], ["--install-completion"]),
    ],
)  # fmt: skip
def test_bash(words, offered, neurossm, monkeypatch):
    assert bash(neurossm, monkeypatch, ["neurossm", *words]) == offered


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        (
            "neurossm quan",
            '_arguments \'*: :(("quantize":"Quantize a trained network to the'
            " integers of the chip.\"))'",
        ),
        ("neurossm run m --data mnist:te", "_arguments '*: :((\"mnist\\\\:test\"))'"),
        ("neurossm run m --engine lava:fuse=st", "_arguments '*: :((\"lava\\\\:fuse=stage\"))'"),
        ("neurossm show m", "_files"),
    ],
)
def test_zsh(line, offered, neurossm, monkeypatch):
    assert zsh(neurossm, monkeypatch, line) == offered


def test_the_words_of_a_line_in_the_middle_and_at_its_end():
    assert joined(["n", "run", "a", ":", "b", "--x"], 4) == (["n", "run", "a:b"], 2, "a:")
    assert joined(["n", "--d", "=", "a", ":", ""], 5) == (["n", "--d=a:", ""], 2, "")
    assert joined(["n", "--d", "=", "a=b", ":c"], 3) == (["n", "--d=a=b"], 1, "a=")
    assert joined(["n"], 0) == (["n"], 0, "")


@pytest.fixture
def shims(tmp_path):
    """A folder in which ``neurossm`` is, and a home."""
    program = tmp_path / "bin" / "neurossm"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{LINE}" "$@"\n')
    program.chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    return {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(home),
            "SHELL": "/bin/bash"}  # fmt: skip


@pytest.mark.skipif(BASH is None, reason="no bash is installed")
def test_bash_itself_completes_by_the_script_that_is_installed(shims):
    script = """
neurossm --install-completion bash >/dev/null && source "$HOME/.bashrc"
complete -p neurossm
COMP_WORDS=(neurossm run m --data digits : te); COMP_CWORD=6; _neurossm_completion neurossm
printf '%s\\n' "${COMPREPLY[@]}"
"""
    done = subprocess.run([BASH, "--norc", "-c", script], env=shims, capture_output=True,
                          text=True, timeout=60)  # fmt: skip
    assert done.stderr == "" and done.stdout.splitlines() == [
        "complete -o default -F _neurossm_completion neurossm", "test"
    ]  # fmt: skip


def test_scripts_of_shells_are_shown_and_an_unknown_one_is_refused(neurossm, monkeypatch):
    import shellingham

    for shell in ("bash", "zsh", "fish"):
        ended = neurossm("--show-completion", shell)
        assert ended.status == 0 and "_NEUROSSM_COMPLETE" in ended.out and not ended.err
    assert neurossm("--show-completion", "bash").out.count("compopt -o nospace") == 1

    def nothing_found():
        raise shellingham.ShellDetectionFailure

    monkeypatch.setattr(shellingham, "detect_shell", nothing_found)
    monkeypatch.setenv("SHELL", "/usr/bin/zsh")
    assert neurossm("--show-completion").out == neurossm("--show-completion", "zsh").out
    for given, said in ((("tcsh",), "got 'tcsh'"), ((), "got none")):
        monkeypatch.setenv("SHELL", "")
        ended = neurossm("--show-completion", *given)
        assert ended.status == 2 and said in ended.err and ended.err.count("\n") == 1
        remedy = ended.err.strip().rpartition("such as: neurossm ")[2].split()
        assert neurossm(*remedy).status == 0


def test_a_home_that_cannot_be_written_is_one_line(neurossm, monkeypatch, tmp_path):
    (tmp_path / "home").write_text("a file")
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    ended = neurossm("--install-completion", "zsh")
    assert ended.status == 2 and ended.err.count("\n") == 1 and "Traceback" not in ended.err


def test_completing_does_not_import_what_takes_seconds(shims):
    source = (
        "import sys; from neurossm_cli.presentation import completing as c;"
        "c.data('mn'); c.engine('lava:'); c.recipe('g'); c.checkpoint('g'); c.chip('l');"
        "print(sorted({'torch', 'numba', 'h5py', 'lava'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in ("[]", "['h5py']")


def test_what_is_offered_for_data_is_there():
    offered = completing.data("digits")
    assert offered == ["digits:train", "digits:valid", "digits:test"]
