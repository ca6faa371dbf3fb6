"""No forecast while Numba compiles: the bar says so, and its clock begins again afterwards."""

from __future__ import annotations

import io

import numba
import numpy as np
from numba.core import event
from rich.console import Console as RichConsole
from rich.progress import Progress

from neurossm_cli.presentation.console import Console
from neurossm_cli.presentation.forecast import COMPILING, Compilations, Forecast


def test_the_column_says_compiling_until_it_is_done():
    with Compilations() as compilations, Progress(console=RichConsole(file=io.StringIO())) as bar:
        bar.add_task("x", total=4)
        (task,) = bar.tasks
        column = Forecast(compilations)
        assert COMPILING not in str(column.render(task))
        with event.trigger_event("numba:compile"):
            assert str(column.render(task)) == COMPILING and compilations.now
        assert COMPILING not in str(column.render(task))
        assert compilations.any_since_asked() and not compilations.any_since_asked()
    with event.trigger_event("numba:compile"):
        assert not compilations.now  # it listens no more


def test_a_real_compilation_is_seen_and_restarts_the_clock(monkeypatch):
    compiled, seen = numba.njit(lambda x: x + 1), []
    monkeypatch.setattr(Progress, "reset", lambda bar, task, **more: seen.append(more))
    console = Console(as_json=True)
    console._err = RichConsole(file=io.StringIO(), force_terminal=True)
    with console.progress("kernels", 3) as progress:
        assert compiled(np.int64(1)) == 2
        progress(1)  # after a compilation: begins again, with what was done
        progress(1)
    assert seen == [{"completed": 1}]
