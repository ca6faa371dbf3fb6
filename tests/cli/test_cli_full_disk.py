"""Commands on a disk that is full from the n-th operation on, for all n: old files stay whole."""

from __future__ import annotations

import pytest
from failing_disk import disk, tree

COMMANDS = {
    "quantize": ("quantize", "{floating}", "--calibrate", "digits:train:1", "-o", "{out}/i.nssm",
                 "--report", "{out}/r.json"),
    "export": ("export", "{run}", "-o", "{out}/f.nssm"),
    "run": ("run", "{integer}", "--data", "digits:test:1", "--trace", "{out}/t.nssm"),
    "predictions": ("run", "{integer}", "--data", "digits:test:1", "--predictions",
                    "{out}/p.csv"),
    "show": ("show", "{integer}", "--svg", "{out}/g.svg"),
    "place": ("place", "{integer}", "--svg", "{out}/c.svg"),
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_at_every_operation_of_a_command(neurossm, files, tmp_path, name):
    out = tmp_path / "out"
    out.mkdir()
    places = {"floating": files.floating, "integer": files.integer, "run": files.run, "out": out}
    command = [word.format(**places) for word in COMMANDS[name]]
    made = neurossm(*command)
    assert made.status == 0, made.err
    right = tree(out)
    outputs = sum(str(out) in word for word in command)
    assert len(right) == outputs
    graph = files.integer if name == "export" else files.floating
    other = b"sample,predicted,old\n"
    for path in out.iterdir():  # a graph, or predictions, replace no file of another kind
        path.write_bytes(graph.read_bytes() if path.suffix == ".nssm" else other)
    assert all(path.read_bytes() != right[path.name] for path in out.iterdir())
    old, failures = tree(out), 0
    while True:
        with disk(full_from=failures) as failing:
            ended = neurossm(*command)
        if failing.count <= failures:
            break
        now = tree(out)
        # files that were complete before the disk was full are the new ones
        assert set(now) == set(old) and all(now[n] in (old[n], right[n]) for n in now), failures
        if ended.status != 0:  # at the last operation of all, the file is there already
            assert ended.status == 2 and str(out) in ended.err, ended.err
            assert "No space left on device" in ended.err and "free space in" in ended.err
            assert "Traceback" not in ended.err
        failures += 1
    assert ended.status == 0 and tree(out) == right
    assert failures >= 4 * outputs  # each is opened, written, brought to the disk and renamed
