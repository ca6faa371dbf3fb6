"""Run a page: its programs in one namespace, its commands in one folder, in order.

``python -m pages.running PAGE FOLDER [--sh]``: ``--sh`` executes commands too. Ends with 0, or with
1 and a line that names the block, what was wrong, and what was printed.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
import traceback
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from pages import ROOT
from pages.blocks import Block, blocks_of
from pages.matching import differs
from pages.shell import ELSEWHERE, commands_in, is_plain, is_shell, lines_of


class Failed(Exception):
    """A block did not do what the page says."""


class Page:
    """What running a page needs: its namespace, its folder, what was printed last."""

    def __init__(self, folder: Path, commands: bool) -> None:
        self.folder, self.commands, self.printed = folder, commands, ""
        module = ModuleType("page")  # of classes, which dataclasses and pickle look up
        sys.modules["page"] = module
        self.space: dict[str, Any] = module.__dict__
        self.seconds: list[tuple[int, float]] = []

    def run(self, blocks: list[Block]) -> None:
        """Execute blocks in order; raises `Failed`."""
        for block in blocks:
            began = time.perf_counter()
            try:
                self._block(block)
            except Failed as error:
                raise Failed(f"line {block.line}: {error}") from None
            self.seconds.append((block.line, time.perf_counter() - began))

    def _block(self, block: Block) -> None:
        if block.title:
            file = self.folder / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text)
            return
        if "output" in block.marks:
            if self.commands or self.printed:
                _compare(block.text, self.printed)
            return
        if block.left_out:
            return
        instead = block.marks.get("run instead")
        text = block.text if instead is None else instead
        if block.language == "python":
            self._program(text, block.line)
        elif is_shell(block) and (self.commands or block.hidden):
            self.printed = ""
            language = block.language if instead is None else "sh"
            for line in lines_of(language, text):
                self._line(line.text, line.printed)

    def _program(self, text: str, line: int) -> None:
        # lines are numbered as in the page
        code = compile("\n" * line + text, "page", "exec")
        printed = io.StringIO()
        try:
            with redirect_stdout(printed):
                exec(code, self.space)
        except (Exception, SystemExit):
            raise Failed(traceback.format_exc(limit=-3)) from None
        self.printed = printed.getvalue()

    def _line(self, text: str, expected: str | None) -> None:
        commands = commands_in(text)
        if any(words[0] in ELSEWHERE for words in commands):
            return
        words = commands[0]
        if words[0] == "cd" and is_plain(text):
            os.chdir(words[1])
            return
        plain = is_plain(text) and words[0] == "neurossm"
        status, printed = _called(words[1:]) if plain else _shell(text)
        self.printed += printed
        # a transcript may show how a command refuses something
        refused = expected is not None and any(
            line.startswith("neurossm: ") for line in expected.splitlines()
        )
        if (status != 0) != refused:
            raise Failed(f"{text}: exit status {status}\n{printed}")
        if "is deprecated" in printed:
            raise Failed(f"{text}: an old name\n{printed}")
        if expected is not None:
            _compare(expected, printed, text)


def _compare(expected: str, printed: str, what: str = "output") -> None:
    if difference := differs(expected, printed):
        raise Failed(f"{what}: it prints something else\n{difference}")


def _called(arguments: list[str]) -> tuple[int, str]:
    """Run a command of ours here, without another Python; return status and what it printed."""
    from neurossm_cli import main

    printed, status = io.StringIO(), 0
    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            main(arguments)
        except SystemExit as end:
            status = int(end.code or 0)
        except Exception:
            printed.write(traceback.format_exc())
            status = 70
    return status, printed.getvalue()


def _shell(text: str) -> tuple[int, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text], text=True, timeout=120, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "PATH": path},
    )  # fmt: skip
    return done.returncode, done.stdout


def main(arguments: list[str]) -> int:
    """Run a page."""
    from neurossm.deprecation import Deprecated

    page, folder = Path(arguments[0]), Path(arguments[1])
    blocks = blocks_of(page)
    os.chdir(folder)
    sys.path.insert(0, str(folder))  # as of a program that lies there
    if "examples/" in page.read_text(encoding="utf-8"):
        (folder / "examples").symlink_to(ROOT / "examples")
    warnings.simplefilter("error", Deprecated)
    run = Page(folder, "--sh" in arguments)
    try:
        run.run(blocks)
    except Failed as error:
        print(f"{page.name} {error}")
        return 1
    finally:
        longest = sorted(run.seconds, key=lambda pair: -pair[1])[:3]
        print("longest:", ", ".join(f"line {line} {took:.1f} s" for line, took in longest))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
