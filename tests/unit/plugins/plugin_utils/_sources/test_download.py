# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A download survives what stores and networks do, and never brings anything else than expected."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import _download as download

CONTENT = bytes(range(256)) * 40
DIGEST = hashlib.sha256(CONTENT).hexdigest()
GARBAGE = b"<html>sign in to the network</html>"
Answer = Callable[[BaseHTTPRequestHandler, int], None]


def send(
    asked: BaseHTTPRequestHandler, body: bytes, status: int = 200, length: int | None = None
) -> None:
    asked.send_response(status)
    asked.send_header("Content-Length", str(len(body) if length is None else length))
    asked.end_headers()
    asked.wfile.write(body)


def whole(asked: BaseHTTPRequestHandler, _began: int) -> None:
    """As a server that knows nothing of ranges."""
    send(asked, CONTENT)


def rest(asked: BaseHTTPRequestHandler, began: int) -> None:
    """As one that does."""
    if not began:
        return whole(asked, began)
    if began >= len(CONTENT):
        return send(asked, b"", 416)
    asked.send_response(206)
    asked.send_header("Content-Range", f"bytes {began}-{len(CONTENT) - 1}/{len(CONTENT)}")
    asked.send_header("Content-Length", str(len(CONTENT) - began))
    asked.end_headers()
    asked.wfile.write(CONTENT[began:])
    return None


def half(asked: BaseHTTPRequestHandler, _began: int) -> None:
    """Breaks off in the middle."""
    send(asked, CONTENT[: len(CONTENT) // 2], length=len(CONTENT))
    asked.close_connection = True


def garbage(asked: BaseHTTPRequestHandler, _began: int) -> None:
    send(asked, GARBAGE)


def broken(asked: BaseHTTPRequestHandler, _began: int) -> None:
    send(asked, b"", 500)


def gone(asked: BaseHTTPRequestHandler, _began: int) -> None:
    send(asked, b"", 404)


@dataclass
class Store:
    """A server that answers as it is told, one answer after the other; the last one stays."""

    answers: list[Answer] = field(default_factory=lambda: [rest])
    # From which byte on it was asked, each time, and for what.
    began: list[int] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def store() -> Iterator[Store]:
    state = Store()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range", "bytes=0-")
            state.began.append(int(asked.removeprefix("bytes=").removesuffix("-")))
            state.paths.append(self.path)
            answer = state.answers.pop(0) if len(state.answers) > 1 else state.answers[0]
            answer(self, state.began[-1])

        def log_message(self, *_: object) -> None:
            """Tests speak for themselves."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}/deck.tar.gz"
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What would be waited for, in seconds."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "deck.tar.gz"


def part_of(place: Path) -> Path:
    return place.with_name(f"{place.name}.part")


@pytest.mark.parametrize(
    ("answers", "began", "waited"),
    [
        ([rest], [0], []),
        ([broken, broken, broken, rest], [0, 0, 0, 0], [1.0, 2.0, 4.0]),
        ([half, rest], [0, len(CONTENT) // 2], [1.0]),
        # It sends all of it again, although only the rest was asked for.
        ([half, whole], [0, len(CONTENT) // 2], [1.0]),
        ([half, broken, rest], [0, len(CONTENT) // 2, len(CONTENT) // 2], [1.0, 2.0]),
    ],
)
def test_it_comes_whole(
    store: Store,
    place: Path,
    pauses: list[float],
    answers: list[Answer],
    began: list[int],
    waited: list[float],
):
    store.answers = answers
    download.fetch(store.url, place, DIGEST)
    assert place.read_bytes() == CONTENT
    assert (store.began, pauses) == (began, waited)
    assert not part_of(place).exists()


@pytest.mark.parametrize(
    ("answers", "said", "asked"),
    [
        ([garbage], f"its SHA-256 is {hashlib.sha256(GARBAGE).hexdigest()}, expected", 1),
        ([gone], "there is no such file", 1),
        ([broken], "HTTP 500", download.TRIES),
        ([half], "broke off after", download.TRIES),
        # The rest of another file than the beginning was of.
        ([half, garbage], "expected", 2),
    ],
)
def test_it_does_not_come_and_nothing_else_is_taken(
    store: Store, place: Path, pauses: list[float], answers: list[Answer], said: str, asked: int
):
    store.answers = answers
    with pytest.raises(download.SourceError, match=said):
        download.fetch(store.url, place, DIGEST)
    assert not place.exists()
    assert len(store.began) == asked == len(pauses) + 1


def test_what_an_interrupted_run_left_is_not_fetched_again(store: Store, place: Path):
    part_of(place).write_bytes(CONTENT[:1000])
    download.fetch(store.url, place, DIGEST)
    assert (store.began, place.read_bytes()) == ([1000], CONTENT)


def test_one_that_was_whole_and_not_yet_in_its_place_is_not_asked_for(store: Store, place: Path):
    part_of(place).write_bytes(CONTENT)
    download.fetch(store.url, place, DIGEST)
    assert (store.began, place.read_bytes()) == ([], CONTENT)


@pytest.mark.parametrize("left", [b"x" * 1000, b"x" * len(CONTENT), b"x" * (len(CONTENT) + 1)])
def test_what_is_of_another_file_is_thrown_away(
    store: Store, place: Path, pauses: list[float], left: bytes
):
    part_of(place).write_bytes(left)
    download.fetch(store.url, place, DIGEST)
    assert (store.began, place.read_bytes()) == ([len(left), 0], CONTENT)
    assert pauses == [1.0]


def test_nobody_there_is_not_asked_for_long(tmp_path: Path, place: Path, pauses: list[float]):
    with pytest.raises(download.UnreachableError, match="cannot be reached"):
        download.fetch("http://127.0.0.1:1/deck.tar.gz", place, DIGEST)
    assert len(pauses) == download.TRIES_UNANSWERED - 1
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_called_so_and_not_tried_again(
    store: Store, place: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch
):
    opened = Path.open

    def full(self: Path, mode: str = "r", **options: Any) -> Any:
        return opened(Path("/dev/full") if mode == "wb" else self, mode, **options)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(download.SourceError, match=r"No space left.*nextcloud_cache_folder"):
        download.fetch(store.url, place, DIGEST)
    assert (len(store.began), pauses) == (1, [])


def test_progress_is_shown(store: Store, place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(download, "SAY_EVERY", 0.0)
    monkeypatch.setattr(download, "BLOCK", 4096)
    told: list[str] = []
    download.fetch(store.url, place, DIGEST, told.append)
    total = f"{len(CONTENT) / 1e6:.1f}"
    assert len(told) == 4
    assert all(f" of {total} MB" in text for text in told[:-1])
    assert told[-1] == f"deck.tar.gz: fetched, {total} MB"


def test_the_usual_variable_of_a_proxy_is_honoured(
    store: Store, place: Path, monkeypatch: pytest.MonkeyPatch
):
    """Nobody answers under that name: only the proxy does."""
    monkeypatch.setenv("http_proxy", store.url.rpartition("/")[0])
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    download.fetch("http://applications.invalid/deck.tar.gz", place, DIGEST)
    assert place.read_bytes() == CONTENT
    assert store.paths == ["http://applications.invalid/deck.tar.gz"]


def test_a_small_file_is_tried_again_too(store: Store, pauses: list[float]):
    store.answers = [broken, whole]
    assert download.read_url(store.url) == CONTENT
    assert pauses == [1.0]
