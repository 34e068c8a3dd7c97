"""Download the release: from an address that the user gives, checked against pinned sha256, all files or none."""

from __future__ import annotations

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pluristats.errors import PluristatsError
from pluristats.study.release import SHA256
from pluristats.study.tables import plain, show
from pluristats.study.write import place_files

URL_SETTING: Final = "PLURISTATS_RELEASE_URL"
_LARGEST: Final = 20_000_000
_CHUNK: Final = 65_536

Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes so far, and the bytes in all where the server says so."""


def fetch_release(
    url: str | None,
    dest: str | Path,
    sha256: Mapping[str, str] = SHA256,
    *,
    timeout: float = 30.0,
    deadline: float = 300.0,
    progress: Progress | None = None,
) -> Path:
    """Download the released files into a folder.

    Parameters
    ----------
    url
        http or https address of the folder that holds the files (each is read from ``url/name``); None: the
        environment variable ``PLURISTATS_RELEASE_URL``. There is no default address.
    dest
        Folder to put them in; made if absent. Files there that already have the right sha256 are not loaded
        again; a file of the same name with another content is refused.
    sha256
        Names and pinned digests of the files.
    timeout, deadline
        Seconds without an answer, and seconds for one file in all, before giving up.
    progress
        Told how far the download is.

    Returns
    -------
    Path
        The folder, with all files, each with its pinned digest.

    Raises
    ------
    PluristatsError
        No address; the server cannot be reached, has not the file, breaks off or is too slow; a file is not the
        released one. Nothing is changed in ``dest`` then. The message says how to get the files by hand.
    """
    target = Path(dest)
    wanted = _missing(target, sha256)
    if wanted:
        base = _base(url, target)
        loaded = {}
        for name in wanted:
            loaded[name] = _download(f"{base}/{urllib.parse.quote(name)}", name, target, timeout, deadline, progress)
            found = hashlib.sha256(loaded[name]).hexdigest()
            if found != sha256[name]:
                what = f"{base}/{name}: sha256 is {found[:12]}…, not the released {sha256[name][:12]}…"
                raise PluristatsError(f"{what}; {_by_hand(target)}")
        try:
            place_files(loaded, target)
        except OSError as error:
            raise PluristatsError(f"{target}: cannot be written ({error.strerror}); choose another folder") from error
    return target


def _missing(target: Path, sha256: Mapping[str, str]) -> list[str]:
    """Names of files that are not in the folder; a different file there is refused."""
    if target.exists() and not target.is_dir():
        raise PluristatsError(f"{target}: is a file, not a folder; choose another place")
    wanted = []
    for name, digest in sha256.items():
        path = target / name
        if not path.exists():
            wanted.append(name)
        elif not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise PluristatsError(
                f"{path}: is there but is not the released file; move it away or choose another folder"
            )
    return wanted


def _base(url: str | None, target: Path) -> str:
    given = url or os.environ.get(URL_SETTING, "")
    if not given:
        raise PluristatsError(f"no address to fetch from; give --url or set {URL_SETTING}; {_by_hand(target)}")
    parts = urllib.parse.urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise PluristatsError(f"{show(given)} is not an http or https address; {_by_hand(target)}")
    return given.rstrip("/")


def _download(
    address: str, name: str, target: Path, timeout: float, deadline: float, progress: Progress | None
) -> bytes:
    """Body of one file, whole; every way to fail becomes one sentence."""
    until = time.monotonic() + deadline
    data = bytearray()
    try:
        with urllib.request.urlopen(address, timeout=timeout) as response:
            size = response.length
            while chunk := response.read(_CHUNK):
                data += chunk
                if len(data) > _LARGEST:
                    raise PluristatsError(f"{address}: is larger than {_LARGEST:,} bytes; {_by_hand(target)}")
                if time.monotonic() > until:
                    raise PluristatsError(f"{address}: took longer than {deadline:g} s; {_by_hand(target)}")
                if progress is not None:
                    progress(name, len(data), size)
    except urllib.error.HTTPError as error:
        raise PluristatsError(
            f"{address}: the server answers {error.code} {plain(error.reason)}; {_by_hand(target)}"
        ) from error
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        why = getattr(error, "reason", None) or error
        raise PluristatsError(f"{address}: cannot be read ({plain(why)}); {_by_hand(target)}") from error
    if size is not None and len(data) < size:
        raise PluristatsError(f"{address}: the connection broke off after {len(data):,} bytes; {_by_hand(target)}")
    return bytes(data)


def _by_hand(target: Path) -> str:
    return (
        f"or download {', '.join(SHA256)} with a browser from the authors' PluriHarms-release repository "
        f"(linked from jl3676.github.io/PluriHarms) into {target} and run `pluristats data check {target}`"
    )
