"""Fetching from a loopback server: good, corrupt, cut short, absent, slow, offline."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pluristats.errors import PluristatsError
from pluristats.study import fetch_release, load_study

FILES = {"annotations.csv": b"a,b\n1,2\n", "prompts.csv": b"x" * 300_000}
PINNED = {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}
BY_HAND = "with a browser from the authors' PluriHarms-release repository"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        _, kind, name = self.path.split("/")
        data = FILES[name]
        if kind == "absent" and name == "prompts.csv":
            self.send_error(404)
            return
        if kind == "corrupt" and name == "prompts.csv":
            data = data[:-1] + b"y"
        self.send_response(200)
        if kind == "endless":
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x" * 1_000_000)
            except OSError:
                return
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if kind == "silent":
            self.server.released.wait(10)  # type: ignore[attr-defined]
        self.wfile.write(data[: len(data) // 2] if kind == "cut" and name == "prompts.csv" else data)

    def log_message(self, format: str, *args: object) -> None:
        self.server.asked.append(args[0])  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.released = [], threading.Event()  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.released.set()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


@pytest.fixture
def address(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


def refused(url: str | None, dest: Path, **options: float) -> str:
    with pytest.raises(PluristatsError) as caught:
        fetch_release(url, dest, PINNED, **options)  # type: ignore[arg-type]
    assert not dest.exists()
    assert list(dest.parent.iterdir()) == []
    assert BY_HAND in str(caught.value)
    return str(caught.value)


def test_files_arrive_whole_and_progress_is_told(address: str, tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    dest = tmp_path / "a" / "b"
    fetch_release(f"{address}/good/", dest, PINNED, progress=lambda *step: told.append(step))
    assert {path.name: path.read_bytes() for path in dest.iterdir()} == FILES
    assert told[0] == ("annotations.csv", 8, 8)
    assert told[-1] == ("prompts.csv", 300_000, 300_000)


def test_the_address_may_be_a_setting(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLURISTATS_RELEASE_URL", f"{address}/good")
    fetch_release(None, tmp_path / "dest", PINNED)
    assert (tmp_path / "dest" / "annotations.csv").read_bytes() == FILES["annotations.csv"]


def test_what_is_there_is_not_loaded_again(address: str, server: ThreadingHTTPServer, tmp_path: Path) -> None:
    (tmp_path / "annotations.csv").write_bytes(FILES["annotations.csv"])
    server.asked.clear()  # type: ignore[attr-defined]
    fetch_release(f"{address}/good", tmp_path, PINNED)
    assert server.asked == ["GET /good/prompts.csv HTTP/1.1"]  # type: ignore[attr-defined]
    fetch_release(None, tmp_path, PINNED)  # complete: needs no address


def test_another_file_there_is_not_overwritten(address: str, tmp_path: Path) -> None:
    (tmp_path / "prompts.csv").write_text("my own")
    with pytest.raises(PluristatsError, match="is there but is not the released file"):
        fetch_release(f"{address}/good", tmp_path, PINNED)
    assert [path.name for path in tmp_path.iterdir()] == ["prompts.csv"]


def test_corrupt(address: str, tmp_path: Path) -> None:
    message = refused(f"{address}/corrupt", tmp_path / "dest")
    assert message.startswith(f"{address}/corrupt/prompts.csv: sha256 is ")


def test_cut_connection(address: str, tmp_path: Path) -> None:
    message = refused(f"{address}/cut", tmp_path / "dest")
    assert message.startswith(f"{address}/cut/prompts.csv: ")
    assert "the connection broke off after 150,000 bytes" in message


def test_absent(address: str, tmp_path: Path) -> None:
    message = refused(f"{address}/absent", tmp_path / "dest")
    assert message.startswith(f"{address}/absent/prompts.csv: the server answers 404 Not Found")


def test_silent_server(address: str, tmp_path: Path) -> None:
    message = refused(f"{address}/silent", tmp_path / "dest", timeout=0.2)
    assert "cannot be read (timed out)" in message


def test_too_large(address: str, tmp_path: Path) -> None:
    assert "is larger than 20,000,000 bytes" in refused(f"{address}/endless", tmp_path / "dest")


def test_too_slow(address: str, tmp_path: Path) -> None:
    assert "took longer than 0 s" in refused(f"{address}/good", tmp_path / "dest", deadline=0.0)


def test_offline(tmp_path: Path) -> None:
    message = refused("http://127.0.0.1:9/release", tmp_path / "dest")
    assert message.startswith("http://127.0.0.1:9/release/annotations.csv: cannot be read (")


@pytest.mark.parametrize("url", ["file:///etc", "ftp://host/x", "release", "http://"])
def test_only_web_addresses(url: str, tmp_path: Path) -> None:
    assert "is not an http or https address" in refused(url, tmp_path / "dest")


def test_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLURISTATS_RELEASE_URL", raising=False)
    assert "no address to fetch from; give --url or set PLURISTATS_RELEASE_URL" in refused(None, tmp_path / "dest")


@pytest.mark.release
def test_pinned_digests_are_those_of_the_release(release_path: Path) -> None:
    fetch_release(None, release_path)  # everything is there with the pinned digests, so nothing is asked for
    assert load_study(release_path).name == "PluriHarms"
