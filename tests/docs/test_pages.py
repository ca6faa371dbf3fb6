"""Pages run: programs in one namespace, commands in one folder, a page a process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from pages import ROOT, all_pages, name_of, runs_commands
from pages.blocks import blocks_of
from pages.shell import is_shell


def has_something_to_run(page) -> bool:
    return any(
        (block.language == "python" or (is_shell(block) and runs_commands(page)))
        and not block.left_out and not block.hidden
        for block in blocks_of(page)
    )  # fmt: skip


RUNNABLE = [page for page in all_pages() if has_something_to_run(page)]


def run(page, folder, *words: str) -> subprocess.CompletedProcess[str]:
    search = os.pathsep.join(str(ROOT / "tests" / name) for name in ("", "support"))
    environment = {**os.environ, "PYTHONPATH": search, "NO_COLOR": "1", "COLUMNS": "80",
                   "MPLBACKEND": "Agg"}  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "pages.running", str(page), str(folder), *words], text=True,
        env=environment, capture_output=True, timeout=250, check=False, cwd=folder,
    )  # fmt: skip


@pytest.mark.parametrize("page", RUNNABLE, ids=name_of)
def test_a_page_runs(page, tmp_path):
    done = run(page, tmp_path, *(["--sh"] if runs_commands(page) else []))
    assert done.returncode == 0, done.stdout + done.stderr


PAGE = """
```python
from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Twenty:
    x: int = 20


x = Twenty().x
```

<!-- file: greet.py
print("hello", 3)
-->

```python
y = x + 1
print("it is", y)
```

<!-- output -->
```text
it is 7
```

<!-- not run: it would fail -->
```python
raise OSError("here")
```

<!-- setup: python
from pathlib import Path
Path("set.txt").write_text("up\\n" * (x == 20))
-->
<!-- run instead:
cat set.txt set.txt
-->
```console
$ neurossm train binary-s4d-smnist
```

<!-- output -->
```text
up
...
```

```sh
pip install nothing-of-this-kind
mkdir -p runs && cd runs
echo "a: $HOME" > b.txt
```

```console
$ python greet.py
hello 12
$ neurossm --version
neurossm 9.9.9
$ neurossm run no-such.nssm --data digits:test
neurossm: ...
```
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("", "", ""),
        ("x = Twenty().x", "pass", "line 20: Traceback"),
        ("it is 7", "it was 7", "line 26: output: it prints something else"),
        ("hello 12", "bye 12", "line 58: python greet.py: it prints something else"),
        ("echo", "no-such-program", "line 52: no-such-program"),
        ("not run: it would fail", "a comment", "OSError: here"),
        ("text\nup", "text\ndown", "output: it prints something else"),
        ('raise OSError("here")', "import sys; sys.exit()", ""),
        ("y = x + 1", "exit()", "SystemExit"),
        ("run no-such.nssm --data digits:test", "doctor --help", "exit status 0"),
        ("neurossm 9.9.9\n", "", "something else"),
    ],
)
def test_a_page_that_does_something_else_fails(tmp_path, old, new, said):
    (tmp_path / "page.md").write_text(PAGE.replace(old, new) if old else PAGE)
    done = run(tmp_path / "page.md", tmp_path, "--sh")
    assert done.returncode == bool(said) and said in done.stdout, done.stdout + done.stderr


def test_a_page_whose_commands_are_not_run(tmp_path):
    (tmp_path / "page.md").write_text(PAGE.replace("echo", "no-such-program"))
    done = run(tmp_path / "page.md", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
