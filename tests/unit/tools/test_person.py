# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Somebody in a space: what is sent, and what is made of answers that are none."""

from __future__ import annotations

import json
import ssl
from typing import Any, cast

import pytest

from tools.https import Answer, Browser
from tools.person import Person, RequestError, read_status


class Server:
    """Answers as it is told."""

    port = 443

    def __init__(self, answer: Answer | Exception) -> None:
        self.answer = answer
        self.asked: list[tuple[Any, ...]] = []

    def request(self, method: str, host: str, path: str, **more: Any) -> Answer:
        self.asked.append((method, host, path, more))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def get(self, host: str, path: str) -> Answer:
        return self.request("GET", host, path)


def person(server: Server) -> Person:
    return Person(cast(Browser, server), "velo.example", "nadia", "secret")


def test_a_request_has_an_account_and_a_quoted_path():
    server = Server(Answer(201, {}, b""))
    person(server).dav("PUT", "files/nadia/Été à l’œuf.md", "text", X_OC_MTime="1")
    ((method, host, path, more),) = server.asked
    assert (method, host) == ("PUT", "velo.example")
    assert path == "/remote.php/dav/files/nadia/%C3%89t%C3%A9%20%C3%A0%20l%E2%80%99%C5%93uf.md"
    assert more["account"] == ("nadia", "secret")
    assert more["headers"] == {"X-OC-MTime": "1"}
    assert more["body"] == b"text"


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (Answer(503, {}, b"maintenance"), 503, "503 maintenance"),
        (Answer(404, {}, b"\xff"), 404, "404 "),
        (ConnectionRefusedError("refused"), 0, "no answer: refused"),
        (ssl.SSLCertVerificationError("not trusted"), 0, "no answer: .*not trusted"),
        (Answer(200, {}, b"<html>"), 0, "no JSON: <html>"),
        (Answer(200, {}, b'{"ocs": {"meta": {"status": "failure"}}}'), 0, "failure"),
    ],
)
def test_a_refusal_says_who_asked_for_what(answer: Answer | Exception, status: int, said: str):
    with pytest.raises(
        RequestError, match=f"velo.example: nadia: GET .*cloud/users: .*{said}"
    ) as e:
        person(Server(answer)).ocs("GET", "cloud/users")
    assert e.value.status == status


def test_a_status_names_the_release():
    said = {"productname": "Nextcloud", "versionstring": "33.0.3", "maintenance": False}
    server = Server(Answer(200, {}, json.dumps(said).encode()))
    found = read_status(cast(Browser, server), "velo.example")
    assert found == {"productname": "Nextcloud", "versionstring": "33.0.3"}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(503, {}, b"<h1>suspended</h1>"),
        Answer(200, {}, b"{}"),
        OSError("nobody listens"),
    ],
)
def test_a_status_that_is_none_is_an_error(answer: Answer | Exception):
    with pytest.raises(RequestError, match=r"velo.example: /status.php: "):
        read_status(cast(Browser, Server(answer)), "velo.example")
