# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Requests to PHP-FPM: what goes over the socket, and what comes back."""

from __future__ import annotations

import socket
import threading

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._web import _fastcgi

PAGE = b"Content-type: text/html\r\n\r\n42"


@pytest.fixture
def server(tmp_path):
    """Return what answers one request with records, and keeps what it was sent."""
    path = str(tmp_path / "socket")

    def serve(*answer: bytes):
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(path)
        listening.listen()

        def one():
            connection, _ = listening.accept()
            with connection, listening:
                connection.recv(65536)
                connection.sendall(b"".join(answer))

        threading.Thread(target=one, daemon=True).start()
        return path

    return serve


def test_the_body_of_the_answer_is_returned(server):
    path = server(
        _fastcgi.make_record(_fastcgi.STDOUT, PAGE[:10]),
        _fastcgi.make_record(_fastcgi.STDOUT, PAGE[10:]),
        _fastcgi.make_record(_fastcgi.END, bytes(8)),
    )
    assert _fastcgi.run(path, "/x.php", {}, 5)[0] == "42"


def test_an_answer_that_ends_early_is_no_answer(server):
    path = server(_fastcgi.make_record(_fastcgi.STDOUT, PAGE))
    with pytest.raises(_fastcgi.FastCgiError, match="before it had answered"):
        _fastcgi.run(path, "/x.php", {}, 5)


def test_what_php_complains_about_is_passed_on(server):
    path = server(
        _fastcgi.make_record(_fastcgi.STDERR, b"Primary script unknown"),
        _fastcgi.make_record(_fastcgi.STDOUT, b"Status: 404 Not Found\r\n\r\nFile not found."),
        _fastcgi.make_record(_fastcgi.END, bytes(8)),
    )
    body, said = _fastcgi.run(path, "/x.php", {}, 5)
    assert (body, said) == ("File not found.", "Primary script unknown")


def test_long_values_have_long_lengths():
    assert _fastcgi.make_pair("A", "b") == b"\x01\x01Ab"
    assert _fastcgi.make_pair("A", "b" * 200) == b"\x01\x80\x00\x00\xc8A" + b"b" * 200
