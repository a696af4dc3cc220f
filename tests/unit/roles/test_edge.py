# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The program that exchanges the names an edge routes by, against a HAProxy that remembers."""

from __future__ import annotations

import importlib.util
import re
import socket
import socketserver
import threading
import typing as t
from pathlib import Path

import pytest

from tests.unit.environment import ROOT

PATH = "/etc/haproxy/archipel/names.map"


@pytest.fixture(scope="module")
def names() -> t.Any:
    spec = importlib.util.spec_from_file_location("names", ROOT / "roles/edge/files/names.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Proxy:
    """What HAProxy 2.6 and 3.0 answer, as far as maps are concerned; its buffer is as small."""

    def __init__(self, **entries: str) -> None:
        self.map: dict[str, str] = {name.replace("_", "."): to for name, to in entries.items()}
        self.versions: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []
        self.refuse = ""

    def __call__(self, command: str) -> str:
        self.asked.append(command.split("\n", 1)[0])
        assert len(command) < 16_384, "more than a buffer of HAProxy"
        head, _, payload = command.partition(" <<\n")
        verb, _, *rest = head.split(" ")
        assert rest[-1] == PATH
        if self.refuse and head.startswith(self.refuse):
            return "Out of memory.\n\n"
        return getattr(self, verb)(rest[0], payload)

    def show(self, _version: str, _payload: str) -> str:
        return "".join(f"0x{n:x} {name} {to}\n" for n, (name, to) in enumerate(self.map.items()))

    def prepare(self, _version: str, _payload: str) -> str:
        self.versions["@7"] = {}
        return "New version created: 7\n\n"

    def add(self, version: str, payload: str) -> str:
        for line in payload.strip().splitlines():
            name, to = line.split(" ")
            self.versions[version][name] = to
        return "\n"

    def clear(self, version: str, _payload: str) -> str:
        del self.versions[version]
        return "\n"

    def commit(self, version: str, _payload: str) -> str:
        self.map = self.versions.pop(version)
        return "\n"


class TestConverge:
    TEXT = "# names\nvelo.example web1/velo-ecole/fr\n\namap.example web2/amap/en\n"

    def test_what_differs_is_exchanged_at_once(self, names: t.Any):
        proxy = Proxy(velo_example="web2/velo-ecole/fr", gone_example="web1/gone/fr")
        assert names.converge(proxy, PATH, self.TEXT, write=True) == [
            "amap.example: to web2/amap/en",
            "gone.example: no longer, before to web1/gone/fr",
            "velo.example: to web1/velo-ecole/fr, before to web2/velo-ecole/fr",
        ]
        assert proxy.map == {"amap.example": "web2/amap/en", "velo.example": "web1/velo-ecole/fr"}
        assert [one.split(" ")[0] for one in proxy.asked] == [
            *("show", "prepare", "add", "commit", "show")
        ]

    def test_a_second_time_nothing_is(self, names: t.Any):
        proxy = Proxy()
        names.converge(proxy, PATH, self.TEXT, write=True)
        proxy.asked.clear()
        assert names.converge(proxy, PATH, self.TEXT, write=True) == []
        assert proxy.asked == [f"show map {PATH}"]

    def test_a_check_says_it_and_changes_nothing(self, names: t.Any):
        proxy = Proxy()
        assert len(names.converge(proxy, PATH, self.TEXT, write=False)) == 2
        assert proxy.asked == [f"show map {PATH}"]

    def test_ten_thousand_names_fit_into_its_buffers(self, names: t.Any):
        proxy = Proxy()
        lines = [f"asso-{n}.spaces.example web{n % 20}/asso-{n}/fr" for n in range(10_000)]
        assert len(names.converge(proxy, PATH, "\n".join(lines), write=True)) == 10_000
        assert len(proxy.map) == 10_000
        assert len(proxy.asked) < 60

    def test_all_names_may_go(self, names: t.Any):
        proxy = Proxy(velo_example="web1/velo-ecole/fr")
        assert len(names.converge(proxy, PATH, "", write=True)) == 1
        assert proxy.map == {}

    @pytest.mark.parametrize("refused", ["prepare", "add", "commit"])
    def test_where_it_refuses_it_goes_on_with_those_it_had(self, names: t.Any, refused: str):
        proxy = Proxy(velo_example="web2/velo-ecole/fr")
        proxy.refuse = refused
        with pytest.raises(names.NamesError, match=r"HAProxy, .* answers: Out of memory"):
            names.converge(proxy, PATH, self.TEXT, write=True)
        assert proxy.map == {"velo.example": "web2/velo-ecole/fr"}
        assert refused != "add" or proxy.versions == {}, "what was begun is not left behind"

    def test_one_that_does_not_do_what_it_was_told_is_found_out(self, names: t.Any):
        proxy = Proxy()
        proxy.commit = lambda _version, _payload: "\n"  # type: ignore[method-assign, assignment]
        with pytest.raises(names.NamesError, match="still differs after the exchange: amap"):
            names.converge(proxy, PATH, self.TEXT, write=True)


class TestAFileOfNames:
    @pytest.mark.parametrize(
        "line",
        [
            "velo.example",
            "velo.example ",
            "Velo.example web1/velo/fr",
            "velo.example web1/velo/fr more",
            "velo..example; web1/velo/fr",
            "velo.example web1/velo/../..;",
            "-velo.example web1/velo/fr",
            "*.example web1/velo/fr",
            "vélo.example web1/velo/fr",
        ],
    )
    def test_that_says_nothing_is_refused(self, names: t.Any, line: str):
        proxy = Proxy(velo_example="web1/velo/fr")
        with pytest.raises(names.NamesError, match=re.escape(f"{PATH}:2: found {line!r}; allowed")):
            names.converge(proxy, PATH, f"a.example web1/a/fr\n{line}\n", write=True)
        assert proxy.asked == []

    def test_that_leads_a_name_to_two_places_is_refused(self, names: t.Any):
        text = "a.example web1/a/fr\na.example web2/a/fr\n"
        with pytest.raises(names.NamesError, match="is there twice, as web1/a/fr"):
            names.parse(text, PATH)


class TestTheProgram:
    """With a socket of its own, as it is run."""

    @pytest.fixture
    def served(self, tmp_path: Path) -> t.Iterator[tuple[Path, dict[str, str]]]:
        answers = {"show": ""}

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                asked = self.rfile.readline().decode()
                self.wfile.write(answers[asked.split(" ")[0]].encode())

        with socketserver.ThreadingUnixStreamServer(str(tmp_path / "sock"), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield tmp_path, answers
            server.shutdown()

    def run(self, names: t.Any, monkeypatch: pytest.MonkeyPatch, folder: Path) -> int:
        given = ["edge-names", str(folder / "sock"), str(folder / "names.map"), "--check"]
        monkeypatch.setattr("sys.argv", given)
        return t.cast("int", names.main())

    def test_says_what_would_be_changed(
        self,
        names: t.Any,
        monkeypatch: pytest.MonkeyPatch,
        served: tuple[Path, dict[str, str]],
        capsys: pytest.CaptureFixture[str],
    ):
        (served[0] / "names.map").write_text("a.example web1/a/fr\n")
        assert self.run(names, monkeypatch, served[0]) == 0
        assert capsys.readouterr().out == "a.example: to web1/a/fr\n"

    @pytest.mark.parametrize(
        ("answer", "code", "expected"),
        [
            ("Unknown map identifier. Please use #<id> or <file>.\n", 3, "does not route by"),
            ("Permission denied\n", 1, "answers: Permission denied"),
        ],
    )
    def test_says_what_is_wrong(
        self,
        names: t.Any,
        monkeypatch: pytest.MonkeyPatch,
        served: tuple[Path, dict[str, str]],
        capsys: pytest.CaptureFixture[str],
        answer: str,
        code: int,
        expected: str,
    ):
        served[1]["show"] = answer
        (served[0] / "names.map").write_text("")
        assert self.run(names, monkeypatch, served[0]) == code
        assert expected in capsys.readouterr().err

    def test_says_that_nobody_answers(
        self,
        names: t.Any,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ):
        (tmp_path / "names.map").write_text("")
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(tmp_path / "sock"))
        assert self.run(names, monkeypatch, tmp_path) == 1
        assert "Connection refused" in capsys.readouterr().err
