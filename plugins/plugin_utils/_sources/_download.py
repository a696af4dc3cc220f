# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Fetch files from the web: resumed, tried again with pauses, and never kept unverified.

The usual variables for proxies (https_proxy, no_proxy, …) are honoured by open_url.
"""

from __future__ import annotations

import hashlib
import http
import http.client
import time
import typing as t
import urllib.error

from ansible.module_utils.urls import open_url

if t.TYPE_CHECKING:
    from pathlib import Path

# How often something is tried where somebody answered and it went wrong all the same, and where
# nobody answered at all: that is seldom better a second later.
TRIES, TRIES_UNANSWERED = 4, 2
# Seconds before the second try; each further pause is twice as long.
PAUSE = 1.0
# Seconds between two sentences about one file.
SAY_EVERY = 10.0
BLOCK = 256 * 1024
SMALL = 1024 * 1024
GONE = (404, 410)

Say = t.Callable[[str], None]


class SourceError(Exception):
    """An archive cannot be accepted; the message says why and what to do."""


class UnreachableError(SourceError):
    """The place an archive comes from does not answer."""


class UncheckedError(SourceError):
    """Whether something may be trusted could not be asked, which says nothing of the thing."""


class BrokenOffError(UnreachableError):
    """Somebody answered, and it went wrong on the way: the next try may go better."""


def nothing(_text: str) -> None:
    """Say nothing."""


def read_url(url: str) -> bytes:
    """Return what a small file at an address holds.

    Raises:
        SourceError: it cannot be had.

    """

    def attempt() -> bytes:
        with open_address(url) as answer:
            return _block(url, answer, SMALL)

    return retried(attempt)


def fetch(url: str, path: Path, expected: str, say: Say = nothing) -> None:
    """Download a file to its place, whole and with the expected SHA-256, or not at all.

    What an interrupted download brought lies beside the place, in a file `.part`, and is not
    fetched again.

    Raises:
        SourceError: it cannot be had, or is another than expected.

    """
    part = path.with_name(path.name + ".part")
    retried(lambda: _complete(url, part, expected, say))
    part.replace(path)


def retried(attempt: t.Callable[[], t.Any]) -> t.Any:
    """Try again, after longer and longer pauses, what may go better the next time."""
    number = 1
    while True:
        try:
            return attempt()
        except UnreachableError as error:
            most = TRIES if isinstance(error, BrokenOffError) else TRIES_UNANSWERED
            if number >= most:
                raise
        time.sleep(PAUSE * 2 ** (number - 1))
        number += 1


def open_address(url: str, began: int = 0) -> t.Any:
    """Open an address, from a byte on, which says whether it is unreachable or wrong.

    Raises:
        UnreachableError: nobody answers, or somebody on the way does not let us through.
        SourceError: it was answered that there is no such file.
        BrokenOffError: somebody answers, and has trouble.

    """
    # As it lies there: what is checked is the archive, not what a server made of it on the way.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={began}-"} if began else {})
    try:
        return open_url(url, timeout=30, http_agent="archipel", headers=headers, decompress=False)
    except urllib.error.HTTPError as error:
        if error.code in GONE:
            raise SourceError(
                f"{url}: there is no such file (HTTP {error.code}); correct the version or "
                "the address in archipel_releases"
            ) from error
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        raise BrokenOffError(f"{url} cannot be had: HTTP {error.code}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise UnreachableError(f"{url} cannot be reached: {error}") from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _complete(url: str, part: Path, expected: str, say: Say) -> None:
    """Bring what is still missing, and throw all of it away if it is not what was expected.

    Raises:
        BrokenOffError: the next try may go better.
        SourceError: it is another file than expected.

    """
    began = part.stat().st_size if part.is_file() else 0
    if began and sha256_of(part) == expected:
        return
    try:
        began = _receive(url, part, began, say)
    except urllib.error.HTTPError as error:
        part.unlink()
        raise BrokenOffError(f"{url}: it is shorter than what was there of it") from error
    digest = sha256_of(part)
    if digest == expected:
        return
    part.unlink()
    if began:
        raise BrokenOffError(f"{url}: the rest does not fit what was there before")
    raise SourceError(
        f"{url}: its SHA-256 is {digest}, expected {expected}; "
        "run again, and if that does not help ask who serves that file"
    )


def _receive(url: str, part: Path, began: int, say: Say) -> int:
    """Write what an address answers; return from where on it was resumed, 0: it was not.

    Args:
        url: the address.
        part: the file that it goes to.
        began: bytes that are in it already.
        say: takes a sentence now and then.

    Raises:
        BrokenOffError: less came than was announced.

    """
    with open_address(url, began) as answer:
        if not _is_rest(answer, began):
            began = 0
        length = answer.headers.get("Content-Length")
        total = began + int(length) if length and length.isdecimal() else 0
        done, said = began, time.monotonic()
        with part.open("ab" if began else "wb", buffering=0) as file:
            while block := _block(url, answer, BLOCK):
                _write(file, block, part)
                done += len(block)
                if time.monotonic() - said >= SAY_EVERY:
                    said = time.monotonic()
                    say(f"{part.stem}: {_megabytes(done)} of {_megabytes(total)} MB")
    if done < total:
        raise BrokenOffError(f"{url} broke off after {done} of {total} bytes")
    say(f"{part.stem}: fetched, {_megabytes(done)} MB")
    return began


def _is_rest(answer: t.Any, began: int) -> bool:
    """Tell whether a server sends the rest that it was asked for, and not all of it again."""
    sent = str(answer.headers.get("Content-Range", ""))
    return bool(
        began
        and answer.getcode() == http.HTTPStatus.PARTIAL_CONTENT
        and sent.startswith(f"bytes {began}-")
    )


def _block(url: str, answer: t.Any, size: int) -> bytes:
    """Return the next bytes of an answer, at most so many; nothing: that was all.

    Raises:
        BrokenOffError: it broke off.

    """
    try:
        return t.cast("bytes", answer.read(size))
    except (OSError, http.client.HTTPException) as error:
        raise BrokenOffError(f"{url} broke off: {error}") from error


def _write(file: t.Any, block: bytes, part: Path) -> None:
    """Write a block, all of it.

    Raises:
        SourceError: there is no room, or no right to.

    """
    left = memoryview(block)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        raise SourceError(
            f"{part}: cannot be written: {error}. Make room on this machine, or name another "
            "folder: nextcloud_cache_folder"
        ) from error


def _megabytes(number: int) -> str:
    return f"{number / 1e6:.1f}" if number else "?"
