"""AIR-Bench from the hub: the real `datasets` package against a server on loopback that answers as the hub does."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pluristats.generate.seeds import AIR_BENCH, AIR_BENCH_REVISION
from tests.conftest import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("datasets") is None, reason="the package datasets is not installed"),
]
CARD = "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: test\n    path: '*.csv'\n---\n"
FILES = {
    "README.md": CARD.encode(),
    "category_1.csv": b'cate-idx,l2-name,l3-name,l4-name,prompt\n1.1.1,A,B,C,How?\n1.1.2,A,B,D,"Why, and =1+1?"\n',
    "category_2.csv": "cate-idx,l2-name,l3-name,l4-name,prompt\n2.4.1,E,F,G,Pourquoi l’été ?\n".encode(),
}


class Hub(BaseHTTPRequestHandler):
    """The few addresses of the hub that loading a data set of CSV files asks for."""

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path, name = self.path.split("?")[0], self.path.rsplit("/", 1)[1]
        api, entries = f"/api/datasets/{AIR_BENCH}", []
        for file, content in FILES.items():
            digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
            entries.append({"type": "file", "path": file, "size": len(content), "oid": digest})
        if path == f"{api}/revision/{AIR_BENCH_REVISION}":
            siblings = [{"rfilename": file} for file in FILES]
            self.say(200, json.dumps({"id": AIR_BENCH, "sha": AIR_BENCH_REVISION, "siblings": siblings}).encode())
        elif path == f"{api}/tree/{AIR_BENCH_REVISION}":
            self.say(200, json.dumps(entries).encode())
        elif path == f"/datasets/{AIR_BENCH}/resolve/{AIR_BENCH_REVISION}/{name}" and name in FILES:
            etag = next(entry["oid"] for entry in entries if entry["path"] == name)
            self.say(200, FILES[name], ETag=f'"{etag}"', **{"X-Repo-Commit": AIR_BENCH_REVISION})
        else:
            self.say(404, b"{}", **{"X-Error-Code": "EntryNotFound"})

    do_HEAD = do_GET

    def say(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def load(address: str, folder: Path) -> subprocess.CompletedProcess[str]:
    code = (
        "from pluristats.errors import GenerateError\nfrom pluristats.generate import load_air_bench\n"
        "try:\n    seeds = load_air_bench()\n    print(seeds.source)\n"
        "    print(seeds.table.to_json(orient='records'))\n"
        "except GenerateError as error:\n    print('GenerateError', error)\n"
    )
    settings = {"HF_ENDPOINT": address, "HF_HOME": str(folder), "HF_HUB_DISABLE_TELEMETRY": "1"}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        check=True,
    )


def test_the_pinned_revision_is_loaded_as_it_is(tmp_path: Path) -> None:
    with hub() as address:
        source, table = load(address, tmp_path).stdout.splitlines()
    assert source == f"{AIR_BENCH}@{AIR_BENCH_REVISION}"
    rows = json.loads(table)
    assert [row["text"] for row in rows] == ["How?", "Why, and =1+1?", "Pourquoi l’été ?"]
    assert [row["cate-idx"] for row in rows] == ["1.1.1", "1.1.2", "2.4.1"]
    assert [row["seed"] for row in rows] == [
        f"air-{hashlib.sha256(row['text'].encode()).hexdigest()[:12]}" for row in rows
    ]


def test_no_hub_is_one_sentence(tmp_path: Path) -> None:
    with hub() as address:
        pass
    told = load(address, tmp_path).stdout
    assert told.startswith("GenerateError AIR-Bench could not be had from the hub") and told.count("\n") == 1
    assert "give the path of a copy" in told
