"""Plant small faults in what changed, run its tests, and list the faults that no test notices.

    python tools/mutants.py                       # the lines changed since the branch left main
    python tools/mutants.py neurossm/fixed        # files or folders, whole
    python tools/mutants.py --seconds 300 --tests tests/store neurossm/store/text.py

mutmut plants the faults, keeps which test calls which function, and forks a process for each fault.
Ours are the roots of the packages, the choice of tests (`mutants.toml`) and the kinds of fault:
numbers off by one, operators and comparisons swapped, conditions negated, branches forced, and
statements, refusals and keyword arguments dropped; words are left alone. mutmut changes bodies of
functions only: constants of a module and compiled kernels are not touched.
"""

import argparse
import ast
import contextlib
import difflib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SOURCES = ("neurossm", "models", "converters", "workflows", "cli")
UNDER = tuple(f"{root}/" for root in SOURCES[1:])  # folders that hold packages; neurossm is one
# decorators that may stand around the choice between a function and its mutants; mutmut itself
# passes by what is decorated
AROUND = ("property", "cached_property", "contextmanager", "no_grad", "override")
FREE = ("examples", "example")  # functions that draw examples at random: any will do
WORDS = ("where", "expected", "got", "remedy", "hint")  # what a refusal says
# processes that a test starts run the mutant too, but keep no list of what they call
CHILDREN = """import os
if os.environ.get("MUTANT_UNDER_TEST") == "stats":
    os.environ["MUTANT_UNDER_TEST"] = ""
"""
# keywords that change nothing where all is well
GUARDS = ("strict", "encoding", "stacklevel", "dtype")
sys.path.append(str(ROOT / ".mutants"))  # where `make` puts mutmut


# ------------------------------------------------------------------------------- what and with what


