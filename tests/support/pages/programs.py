"""Programs and files in a page: what can be said of them without running them."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import tempfile
import tomllib
from pathlib import Path
from types import ModuleType

from pages.blocks import Block

from neurossm.errors import NeurossmError


def unresolved(program: str) -> list[str]:
    """Return imports and attributes of modules that a program names and that are not there.

    What needs a package that is not installed is left out. `SyntaxError` if it is no program.
    """
    tree, names, wrong = ast.parse(program), dict[str, ModuleType](), list[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                module = _module(alias.name, wrong)
                if module is not None:
                    top = alias.name.partition(".")[0]
                    bound = module if alias.asname else importlib.import_module(top)
                    names[alias.asname or top] = bound
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            module = _module(node.module, wrong)
            wrong += _missing_from(module, node) if module is not None else []
    wrong += [text for node in ast.walk(tree) if (text := _missing_attribute(node, names))]
    return sorted(set(wrong))


def _module(name: str, wrong: list[str]) -> ModuleType | None:
    top = name.partition(".")[0]
    if importlib.util.find_spec(top) is None:
        return None  # of another package, or a file of the page
    try:
        return importlib.import_module(name)
    except ImportError as error:
        wrong.append(f"import {name}: {error}")
        return None


def _missing_from(module: ModuleType, node: ast.ImportFrom) -> list[str]:
    wrong = []
    for alias in node.names:
        whole = f"{module.__name__}.{alias.name}"
        if alias.name == "*" or hasattr(module, alias.name):
            continue
        try:
            importlib.import_module(whole)
        except ImportError:
            wrong.append(f"{whole}: no such name")
    return wrong


def _missing_attribute(node: ast.AST, names: dict[str, ModuleType]) -> str:
    """Follow ``module.a.b`` from a module that the program imported, as far as it is modules."""
    if not isinstance(node, ast.Attribute):
        return ""
    parts, inner = [node.attr], node.value
    while isinstance(inner, ast.Attribute):
        parts.insert(0, inner.attr)
        inner = inner.value
    if not isinstance(inner, ast.Name) or inner.id not in names:
        return ""
    found: object = names[inner.id]
    for part in parts:
        if not isinstance(found, ModuleType):
            return ""
        if not hasattr(found, part):
            return f"{found.__name__}.{part}: no such name"
        found = getattr(found, part)
    return ""


def wrong_with_file(block: Block) -> str:
    """Return what is wrong with a TOML or JSON block; empty if its reader takes it."""
    try:
        if block.language == "json":
            json.loads(block.text)
            return ""
        tables = tomllib.loads(block.text)
    except ValueError as error:
        return f"{block.language}: {error}"
    if "fragment" in block.marks:
        return ""
    try:
        if {"model", "train", "data"} & set(tables):
            _read_recipe(block.text)
        elif {"limits", "times", "energy", "refuses", "passes"} & set(tables):
            _read_chip(block.text)
    except NeurossmError as error:
        return str(error)
    return ""


def _read_recipe(text: str) -> None:
    from neurossm_models.train.recipe import load_recipe

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "recipe.toml"
        file.write_text(text)
        load_recipe(file)


def _read_chip(text: str) -> None:
    from neurossm.hardware import load_hardware

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "chip.toml"
        file.write_text(text)
        load_hardware(file)
