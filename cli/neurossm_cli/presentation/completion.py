"""Shell completion: ``--show-completion``, ``--install-completion``, and words with colons.

typer makes the scripts and answers the shell. What it leaves open is done here: the name of the
shell may be given, bash takes ``mnist:te`` and ``lava:fuse=st`` apart at the signs, and nothing but
completions may reach stdout.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from io import StringIO

from neurossm.errors import InputError

PROGRAM = "neurossm"
ASKED = "_NEUROSSM_COMPLETE"  # the shell sets it when it asks
SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")
SHOW, INSTALL = "--show-completion", "--install-completion"
# behind a sign that wants a value, bash is to add no space
NO_SPACE = "    [[ ${COMPREPLY[0]} == *[:=] ]] && compopt -o nospace\n    return 0"


def answering() -> bool:
    """Tell whether a shell asks for completions, and nothing is to be run."""
    return bool(os.environ.get(ASKED))


def asked(argv: Sequence[str]) -> bool:
    """Tell whether the script for a shell was asked for, and nothing else."""
    return bool(argv) and argv[0] in (SHOW, INSTALL) and len(argv) <= 2


def deliver(argv: Sequence[str]) -> int:
    """Print the script for a shell, or install it; return the exit status.

    Raises
    ------
    InputError
        If the shell is not one of `SHELLS`, or nobody knows which one this is.
    """
    option, shell = argv[0], argv[1] if argv[1:] else _shell()
    if shell not in SHELLS:
        raise InputError(option, expected=" | ".join(SHELLS), got=repr(shell) if shell else "none",
                         remedy=f"name your shell, such as: {PROGRAM} {option} bash")  # fmt: skip
    script = _script(shell)
    if option == SHOW:
        print(script)
        return 0
    _, path = import_module("typer.completion").install(
        shell=shell, prog_name=PROGRAM, complete_var=ASKED
    )
    if shell == "bash":
        path.write_text(f"{script}\n", encoding="utf-8")
    print(f"{shell}: completion installed in {path}; it works in a new terminal")
    return 0


def _shell() -> str:
    """Return the name of the shell that runs this, or that of the user; empty if nobody knows."""
    shellingham = import_module("shellingham")
    try:
        found = str(shellingham.detect_shell()[0])
    except (shellingham.ShellDetectionFailure, OSError):
        found = ""
    return found if found in SHELLS else os.path.basename(os.environ.get("SHELL", ""))


def _script(shell: str) -> str:
    typers = import_module("typer.completion")
    script = str(typers.get_completion_script(prog_name=PROGRAM, complete_var=ASKED, shell=shell))
    return script.replace("    return 0", NO_SPACE) if shell == "bash" else script


@contextmanager
def words_together() -> Iterator[None]:
    """Within this, typer sees whole words, and bash the part of each that it asked for."""
    if os.environ.get(ASKED) != "complete_bash":
        yield
        return
    words, at = os.environ.get("COMP_WORDS", "").split("\n"), os.environ.get("COMP_CWORD", "")
    if not at.isdigit():
        yield
        return
    typed, current, front = joined(words, int(at))
    os.environ["COMP_WORDS"], os.environ["COMP_CWORD"] = "\n".join(typed), str(current)
    answer = StringIO()
    try:
        with redirect_stdout(answer):
            yield
    finally:
        for line in answer.getvalue().splitlines():
            if line:
                sys.stdout.write(f"{line.removeprefix(front)}\n")


def joined(words: Sequence[str], at: int) -> tuple[list[str], int, str]:
    """Return the words as they were typed, where the current one is, and its front for bash.

    Bash makes words of ``:`` and ``=``, and completes only what stands behind the last of them.
    """
    typed: list[str] = []
    for before, word in zip(["", *words], words[: at + 1], strict=False):
        if typed and (_is_sign(word) or (_is_sign(before) and word)):
            typed[-1] += word
        else:
            typed.append(word)
    current = typed[-1] if typed else ""
    front = current[: max(current.rfind(":"), current.rfind("=")) + 1]
    if current.startswith("-"):
        front = front.partition("=")[2]  # what completes is the value alone
    return typed, len(typed) - 1, front


def _is_sign(word: str) -> bool:
    return bool(word) and not word.strip(":=")
