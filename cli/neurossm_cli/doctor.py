"""``neurossm doctor``: what is installed and usable, with remedies."""

from __future__ import annotations

import sys
from typing import Any

from neurossm.environment import version, versions
from neurossm.extras import EXTRAS, LAVA, Extra
from neurossm.portable import unsupported
from neurossm_cli.presentation.console import Console, JsonOption
from neurossm_cli.presentation.remedies import BY_HAND, DATA, say_remedies

EVERYTHING = "everything"


def doctor(json: JsonOption = False) -> int:
    """Check this installation: Python, packages, engines, data sets.

    What is missing is listed with the command that brings it.
    """
    console, parts = Console(json), [*_core(), *_lava(), *_data()]
    extras, executors = [_extra(extra) for extra in EXTRAS], _executors()
    broken = [part for part in parts if not part["ok"] and part["needed_for"] == EVERYTHING]
    checks = [*parts, *_optional({part["name"] for part in parts})]
    console.document({"ok": not broken, "checks": checks, "extras": extras,
                      "executors": executors})  # fmt: skip
    console.table(
        ("", "part", "found", "needed for"),
        [(_mark(part), part["name"], part["found"],
          "" if part["name"].startswith(DATA) else part["needed_for"]) for part in parts],
        keys=2,
    )  # fmt: skip
    console.say()
    console.table(
        ("", "extra", "installed", "missing", "needed for"),
        [(_mark(extra), extra["name"], ", ".join(extra["installed"]), ", ".join(extra["missing"]),
          extra["brings"]) for extra in extras],
        keys=2,
    )  # fmt: skip
    console.say()
    console.table(
        ("", "engine", "what it is", "options, --engine NAME:KEY=VALUE"),
        [(_mark(one), one["name"], one["about"], ", ".join(one["options"])) for one in executors],
        keys=2,
    )
    lacking = [(f"--engine {one['name']}", one["problem"]) for one in executors if not one["ok"]]
    if line := unsupported():
        console.say()
        console.say(line)
    say_remedies(console, [(one["name"], one["remedy"]) for one in (*parts, *extras)] + lacking)
    return 1 if broken else 0


def _mark(one: dict[str, Any]) -> str:
    return "ok" if one["ok"] else "--"


def _part(name: str, ok: bool, found: str, needed_for: str, remedy: str) -> dict[str, Any]:
    return {"name": name, "ok": ok, "found": found, "needed_for": needed_for,
            "remedy": "" if ok else remedy}  # fmt: skip


def _core() -> list[dict[str, Any]]:
    """Return Python and what every command needs."""
    python = ".".join(map(str, sys.version_info[:3]))
    found = [_part("python", sys.version_info >= (3, 11), python, EVERYTHING,
                   "install 3.11 or newer")]  # fmt: skip
    for name in ("numpy", "h5py", "networkx", "numba", "pydantic", "jinja2", "typer", "rich"):
        held = version(name)
        found.append(_part(name, bool(held), held or "missing", EVERYTHING,
                           "pip install neurossm"))  # fmt: skip
    return found


def _optional(known: set[str]) -> list[dict[str, Any]]:
    """Return a check for each package that an extra brings, besides those that are known."""
    return [
        _part(package, bool(version(package)), version(package) or "missing", extra.brings,
              extra.command)
        for extra in EXTRAS for package in extra.packages if package not in known
    ]  # fmt: skip


def _lava() -> list[dict[str, Any]]:
    """Return whether Lava can be used, and the closed package for the chip."""
    from neurossm_converters.backends.lava import shim

    lava = shim.status()
    usable = f"{lava.version}{' with shim' if lava.shim_needed else ''}"
    here = lava.loihi_installed
    return [
        _part("lava-nc", lava.usable, lava.problem or usable, LAVA.brings, lava.remedy),
        _part("lava-loihi", here, "present" if here else "missing", "running on a Loihi 2",
              "closed package, for members of Intel's Neuromorphic Research Community"),
    ]  # fmt: skip


def _data() -> list[dict[str, Any]]:
    """Return where each data set was found; a remedy where there is a command that brings it."""
    from neurossm_models.data import data_root, registry
    from neurossm_models.data.sets import SOURCES

    found = []
    for entry in registry():
        if fetched := SOURCES[entry.name].fetched_as:
            remedy = f"neurossm data fetch {fetched}"
        elif entry.name == "digits":
            remedy = next(extra.command for extra in EXTRAS if extra.name == "data")
        else:
            remedy = f"{BY_HAND} in {data_root()} by hand ({entry.provenance})"
        found.append(_part(f"{DATA}{entry.name}", entry.found is not None, entry.found or "missing",
                           entry.task, remedy))  # fmt: skip
    return found


def _extra(extra: Extra) -> dict[str, Any]:
    """Return what of an extra is installed, and the command for what is not."""
    held = versions(extra.packages)
    missing = [package for package in extra.packages if package not in held]
    return {
        "name": extra.name, "ok": not missing,
        "installed": [f"{package} {found}" for package, found in held.items()],
        "missing": missing, "brings": extra.brings, "remedy": extra.command if missing else "",
    }  # fmt: skip


def _executors() -> list[dict[str, Any]]:
    """Return all executors, those of other packages too, and what is missing for each."""
    from neurossm.executors import listed

    return [
        {"name": one.name, "ok": not one.problem, "package": one.package or "neurossm",
         "about": f"{one.about} (of {one.package})" if one.package else one.about,
         "options": list(one.options), "exact": one.exact, "problem": one.problem}
        for one in listed()
    ]  # fmt: skip
