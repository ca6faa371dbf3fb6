"""How far a download is: rewritten on a terminal, a line a quarter elsewhere."""

import io

import pytest

from neurossm.errors import InputError
from neurossm_models.data.transfer import CHUNK, received


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_elsewhere_a_line_a_quarter(capsys):
    content = bytes(4_000_000)
    assert received(io.BytesIO(content), "f", len(content), 10**9) == content
    lines = capsys.readouterr().err.splitlines()
    # whole chunks: 16, 31 and 46 of 65536 bytes are the first beyond each million
    assert lines == ["f: 1.0 of 4.0 MB (26%)", "f: 2.0 of 4.0 MB (51%)",
                     "f: 3.0 of 4.0 MB (75%)", "f: 4.0 of 4.0 MB (100%)"]  # fmt: skip
    received(io.BytesIO(content[:1000]), "small", 1000, 10**9)
    received(io.BytesIO(content), "of unknown length", 0, 10**9)
    assert capsys.readouterr().err == ""


def test_on_a_terminal_one_line(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    received(io.BytesIO(bytes(3 * CHUNK)), "f", 3 * CHUNK, 10**9)
    said = terminal.getvalue()
    assert said.startswith("\rf: ") and said.endswith("\rf: 0.2 of 0.2 MB (100%)\n")
    assert said.count("\n") == 1


def test_no_more_than_asked_for_and_no_less_than_promised(capsys):
    assert received(io.BytesIO(b"abcdef"), "f", 6, 4) == b"abcd"
    with pytest.raises(InputError, match="f: expected 9 bytes, got 6"):
        received(io.BytesIO(b"abcdef"), "f", 9, 100)
