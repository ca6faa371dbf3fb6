"""``neurossm doctor``: what is installed and usable, with remedies."""

from __future__ import annotations

from neurossm.cli.console import Console, JsonOption


def doctor(json: JsonOption = False) -> int:
    """Say what is installed and usable here: Python, packages, Lava, data."""
    import sys
    from importlib import metadata

    from neurossm_converters.lava_backend import shim
    from neurossm_models.data import registry

    console, checks = Console(json), []

    def check(name: str, ok: bool, found: str, needed_for: str, remedy: str) -> None:
        checks.append(
            {"name": name, "ok": ok, "found": found, "needed_for": needed_for,
             "remedy": "" if ok else remedy}
        )  # fmt: skip

    def package(name: str, needed_for: str, remedy: str) -> None:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            version = ""
        check(name, bool(version), version or "missing", needed_for, remedy)

    version = ".".join(map(str, sys.version_info[:3]))
    check("python", sys.version_info >= (3, 11), version, "everything", "install 3.11 or newer")
    for name in ("numpy", "h5py", "networkx", "numba"):
        package(name, "everything", "pip install neurossm")
    package("torch", "train, export", "pip install 'neurossm[torch]'")
    package("safetensors", "train, export", "pip install 'neurossm[torch]'")
    package("scikit-learn", "the digits data set", "pip install 'neurossm[data]'")
    package("nir", "export --nir", "pip install 'neurossm[nir]'")
    package("distributed", "run --dask", "pip install 'neurossm[dask]'")
    package("matplotlib", "the notebooks", "pip install 'neurossm[plot]'")
    lava = shim.status()
    found = (
        f"{lava.version}{' with shim' if lava.shim_needed else ''}" if lava.version else "missing"
    )
    check("lava-nc", lava.usable, lava.problem or found, "--engine lava", lava.remedy)
    check(
        "lava-loihi",
        lava.loihi_installed,
        "present" if lava.loihi_installed else "missing",
        "running on a Loihi 2",
        "closed package, for members of Intel's Neuromorphic Research Community",
    )
    for entry in registry():
        check(
            f"data: {entry.name}",
            entry.found is not None,
            entry.found or "missing",
            entry.task,
            f"neurossm data fetch {entry.name}" if entry.name != "digits"
            else "pip install 'neurossm[data]'",
        )  # fmt: skip
    broken = [c for c in checks if not c["ok"] and c["needed_for"] == "everything"]
    console.document({"ok": not broken, "checks": checks})
    console.table(
        ("", "part", "found", "needed for", "remedy"),
        [
            ("ok" if c["ok"] else "--", c["name"], c["found"], c["needed_for"], c["remedy"])
            for c in checks
        ],
    )
    return 1 if broken else 0
