"""Reading a chip file. Nothing in it is trusted: keys, types, units and sources are checked."""

from __future__ import annotations

from pathlib import Path

from neurossm.arguments import file_path, shown
from neurossm.errors import FormatError, InputError, nearest
from neurossm.hardware.chip import EnergySet, Hardware
from neurossm.toml import read_toml
from neurossm.validation import built

_FOLDER = Path(__file__).parent


def known_hardware() -> tuple[str, ...]:
    """Return the names of the chips that come with neurossm."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.toml")))


def load_hardware(name_or_path: str | Path) -> Hardware:
    """Return a chip by name (``loihi2``) or by the path of a ``.toml`` file.

    Raises
    ------
    InputError
        If there is no such chip or file; the nearest name is suggested.
    FormatError
        If the file is not TOML, or a key is unknown, missing, of the wrong type or unit, or a
        number lacks its source or grade. The message names the file and the key.
    """
    file_path("hardware", name_or_path)
    path = _path(name_or_path)
    where = path.name if isinstance(name_or_path, str) and path.stem == name_or_path else str(path)
    table = read_toml(path, "a chip file, in TOML", FormatError)
    sets = table.get("energy", {})
    if not isinstance(sets, dict):
        raise FormatError(f"{where}: energy", expected="a table", got=shown(sets))
    named = {k: {"name": k, **v} if isinstance(v, dict) else v for k, v in sets.items()}
    wrong, energy = list[FormatError](), dict[str, EnergySet]()
    try:
        energy = built(named, dict[str, EnergySet], f"{where}: energy.", FormatError)
    except FormatError as error:
        wrong.append(error)
    for key, found in energy.items():
        if found.name != key:
            said = f"{where}: energy.{key}.name"
            wrong.append(FormatError(said, expected=repr(key), got=found.name))
    sets = tuple(energy.values())
    try:
        chip = built({**table, "energy": sets}, Hardware, f"{where}: ", FormatError)
    except FormatError as error:
        raise FormatError.together([*wrong, error]) from None
    if wrong:
        raise FormatError.together(wrong)
    return chip


def _path(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    if not isinstance(name_or_path, str) or text.endswith(".toml") or Path(text).name != text:
        return Path(name_or_path)
    if text not in known_hardware():
        expected = " | ".join(known_hardware()) + " or a .toml file"
        remedy = nearest(text, known_hardware())
        raise InputError(f"hardware {text!r}", expected=expected, got="another name", remedy=remedy)
    return _FOLDER / f"{text}.toml"
