"""Writes a bundle: a folder that an INRC member copies to a machine with chips and runs there."""

from __future__ import annotations

import json
import os
import platform
import secrets
import shlex
import shutil
from pathlib import Path
from string import Template
from typing import Any

from neurossm.environment import version
from neurossm.errors import InputError
from neurossm.files import FULL
from neurossm.store import Golden, graph_digest, load, load_golden, missing_golden
from neurossm_converters.backends.loihi2.data import DATA, BundleData
from neurossm_converters.backends.loihi2.script import CHIP, FILES
from neurossm_converters.backends.loihi2.settings import Settings

TEMPLATES = Path(__file__).parent / "templates"
GRAPH, PLAN, ENVIRONMENT = "graph.nssm", "plan.json", "environment.json"


def default_folder(graph: Path) -> Path:
    """Return the folder that a bundle is written to where none is named: beside the graph."""
    return graph.with_name(f"{graph.name.removesuffix('.nssm').removesuffix('.int')}-loihi2")


def write_bundle(
    folder: Path,
    graph: Path,
    settings: Settings,
    plan: dict[str, Any],
    data: BundleData | None = None,
) -> tuple[str, ...]:
    """Write a bundle; return the names of its files.

    Parameters
    ----------
    folder
        A new folder, or an empty one.
    graph
        An integer graph with golden vectors, which `check` has found nothing against; it is
        copied byte for byte.
    settings
        Become the defaults of the sbatch file, and of the commands in the README.
    plan
        Where the neurons lie on the chip: `neurossm.placement.Placement.as_json`.
    data
        Inputs and answers that the bundle carries, for ``run.py --inputs data.npz``.

    Raises
    ------
    InputError
        If the folder holds something or cannot be written, or the graph has no golden vectors.
        Nothing is left behind then.
    """
    loaded = load(graph)
    vectors = check_bundle(folder, graph)
    environment = describe_environment(graph_digest(loaded))
    steps = sorted({vector.steps for vector in vectors})
    shown = str(steps[0]) if len(steps) == 1 else f"{steps[0]} to {steps[-1]}"
    words = _words(settings, environment, steps=shown, vectors=len(vectors))
    words["data"] = _data_row(data)
    was_there = folder.exists()
    # a new folder gets its name when it is complete: a killed process leaves no half bundle
    part = folder if was_there else folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
    try:
        names = _write(part, graph, words, {PLAN: plan, ENVIRONMENT: environment}, data)
        if not was_there:
            os.rename(part, folder)
        return names
    except OSError as error:
        _remove(part, was_there)
        raise _unwritable(folder, error) from None
    except BaseException:  # Ctrl-C: half a bundle would look like a whole one
        _remove(part, was_there)
        raise


def check_bundle(folder: Path | None, graph: Path) -> tuple[Golden, ...]:
    """Refuse, before any work is done, what no bundle can be written of or into.

    Returns
    -------
    tuple of Golden
        The golden vectors of the graph.

    Raises
    ------
    InputError
        If the folder holds something, or the graph has no golden vectors.
    """
    loaded = load(graph)
    vectors = load_golden(graph, loaded)
    if not vectors:
        raise missing_golden(graph, loaded)
    if folder is not None and folder.exists():
        got = "a file" if not folder.is_dir() else "one with something in it"
        if not folder.is_dir() or any(folder.iterdir()):
            raise InputError(f"--bundle {folder}", expected="a new or empty folder", got=got,
                             remedy="name another one")  # fmt: skip
    return tuple(vectors)


def _write(
    folder: Path,
    graph: Path,
    words: dict[str, str],
    documents: dict[str, dict[str, Any]],
    data: BundleData | None,
) -> tuple[str, ...]:
    source = shutil.ignore_patterns("__pycache__", ".*_cache", "py.typed")
    shutil.copytree(FILES, folder, dirs_exist_ok=True, ignore=source)
    shutil.copytree(CHIP, folder / CHIP.name, ignore=source)
    shutil.copyfile(graph, folder / GRAPH)
    if data is not None:
        data.write(folder)
    for name, document in documents.items():
        text = json.dumps(document, indent=2, allow_nan=False)
        (folder / name).write_text(text + "\n", encoding="utf-8")
    for template in sorted(TEMPLATES.iterdir()):
        text = Template(template.read_text(encoding="utf-8")).substitute(words)
        (folder / template.name).write_text(text, encoding="utf-8")
    return tuple(
        path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()
    )


def _unwritable(folder: Path, error: OSError) -> InputError:
    # copytree collects what failed, file by file, as text
    first = error.args[0][0][2] if isinstance(error, shutil.Error) else error.strerror
    got = str(first or error)
    full = error.errno in FULL or any(os.strerror(number) in got for number in FULL)
    got = got.partition("] ")[2].partition(": '")[0] if got.startswith("[Errno ") else got
    remedy = f"free space in {folder.parent}" if full else "name another one"
    return InputError(
        f"--bundle {folder}", expected="a folder that can be written", got=got, remedy=remedy
    )


def _remove(folder: Path, was_there: bool) -> None:
    """Remove what was written; the folder itself stays where the user had made it."""
    if not was_there:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def describe_environment(digest: str) -> dict[str, Any]:
    """Return what the bundle needs, and the versions where it was written."""
    written_with = {"python": platform.python_version()}
    for package in ("neurossm", "numpy", "h5py", "scipy", "lava-nc"):
        written_with[package] = version(package) or "not installed"
    return {
        "graph_sha256": digest,
        "needs": {
            "python": ">=3.8; lava-nc 0.10.0 declares 3.10",
            "numpy": "<2.4; lava-nc 0.10.0 declares <2",
            "h5py": ">=3.1",
            "lava-nc": "0.10.0 or 0.9.0",
            "lava-loihi": "for --target loihi2; closed, for members of Intel's INRC",
        },
        "written_with": written_with,
    }


def _data_row(data: BundleData | None) -> str:
    """Return the row of the README's table about the data, or nothing."""
    if data is None:
        return ""
    labels = "" if data.labels is None else ", labels"
    what = f"{len(data.inputs)} samples as integers{labels}, and neurossm's answers to them"
    return f"| `{DATA}` | {what} |\n"


def _words(
    settings: Settings, environment: dict[str, Any], steps: str, vectors: int
) -> dict[str, str]:
    """Return what the templates leave open."""
    options = shlex.join(settings.arguments())
    resource, queue = "", "# export PARTITION=...  or  export BOARD=...  (one of them)"
    if settings.partition:
        resource = f"#SBATCH --partition={settings.partition}\n"
        queue = f"export PARTITION={settings.partition}"
    elif settings.board:
        resource, queue = f"#SBATCH --nodelist={settings.board}\n", f"export BOARD={settings.board}"
    versions = ", ".join(f"{k} {v}" for k, v in environment["written_with"].items())
    return {
        "options": options.replace("--target lava", "--target loihi2"),
        "processes": settings.processes,
        "resource": resource,
        "queue": queue,
        "generation": settings.generation,
        "versions": versions,
        "digest": environment["graph_sha256"],
        "vectors": str(vectors),
        "steps": steps,
    }
