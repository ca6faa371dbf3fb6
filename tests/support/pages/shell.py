"""Lines of a shell in a page: which there are, and the commands in a line."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from pages.blocks import SHELL, Block

CONSOLE = ("console", "shell-session")
# looked up and never executed: they change the machine, or need one that is not here
ELSEWHERE = frozenset(
    {"pip", "pip3", "uv", "pipx", "conda", "mamba", "brew", "apt", "apt-get", "sudo", "git", "make",
     "curl", "wget", "ssh", "scp", "rsync", "sbatch", "squeue", "srun", "module", "nvidia-smi",
     "torchrun", "dask", "jupyter", "open", "xdg-open", "source", ".", "pytest"}
)  # fmt: skip
OF_SHELL = frozenset(
    {"cd", "ls", "cat", "echo", "printf", "export", "env", "mkdir", "rm", "cp", "mv", "head",
     "tail", "tar", "for", "do", "done"}
)  # fmt: skip
_BETWEEN = {"&&", "||", "|", ";", "&", "|&"}


@dataclass(frozen=True)
class Line:
    """A line as a shell takes it, several of a page where one continues; what it is said to print.

    Attributes
    ----------
    text
        What is typed.
    printed
        In a transcript what is printed; None elsewhere.
    """

    text: str
    printed: str | None = None


def is_shell(block: Block) -> bool:
    """Tell whether a block holds lines of a shell."""
    return block.language in (*SHELL, *CONSOLE)


def lines_of(language: str, text: str) -> list[Line]:
    """Return what is typed in a block."""
    if language in CONSOLE:
        return _transcript(text)
    found, lines, at = [], text.splitlines(), 0
    while at < len(lines):
        line = lines[at]
        if here := re.search(r"<<-?\s*['\"]?(\w+)['\"]?", line):
            while lines[at].strip() != here[1]:
                at += 1
                line += f"\n{lines[at]}"
        while line.endswith("\\"):
            at += 1
            line = f"{line[:-1]} {lines[at].strip()}"
        if line.strip() and not line.lstrip().startswith("#"):
            found.append(Line(line.strip()))
        at += 1
    return found


def _transcript(text: str) -> list[Line]:
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if found and found[-1][0].endswith("\\") and not found[-1][1]:
            typed, printed = found.pop()
            found.append((f"{typed[:-1]} {line.removeprefix('>').strip()}", printed))
        elif line.startswith("$ "):
            found.append((line[2:].strip(), []))
        elif found:
            found[-1][1].append(line)
        else:
            raise ValueError(f"a transcript begins with '$ ', got {line!r}")
    return [Line(typed, "\n".join(printed)) for typed, printed in found]


def commands_in(line: str) -> list[list[str]]:
    """Return the words of each command in a line, without redirections and variables in front."""
    # shlex takes the number in front of a redirection for a word
    first = re.sub(r"(?<=\s)\d(?=[<>])", "", line.partition("\n")[0])
    lexer = shlex.shlex(first, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, "#"
    found: list[list[str]] = [[]]
    words = iter(lexer)
    for word in words:
        if word in _BETWEEN:
            found.append([])
        elif re.fullmatch(r"&?[<>]{1,2}[-&]?", word):
            next(words, None)
        elif found[-1] or not re.fullmatch(r"\w+=.*", word):
            found[-1].append(word)
    return [command for command in found if command]


def is_plain(line: str) -> bool:
    """Tell whether a line is one command, with nothing that only a shell understands."""
    return len(commands_in(line)) == 1 and not re.search(r"[|&;<>$`*?(){}~\n]", line)
