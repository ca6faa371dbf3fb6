"""The rules of the house that no other tool checks."""

import ast
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "neurossm",
    "models/neurossm_models",
    "converters/neurossm_chip",
    "converters/neurossm_converters",
    "workflows/neurossm_workflows",
    "cli/neurossm_cli",
)
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
NAMES = [path.relative_to(ROOT).as_posix() for path in FILES]


def modules_after(code: str) -> set[str]:
    """Return the top-level modules that are loaded after `code` in a new interpreter."""
    tail = "\nimport json, sys\nprint('\\n' + json.dumps([m.split('.')[0] for m in sys.modules]))"
    run = subprocess.run(
        [sys.executable, "-c", code + tail], capture_output=True, text=True, timeout=240, check=True
    )
    return set(json.loads(run.stdout.splitlines()[-1]))


def test_the_core_loads_no_framework():
    code = """
import importlib, pkgutil, neurossm
for module in pkgutil.walk_packages(neurossm.__path__, "neurossm."):
    importlib.import_module(module.name)
for name in neurossm.__all__:
    getattr(neurossm, name)
"""
    loaded = modules_after(code)
    assert {"neurossm", "numpy", "numba"} <= loaded, "the test imports nothing"
    assert not loaded & {"torch", "lava", "nir", "distributed", "sklearn", "matplotlib"}


def test_importing_the_package_is_cheap():
    loaded = modules_after("import neurossm")
    assert not loaded & {"numpy", "numba", "h5py", "networkx", "torch", "jinja2"}


def test_help_loads_nothing_heavy():
    code = """
from neurossm_cli import main
try:
    main(["--help"])
except SystemExit as status:
    assert not status.code
"""
    loaded = modules_after(code)
    assert "typer" in loaded, "the test runs no command"
    heavy = {"numpy", "numba", "h5py", "networkx", "torch", "lava", "nir", "matplotlib", "jinja2"}
    assert not loaded & heavy


# -- the commands and what they call -------------------------------------------


def test_only_tests_build_on_the_commands():
    kept = {".py", ".ipynb", ".md"}
    files = [
        path for folder in ("benchmarks", "docs", "examples", "hw_tests", "notebooks")
        for path in (ROOT / folder).rglob("*") if path.suffix in kept
    ]  # fmt: skip
    assert len(files) > 20, "the search finds no files"
    files += [ROOT / "README.md", *(path for path in FILES if "neurossm_cli" not in path.parts)]
    naming = {str(path.relative_to(ROOT)) for path in files if "neurossm_cli" in path.read_text()}
    # the page says that it is not public
    assert naming == {"neurossm/__main__.py", "docs/reference/public-api.md"}


def test_a_file_beside_app_is_a_command():
    from neurossm_cli.app import app

    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    commands |= {group.name for group in app.registered_groups}
    files = {path.stem.rstrip("_") for path in (ROOT / "cli/neurossm_cli").glob("*.py")}
    assert files - {"app", "__init"} == commands


def test_commands_are_thin():
    lines = {
        path.name: len(path.read_text().splitlines())
        for path in (ROOT / "cli/neurossm_cli").glob("*.py")
        if path.name != "app.py"
    }
    assert {name: count for name, count in lines.items() if count > 150} == {}


def test_the_verbs_are_offered_by_the_core_with_an_example():
    import neurossm

    verbs = [name for name, home in neurossm._HOMES.items() if "workflows" in home]
    assert {"export", "quantize", "verify", "profile", "sweep", "place", "deploy"} <= set(verbs)
    for name in verbs:
        function = getattr(neurossm, name)
        assert callable(function) and f"neurossm.{name}(" in function.__doc__, name


# -- rounding, shifting, saturating --------------------------------------------

ROUNDING = {"round", "rint", "clip", "trunc", "around", "fix", "floor", "ceil", "right_shift",
            "left_shift", "floor_divide", "bitwise_right_shift", "bitwise_left_shift"}  # fmt: skip

# where none of it touches a message, a state or a weight; the number of uses is exact
ALLOWED = {
    # exponents of two, from logarithms
    "neurossm/quantization/quantize_ssm.py": {"floor": 2, "clip": 2},
    # counts that of others
    "neurossm/engine/recording.py": {"clip": 2},
    # how many cores a count of synapses needs
}
ARITHMETIC = (
    "neurossm/fixed/",
    "neurossm/engine/kernels.py",
    "neurossm/engine/neuron_kernels.py",
    # tensors of PyTorch, and Triton
    "converters/neurossm_converters/backends/gpu/arithmetic.py",
    "converters/neurossm_converters/backends/gpu/kernels.py",
    "converters/neurossm_converters/backends/gpu/neuron_kernels.py",
    # goes to machines without neurossm, in every deployment bundle
    "converters/neurossm_chip/arithmetic.py",
)


