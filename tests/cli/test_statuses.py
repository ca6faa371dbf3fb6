"""A command whose check fails ends with 1, also where all that it wrote looks well."""

import pytest

from neurossm_cli import demo as demo_module
from neurossm_cli import doctor as doctor_module
from neurossm_cli.demo import Parity


@pytest.mark.slow
def test_the_demo_ends_with_1_on_a_mismatch(neurossm, tmp_path, monkeypatch):
    parity = Parity(7840, 3, "node 'encoder'", 100.0, 200.0)
    monkeypatch.setattr(demo_module, "check_parity", lambda *given: parity)
    ended = neurossm("demo", "--samples", 2, "--lava-samples", 1, "--out", tmp_path, "--json")
    assert ended.status == 1, ended.err
    document = ended.document
    assert (document["values_compared"], document["mismatches"]) == (7840, 3)
    assert document["first_mismatch"] == "node 'encoder'"
    assert "3 mismatches" in (tmp_path / "report.html").read_text()


def test_doctor_ends_with_1_where_a_part_of_the_core_is_missing(neurossm, monkeypatch):
    known = doctor_module._version
    monkeypatch.setattr(
        doctor_module, "_version", lambda name: "" if name == "numba" else known(name)
    )
    ended = neurossm("doctor", "--json")
    (numba,) = [one for one in ended.document["checks"] if one["name"] == "numba"]
    assert ended.status == 1 and ended.document["ok"] is False
    assert not numba["ok"] and numba["remedy"] == "pip install neurossm"
