"""What the demo does on a machine that has nothing: images, and Lava."""

from __future__ import annotations

import pytest

from neurossm.errors import InputError, TargetError
from neurossm_models.data.sets import SOURCES
from neurossm_workflows import demonstration, installing
from neurossm_workflows.demonstration import Subject, lava_ready, subject
from neurossm_workflows.listener import Listener

NO_SOURCE = InputError("mnist", expected="a source", got="none", remedy="put the files there")


@pytest.fixture
def heard():
    return []


@pytest.fixture
def listener(heard):
    return Listener(note=heard.append, tell=heard.append)


def offline(name, data_dir):
    raise NO_SOURCE


def test_images_that_are_missing_are_fetched(monkeypatch, tmp_path, listener, heard):
    asked = []
    monkeypatch.setattr(demonstration, "_fetch", lambda *given: asked.append(given))
    assert subject("", str(tmp_path), listener) == Subject("binary-s4d-smnist", "mnist")
    assert asked == [("mnist", str(tmp_path))] and not heard
    assert subject("binary-s4d-digits", str(tmp_path)) == Subject("binary-s4d-digits", "digits")
    assert len(asked) == 1


def test_offline_it_goes_on_with_digits_and_says_so(monkeypatch, tmp_path, listener, heard):
    monkeypatch.setattr(demonstration, "_fetch", offline)
    assert subject("", str(tmp_path), listener) == Subject("binary-s4d-digits", "digits")
    (note,) = heard
    assert "MNIST could not be fetched" in note and "binary-s4d-digits" in note
    with pytest.raises(InputError, match="put the files there"):  # that one was asked for
        subject("gsu-smnist", str(tmp_path))


def test_offline_without_digits_the_error_says_what_brings_them(monkeypatch, tmp_path):
    monkeypatch.setattr(demonstration, "_fetch", offline)
    monkeypatch.setattr(type(SOURCES["digits"]), "find", lambda source, root=None: None)
    with pytest.raises(InputError) as caught:
        subject("", str(tmp_path))
    assert caught.value.remedy == (
        "pip install 'neurossm[data]' && neurossm demo --checkpoint binary-s4d-digits;"
        " or put the files there"
    )


class Status:
    def __init__(self, version="", usable=False, numpy_version="2.3.5"):
        self.version, self.usable, self.numpy_version = version, usable, numpy_version
        self.problem, self.remedy = "lava-nc is not installed", "neurossm install lava"


def lava(monkeypatch, status, missing="", install=lambda listener: None):
    from neurossm_converters.backends.lava import shim

    monkeypatch.setattr(shim, "status", lambda: status)
    monkeypatch.setattr(shim, "not_importable", lambda: missing)
    monkeypatch.setattr(installing, "install_lava", install)


def test_lava_is_installed_only_where_its_extra_is(monkeypatch, listener, heard):
    installed = []
    lava(monkeypatch, Status(), install=installed.append)
    assert lava_ready(listener) and installed == [listener]
    lava(monkeypatch, Status("0.10.0", usable=True), install=installed.append)
    assert lava_ready(listener) and len(installed) == 1 and not heard
    # the extra is not here; numpy would be replaced under this process; another version is here
    for status, missing in ((Status(), "asteval"), (Status(numpy_version="2.4.0"), ""),
                            (Status("0.9.0"), "")):  # fmt: skip
        heard.clear()
        lava(monkeypatch, status, missing, install=installed.append)
        assert not lava_ready(listener) and len(installed) == 1
        assert heard == ["Lava is left out: lava-nc is not installed; neurossm install lava"]


def test_a_failed_installation_leaves_lava_out(monkeypatch, listener, heard):
    def fails(listener):
        raise TargetError("pip", got="no network")

    lava(monkeypatch, Status(), install=fails)
    assert not lava_ready(listener) and heard == ["Lava is left out: pip: got no network"]
