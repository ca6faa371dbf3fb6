"""The commands put together, and how they end: exit status, one clear line, no traceback."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Annotated, NoReturn

import typer

from neurossm.environment import version
from neurossm.errors import NeurossmError
from neurossm.extras import missing
from neurossm_cli import (
    check,
    data,
    demo,
    deploy,
    diff,
    doctor,
    export,
    golden,
    import_,
    install,
    place,
    profile,
    prune,
    quantize,
    results,
    run,
    sdn,
    show,
    sweep,
    train,
    verify,
)
from neurossm_cli.presentation import completion
from neurossm_cli.presentation.compiling import compilations_told
from neurossm_cli.presentation.console import Stopped, document_printed, documents_alone
from neurossm_cli.presentation.deprecations import deprecations_told
from neurossm_cli.presentation.help import Main
from neurossm_cli.presentation.paths import Commands


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"neurossm {version('neurossm')}")
        raise typer.Exit


def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Spiking state space models: from PyTorch to integers, Lava and Loihi 2.

    Try it: 'neurossm demo'. Help with a command: 'neurossm COMMAND --help'.
    """


app = Commands(
    name="neurossm",
    cls=Main,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.callback()(options)
for name, command in (
    ("demo", demo.demo),
    ("doctor", doctor.doctor),
    ("install", install.install),
    ("train", train.train),
    ("prune", prune.prune),
    ("export", export.export),
    ("import", import_.import_),
    ("quantize", quantize.quantize),
    ("run", run.run),
    ("profile", profile.profile),
    ("deploy", deploy.deploy),
    ("show", show.show),
    ("verify", verify.verify),
    ("diff", diff.diff),
    ("golden", golden.golden),
    ("sweep", sweep.sweep),
    ("check", check.check),
    ("place", place.place),
    ("results", results.results),
    ("sdn", sdn.sdn),
):
    app.command(name)(command)
app.add_typer(data.app, name="data")


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit: 0 done, 1 the check failed, 2 wrong use or bad input."""
    argv = sys.argv[1:] if arguments is None else arguments
    if not argv and not completion.answering():
        with redirect_stdout(sys.stderr):  # the help, but nothing was done
            _status(["--help"])
        sys.exit(2)
    with _terminated_cleanly() as came, completion.words_together():
        status = _status(argv, came)
    sys.exit(status)


@contextmanager
def _terminated_cleanly() -> Iterator[list[int]]:
    """Let SIGTERM end a command as Ctrl-C does, so that it removes what it has not finished.

    Gives the list of those that came.
    """
    came: list[int] = []

    def end(number: int, _: object) -> NoReturn:
        came.append(number)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield came  # nobody else can be told
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield came
    finally:
        signal.signal(signal.SIGTERM, before)


def _status(argv: list[str], came: list[int] | None = None) -> int:
    """Run a command and return its exit status; `came` tells whether SIGTERM did."""
    try:
        if completion.asked(argv):
            return completion.deliver(argv)
        with documents_alone("--json" in argv), deprecations_told(), compilations_told():
            status = int(app(args=argv, prog_name="neurossm", standalone_mode=False) or 0)
        if status == 130:  # what typer makes of Ctrl-C, without a word
            return _interrupted(argv, came)
        sys.stdout.flush()  # a reader that has gone is noticed here, not at exit
        return status
    except Stopped:
        return 128 + signal.SIGTERM if came else 130
    except NeurossmError as error:
        return _fail(str(error), argv, error.exit_status)
    except typer.TyperException as error:
        return _fail(_usage(error, argv), argv, 2)
    except (typer.Abort, KeyboardInterrupt):
        return _interrupted(argv, came)
    except (BrokenPipeError, SystemExit) as error:  # in a command, typer makes one the other
        if completion.answering() and isinstance(error, SystemExit):
            return int(error.code or 0)  # typer has answered the shell
        _give_up_stdout()  # its reader has gone
        return 141
    except ImportError as error:
        found = missing(error)
        if found is None:
            raise
        return _fail(str(found), argv, found.exit_status)
    except OSError as error:
        # a folder that cannot be made, a full disk: what the commands do not name themselves
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}", argv, 2)


def _interrupted(argv: list[str], came: list[int] | None) -> int:
    if came:
        return _fail("terminated", argv, 128 + signal.SIGTERM)
    return _fail("interrupted", argv, 130)


# options that an executor has now, with what was typed behind them: what is typed instead
MOVED: dict[str, Callable[[str], str]] = {
    "--stacked": lambda given: f"lava:batch={given or 8}",
    "--fuse": lambda given: "bundle" if given == "none" else f"lava:fuse={given or 'stage'}",
    "--dask": lambda given: f"dask:address={given}" if given not in ("", "local") else "dask",
    "--workers": lambda given: f"dask:workers={given or 2}",
}


def _given(option: str, argv: list[str]) -> str:
    """Return what was typed behind an option, empty if nothing was."""
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        if word == option:
            return "" if following.startswith("-") else following
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
    return ""


def _usage(error: typer.TyperException, argv: list[str]) -> str:
    context, unknown = getattr(error, "ctx", None), getattr(error, "option_name", None)
    if context is not None and context.info_name in ("run", "verify") and unknown in MOVED:
        instead = MOVED[unknown](_given(unknown, argv))
        return f"{unknown}: an option of its executor now; type --engine {instead}"
    hint = f"; see '{context.command_path} --help'" if context else ""
    said = " ".join(error.format_message().split())
    said = said.replace("Value error, ", "")  # pydantic's word for a wrong choice
    return said.rstrip(".") + hint


def _fail(message: str, argv: list[str], status: int) -> int:
    lines = [" ".join(line.split()) for line in message.splitlines()]
    for line in lines:
        print(f"neurossm: {line}", file=sys.stderr)
    _tell_torchrun("; ".join(lines))
    try:
        if "--json" in argv and not document_printed():
            print(json.dumps({"error": "\n".join(lines)}))
        sys.stdout.flush()
    except OSError:  # what is wrong may be stdout itself
        _give_up_stdout()
    return status


def _tell_torchrun(said: str) -> None:
    """Leave a line where torchrun looks for it: it ends its own report with the cause."""
    if file := os.environ.get("TORCHELASTIC_ERROR_FILE"):
        with suppress(OSError), open(file, "w", encoding="utf-8") as error:
            json.dump({"message": f"neurossm: {said}", "timestamp": int(time.time())}, error)


def _give_up_stdout() -> None:
    """Lead stdout to nowhere: Python would complain again while it closes it."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