def arithmetic_in(source: str) -> Counter[str]:
    """Count shifts, and NumPy functions and methods that round or saturate."""
    found: Counter[str] = Counter()
    for node in ast.walk(ast.parse(source)):
        operator = getattr(node, "op", None)
        if isinstance(operator, ast.RShift | ast.LShift):
            found[">>" if isinstance(operator, ast.RShift) else "<<"] += 1
        if isinstance(node, ast.Attribute) and node.attr in ROUNDING:
            # math.floor and the like are scalars of layout and of exponents
            found[node.attr] += not (isinstance(node.value, ast.Name) and node.value.id == "math")
    return +found


def test_the_search_finds_what_it_looks_for():
    source = "a >> 1; b <<= 2; np.rint(c); d.clip(0, 1); math.floor(e); numpy.trunc(f)"
    assert arithmetic_in(source) == {">>": 1, "<<": 1, "rint": 1, "clip": 1, "trunc": 1}


def test_only_fixed_and_the_kernels_round_shift_or_saturate():
    found = {
        name: dict(arithmetic_in((ROOT / name).read_text()))
        for name in NAMES
        if not name.startswith((*ARITHMETIC, "models/"))  # PyTorch's numbers are real
    }
    assert {name: uses for name, uses in found.items() if uses} == ALLOWED


# -- files and words -----------------------------------------------------------

LONGEST = 400


def test_a_file_can_be_taken_in():
    lines = {name: len((ROOT / name).read_text().splitlines()) for name in NAMES}
    assert {name: count for name, count in lines.items() if count > LONGEST} == {}


def undocumented(source: str) -> list[str]:
    """Return the public functions, classes and methods without a docstring."""
    found = []

    def visit(node: ast.Module | ast.ClassDef, prefix: str) -> None:
        for child in node.body:
            if not isinstance(child, ast.FunctionDef | ast.ClassDef) or child.name.startswith("_"):
                continue
            if ast.get_docstring(child) is None:
                found.append(prefix + child.name)
            if isinstance(child, ast.ClassDef):
                visit(child, f"{prefix}{child.name}.")

    visit(ast.parse(source), "")
    return found


def test_the_search_for_docstrings_finds_them():
    source = (
        'def a(): "x"\ndef b(): pass\nclass C:\n "x"\n def d(self): pass\n def _e(self): pass\n'
    )
    assert undocumented(source) == ["b", "C.d"]


def test_public_things_are_documented():
    sources = {name: (ROOT / name).read_text() for name in NAMES}
    found = {name: undocumented(source) for name, source in sources.items()}
    assert {name: missing for name, missing in found.items() if missing} == {}
    modules = [name for name, source in sources.items() if source.strip()]
    assert [name for name in modules if not ast.get_docstring(ast.parse(sources[name]))] == []


# -- tests ---------------------------------------------------------------------

SUPPORT = ROOT / "tests" / "support"
SLOW = ROOT / "tests" / "slow.txt"
FOLDERS = {  # of tests that mirror no package
    "architecture", "browser", "conformance", "core", "docs", "examples", "fixtures", "fuzz",
    "hostile", "independent", "notebooks", "optional", "parity", "support",
}  # fmt: skip


def test_the_index_of_helpers_names_them_all():
    index = ast.get_docstring(ast.parse((SUPPORT / "__init__.py").read_text()))
    named = {line.split()[0] for line in index.splitlines() if line.startswith("    ")}
    packages = {path.parent.name for path in SUPPORT.glob("*/__init__.py")}
    assert named == {path.stem for path in SUPPORT.glob("*.py")} - {"__init__"} | packages


def test_tests_mirror_the_packages():
    names = {
        "benchmarks": "benchmarks",
        "chip": "converters/neurossm_chip",
        "cli": "cli/neurossm_cli",
        "models": "models/neurossm_models",
        "workflows": "workflows/neurossm_workflows",
    }
    homes = [ROOT / "neurossm", ROOT / "converters" / "neurossm_converters"]
    for folder in sorted(path.name for path in (ROOT / "tests").iterdir() if path.is_dir()):
        if folder not in FOLDERS and not folder.startswith((".", "_")):
            there = [ROOT / names[folder]] if folder in names else [home / folder for home in homes]
            assert any(home.is_dir() for home in there), f"tests/{folder} mirrors nothing"
    for folder in (ROOT / "tests" / "models").iterdir():
        home = ROOT / "models" / "neurossm_models" / folder.name
        assert not folder.is_dir() or folder.name.startswith("_") or home.is_dir(), folder.name


def test_what_is_said_to_be_slow_is_there():
    said = [line.split("  #")[0] for line in SLOW.read_text().splitlines() if line[:1] != "#"]
    assert said and said == sorted(set(said))
    for place in said:
        path, _, name = place.partition("::")
        assert (ROOT / "tests" / path).exists(), place
        assert not name or f"def {name}(" in (ROOT / "tests" / path).read_text(), place