def changed(base: str) -> dict[str, set[int]]:
    """Return the lines of product files that differ from where this branch left `base`."""
    git = ["git", "-C", str(ROOT)]
    start = subprocess.run(
        [*git, "merge-base", base, "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    diff = subprocess.run(
        [*git, "diff", "--unified=0", "--no-color", start, "--", *SOURCES],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found: dict[str, set[int]] = {}
    lines: set[int] = set()
    for line in diff.splitlines():
        if line.startswith("+++ b/") and line.endswith(".py"):
            lines = found.setdefault(line.removeprefix("+++ b/"), set())
        elif line.startswith("+++ "):
            lines = set()
        elif hunk := re.match(r"@@ \S+ \+(\d+)(?:,(\d+))? @@", line):
            first = int(hunk[1])
            lines.update(range(first, first + int(hunk[2] or 1)))
    return {name: lines for name, lines in found.items() if lines}


def named(paths: list[str]) -> dict[str, None]:
    """Return the product files that the paths name, whole."""
    files: list[Path] = []
    for path in paths:
        place = (ROOT / path).resolve()
        files += sorted(place.rglob("*.py")) if place.is_dir() else [place]
        if not place.exists():
            sys.exit(f"{path}: no such file")
    return {str(file.relative_to(ROOT)): None for file in files}


def tests_of(files: list[str]) -> list[str]:
    """Return the tests of the files: the rows of mutants.toml with the longest matching start."""
    rows = tomllib.loads((HERE / "mutants.toml").read_text())["tests"]
    chosen: dict[str, None] = {}
    for file in files:
        starts = [start for start in rows if file.startswith(start)]
        if not starts:
            sys.exit(f"{file}: tools/mutants.toml names no tests for it; name them with --tests")
        chosen.update(dict.fromkeys(rows[max(starts, key=len)]))
    return list(chosen)


def equivalents() -> set[tuple[str, str, str]]:
    """Return file, line before and line after of mutants that mutants.toml gives a reason for.

    For a line that becomes `*`, whatever is done to it.
    """
    rows = tomllib.loads((HERE / "mutants.toml").read_text()).get("equivalent", ())
    return {(row["file"], row["was"], became) for row in rows for became in row["became"]}


# ------------------------------------------------------------------------------- inside the scratch


def run_mutmut(files: dict[str, list[int] | None], tests: list[str]) -> None:
    """Configure mutmut and run it in the present folder, which holds links to the repository."""
    import mutmut.configuration as configuration

    configuration._guess_source_paths = lambda: list(SOURCES)

    import mutmut.utils.file_utils as file_utils
    import mutmut.utils.format_utils as format_utils

    plain = format_utils.get_mutant_name

    def mutant_name(path: Path, function: str) -> str:
        """Name the module as it is imported: `models/` and its like are no packages."""
        return plain(Path(re.sub(f"^({'|'.join(UNDER)})", "", str(path))), function)

    def source_paths() -> None:
        """Import the planted copy, and nothing of the repository, here and in child processes."""
        ours = {ROOT, *(ROOT / root for root in SOURCES[1:]), HERE}
        rest = [path for path in sys.path if path and Path(path).resolve() not in ours]
        planted = Path("mutants").resolve()
        first = [str(planted), *(str(planted / root) for root in SOURCES[1:])]
        sys.path[:] = first + rest
        tool = [str(Path(file_utils.__file__).parents[2])]
        Path("children").mkdir()
        Path("children/sitecustomize.py").write_text(CHILDREN)
        os.environ["PYTHONPATH"] = os.pathsep.join([*first, *tool, str(Path("children").resolve())])

    format_utils.get_mutant_name = mutant_name
    file_utils.setup_source_paths = source_paths

    import mutmut.__main__ as main
    import mutmut.mutation.file_mutation as file_mutation

    def lines_of(name: str, _covered: object) -> set[int] | None:
        wanted = files[name]
        return None if wanted is None else set(wanted)

    main.get_covered_lines_for_file = lines_of
    file_mutation.MutationVisitor = visitor(file_mutation.MutationVisitor)
    file_mutation.function_trampoline_arrangement = bare(
        file_mutation.function_trampoline_arrangement
    )
    file_mutation.mutation_operators[:] = operators()
    configuration._config = replace(
        configuration._load_config(),
        source_paths=[Path(root) for root in SOURCES],
        only_mutate=list(files),
        also_copy=[Path(name) for name in sorted(os.listdir(".")) if name not in SOURCES],
        pytest_add_cli_args_test_selection=tests,
        pytest_add_cli_args=["-p", "no:cacheprovider", "-m", "not lava and not source"],
        process_isolation=configuration.ProcessIsolation.FORKSERVER,  # torch's threads do not fork
        use_git_change_detection=False,
        debug=True,  # the log holds what the tests say
        timeout_multiplier=5.0,
        timeout_constant=4.0,
    )
    main._run((), 1)


def operators() -> list[tuple[type, Callable[[Any], Iterator[Any]]]]:
    """Return the kinds of fault: some of mutmut's, and three of ours."""
    import libcst as cst
    from mutmut.mutation import mutators

    def drop_statement(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        if isinstance(node, cst.Raise) or isinstance(node.value, cst.Call):
            yield cst.Pass()

    def drop_keyword(node: cst.Call) -> Iterator[cst.CSTNode]:
        for at, argument in enumerate(node.args):
            if argument.keyword and argument.keyword.value not in GUARDS + WORDS:
                yield node.with_changes(args=[*node.args[:at], *node.args[at + 1 :]])

    def negate(node: cst.If) -> Iterator[cst.CSTNode]:
        if isinstance(node.test, cst.Name | cst.Attribute | cst.Call):
            yield node.with_changes(
                test=cst.UnaryOperation(cst.Not(), node.test),
                whitespace_before_test=cst.SimpleWhitespace(" "),
            )

    return [
        (cst.BaseNumber, mutators.operator_number),
        (cst.Name, mutators.operator_name),
        (cst.AugAssign, mutators.operator_augmented_assignment),
        (cst.UnaryOperation, mutators.operator_remove_unary_ops),
        (cst.CSTNode, mutators.operator_keywords),
        (cst.CSTNode, mutators.operator_swap_op),
        (cst.Match, mutators.operator_match),
        (cst.IfExp, mutators.operator_if_exp),
        (cst.Expr, drop_statement),
        (cst.Raise, drop_statement),
        (cst.Call, drop_keyword),
        (cst.If, negate),
    ]


def visitor(base: type) -> type:
    """Return mutmut's visitor that also enters properties, and of a refusal leaves the words."""
    import libcst as cst

    def left_alone(node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef):
            return node.name.value in FREE
        if isinstance(node, cst.Arg):
            return node.keyword is not None and node.keyword.value in GUARDS + WORDS
        targets = node.targets if isinstance(node, cst.Assign) else ()
        return any(getattr(one.target, "value", None) in WORDS for one in targets)

    class Visitor(base):  # type: ignore[misc]
        def on_visit(self, node: cst.CSTNode) -> bool:
            go_on = bool(super().on_visit(node))
            return go_on and not isinstance(node, cst.Raise)

        def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
            if left_alone(node):
                return True
            if isinstance(node, cst.FunctionDef) and is_around(node):
                return False
            return bool(super()._skip_node_and_children(node))

    return Visitor


def is_around(function: Any) -> bool:
    """Whether a function has decorators, and none that would come between it and its mutants."""
    import libcst as cst

    names = [cst.Module([]).code_for_node(one.decorator) for one in function.decorators]
    return bool(names) and all(name.split("(")[0].split(".")[-1] in AROUND for name in names)


def bare(arrange: Callable[..., tuple]) -> Callable[..., tuple]:
    """Return mutmut's arrangement, with decorators around the choice and not around each mutant."""

    def arranged(function: Any, *args: object, **kwargs: object) -> tuple:
        if not is_around(function):
            return arrange(function, *args, **kwargs)
        parts = arrange(function.with_changes(decorators=[]), *args, **kwargs)
        choice = parts[1][0]
        parts[1][0] = choice.with_changes(decorators=[*function.decorators, *choice.decorators])
        return parts

    return arranged


# ----------------------------------------------------------------------------------------- the list


def report(files: list[str]) -> int:
    """Print what came of the mutants, and those that lived with file and line; return how many."""
    from mutmut.mutation.data import MutantLineSpans, SourceFileMutationData
    from mutmut.stats import status_by_exit_code

    counts: Counter[str] = Counter()
    lived, known = [], equivalents()
    for file in files:
        data = SourceFileMutationData(path=file)
        data.load()
        spans = MutantLineSpans.load(file)
        for name, code in data.exit_code_by_key.items():
            status = status_by_exit_code[code]
            if status in ("survived", "no tests", "suspicious", "segfault"):
                assert spans is not None
                line, was, became = difference(file, name.rpartition(".")[2], spans)
                if {(file, was, became), (file, was, "*")} & known:
                    status = "equivalent"
                else:
                    lived.append((file, line, was, became, status))
            counts[status] += 1
    for file, line, was, became, status in sorted(lived):
        print(f"{file}:{line}: {status}\n    - {was}\n    + {became}")
    print(", ".join(f"{count} {status}" for status, count in counts.most_common()) or "no mutants")
    return len(lived)


def difference(file: str, mutant: str, spans: Any) -> tuple[int, str, str]:
    """Return the line of the source that a mutant changes, and the line before and after."""
    function = mutant.rpartition("__mutmut_")[0]
    names = [f"{function}__mutmut_orig", mutant]
    old, new = (
        source.replace(
            f"def {name}", "def " + function.split("ǁ")[-1].removeprefix("x_")
        ).splitlines()
        for name, source in zip(names, spans.read_function_sources(names), strict=True)
    )
    head = next(at for at, text in enumerate(old) if text.lstrip().startswith(("def ", "async ")))
    pairs = difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes()
    at, at_new = next((a, b) for kind, a, _, b, _ in pairs if kind != "equal")
    return definition(file, function) + at - head, old[at].strip(), new[at_new].strip()


def definition(file: str, mangled: str) -> int:
    """Return the line of a function that mutmut calls `x_name` or `xǁClassǁname`."""
    *owner, name = mangled.removeprefix("x_").removeprefix("xǁ").split("ǁ")
    body: list[ast.stmt] = ast.parse((ROOT / file).read_text()).body
    for part in ".".join(owner).split(".") if owner else []:
        body = next(one.body for one in body if isinstance(one, ast.ClassDef) and one.name == part)
    return next(
        one.lineno
        for one in body
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name == name
    )


# --------------------------------------------------------------------------------------------- main


def main() -> int:
    """Run mutmut in a folder of its own for a bounded time; the exit status is 1 if some lived."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", help="files or folders (default: the changed lines)")
    parser.add_argument("--base", default="main", help="what the changes are taken against")
    parser.add_argument("--tests", nargs="+", help="tests, instead of those of tools/mutants.toml")
    parser.add_argument("--seconds", type=int, default=900, help="time for all of it")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        work = json.loads(given.inside)
        run_mutmut(work["files"], work["tests"])
        return 0
    files = named(given.files) if given.files else changed(given.base)
    if not files:
        print(f"nothing changed against {given.base}")
        return 0
    tests = given.tests or tests_of(list(files))
    work = {"files": {name: lines and sorted(lines) for name, lines in files.items()}}
    with tempfile.TemporaryDirectory(prefix="mutants-") as scratch:
        for entry in subprocess.run(
            ["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=True
        ).stdout.splitlines():
            top = Path(scratch, entry.split("/")[0])
            if not top.exists() and not top.name.startswith("."):
                top.symlink_to(ROOT / top.name)
        command = [sys.executable, __file__, "--inside", json.dumps({**work, "tests": tests})]
        with Path(scratch, "log").open("w") as log:
            child = subprocess.Popen(
                command, cwd=scratch, stdout=log, stderr=log, start_new_session=True
            )
            try:
                ended = child.wait(given.seconds)
            except subprocess.TimeoutExpired:
                ended = 0
                print(f"stopped after {given.seconds} s; --seconds gives it more")
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)  # and the processes that it forked
                child.wait()
        os.chdir(scratch)
        if ended:
            print(re.sub(r"(?m)^[\u2800-\u28ff].*\n*", "", Path("log").read_text())[-4000:])
            return 2
        lived = report(list(files))
        os.chdir(ROOT)
    return int(lived > 0)


if __name__ == "__main__":
    sys.exit(main())
