# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Ask a PHP-FPM on a unix socket to run one script.

Just enough of FastCGI 1.0 (https://fastcgi-archives.github.io/FastCGI_Specification.html)
for a request without a body.
"""

from __future__ import annotations

import socket
import struct
import typing as t

VERSION, RESPONDER, REQUEST = 1, 1, 1
BEGIN, END, PARAMS, STDIN, STDOUT, STDERR = 1, 3, 4, 5, 6, 7
HEADER = struct.Struct(">BBHHBx")


class FastCgiError(Exception):
    """The request could not be made, or was not answered whole."""


def make_record(kind: int, content: bytes) -> bytes:
    """Return one record of a request. Pure."""
    return HEADER.pack(VERSION, kind, REQUEST, len(content), 0) + content


def make_pair(name: str, value: str) -> bytes:
    """Return a parameter; lengths from 128 on take four bytes. Pure."""
    parts = [name.encode(), value.encode()]
    sizes = [
        bytes([len(part)]) if len(part) < 128 else struct.pack(">I", len(part) | 1 << 31)
        for part in parts
    ]
    return b"".join(sizes + parts)


def make_request(parameters: t.Mapping[str, str]) -> bytes:
    """Return all records of a request without a body. Pure."""
    content = b"".join(make_pair(name, value) for name, value in parameters.items())
    begin = struct.pack(">HB5x", RESPONDER, 0)
    return b"".join(
        [
            make_record(BEGIN, begin),
            make_record(PARAMS, content),
            make_record(PARAMS, b""),
            make_record(STDIN, b""),
        ]
    )


def read_records(stream: t.BinaryIO) -> t.Iterator[tuple[int, bytes]]:
    """Yield the records of an answer, the last one included.

    Raises:
        FastCgiError: it ended early.
    """
    while True:
        header = stream.read(HEADER.size)
        if len(header) < HEADER.size:
            raise FastCgiError("PHP-FPM closed the connection before it had answered")
        _version, kind, _number, size, padding = HEADER.unpack(header)
        content = stream.read(size)
        stream.read(padding)
        yield kind, content
        if kind == END:
            return


def run(path: str, script: str, parameters: t.Mapping[str, str], timeout: float) -> tuple[str, str]:
    """Have a script run; return the body of what it printed, and what PHP complained about.

    Args:
        path: the socket.
        script: the script's file.
        parameters: what it finds in `$_SERVER`.
        timeout: seconds to wait for any part of the answer.

    Raises:
        FastCgiError: the request was not answered whole.
        OSError: there is nobody at the socket.
    """
    wanted = {"REQUEST_METHOD": "GET", "SCRIPT_FILENAME": script, **parameters}
    answer: dict[int, bytes] = {}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        connection.connect(path)
        connection.sendall(make_request(wanted))
        with connection.makefile("rb") as stream:
            for kind, content in read_records(stream):
                answer[kind] = answer.get(kind, b"") + content
    head, _, body = answer.get(STDOUT, b"").partition(b"\r\n\r\n")
    said = answer.get(STDERR) or head
    return body.decode(errors="replace"), said.decode(errors="replace")
