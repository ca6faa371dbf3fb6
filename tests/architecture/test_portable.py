"""Names that not every system has are used only where there is a fallback for them."""

import ast

import pytest
from architecture.test_rules import FILES, NAMES

# a name, and the files that do without it where it is missing
HOMES = {
    "fcntl": {"neurossm/portable.py", "converters/neurossm_chip/temporary.py"},
    "waitid": {"neurossm/portable.py"},
    "sched_getaffinity": {"neurossm/engine/cores.py"},
    "sched_setaffinity": set(),
    "resource": {"converters/neurossm_converters/formats/hdf5/child.py"},
    "CDLL": {"models/neurossm_models/train/memory.py", "converters/neurossm_chip/temporary.py"},
    "fork": set(),
    "forkpty": set(),
    "memfd_create": set(),
    "posix_fallocate": set(),
    "O_TMPFILE": set(),
    "pidfd_open": set(),
    "sem_open": set(),
    "preexec_fn": set(),
    "register_at_fork": {"converters/neurossm_chip/temporary.py"},
    "killpg": {"neurossm/keeper.py", "converters/neurossm_converters/backends/lava/worker.py"},
    "/proc": {"neurossm/keeper.py", "neurossm/environment.py",
              "models/neurossm_models/train/estimates/room.py"},
    "/sys": {"workflows/neurossm_workflows/powercap.py",
             "models/neurossm_models/train/estimates/room.py"},
    "/dev": {"converters/neurossm_converters/backends/lava/child.py",
             "converters/neurossm_converters/backends/gpu/executor.py"},
}  # fmt: skip
MODULES = {"fcntl", "resource"}


def names_in(source: str) -> set[str]:
    """Return which of the names a module uses: imports, attributes of them, arguments, paths."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & MODULES
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} & MODULES
            if node.module in ("os", "ctypes"):
                found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in ("os", "ctypes"):
                found.add(node.attr)
        elif isinstance(node, ast.keyword):
            found.add(node.arg or "")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            first = "/".join(node.value.split("/", 2)[:2])
            if node.value.startswith("/") and " " not in node.value:
                found.add(first)
    return found & set(HOMES)


@pytest.mark.source
def test_what_not_every_system_has_is_used_where_its_fallback_is():
    used: dict[str, set[str]] = {name: set() for name in HOMES}
    for path, name in zip(FILES, NAMES, strict=True):
        source = path.read_text(encoding="utf-8")
        if any(word in source for word in HOMES):  # most name none, and need no parsing
            for found in names_in(source):
                used[found].add(name)
    assert used == HOMES


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import os\nos.sched_getaffinity(0)", {"sched_getaffinity"}),
        ("from os import memfd_create", {"memfd_create"}),
        ("import fcntl", {"fcntl"}),
        ("from resource import getrlimit", {"resource"}),
        ("subprocess.Popen([], preexec_fn=f)", {"preexec_fn"}),
        ("Path('/dev/shm/x')", {"/dev"}),
        ("open('/proc')", {"/proc"}),
        ("item.resource = 1", set()),
        ("'/process'", set()),
    ],
)
def test_the_rule_sees_each_way_to_name_one(source, found):
    assert names_in(source) == found


@pytest.mark.source
def test_no_two_files_differ_only_in_case():
    assert len({name.lower() for name in NAMES}) == len(NAMES)
