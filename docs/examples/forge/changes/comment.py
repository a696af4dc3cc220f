#!/usr/bin/env python3
# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Put a file into a proposal as a comment, and keep that one comment up to date.

Usage: comment.py changes.md

What it has to know is in its environment, as the CI files beside it set it:

FORGE          gitlab, forgejo or github
FORGE_API      address of its API: https://forge.example.org/api/v1
FORGE_PROJECT  owner/name, or the number of a GitLab project
FORGE_NUMBER   number of the proposal
FORGE_USER     who the token belongs to, by name
FORGE_TOKEN    a token that may write comments
"""

from __future__ import annotations

import json
import os
import sys
import typing as t
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

SECONDS = 30
# Of each page of comments, and of all pages: nobody reads more.
PAGE, PAGES = 100, 50


class Forge(t.NamedTuple):
    """How a forge's API takes comments."""

    # Below the address of the API; all comments, and one.
    comments: str
    comment: str
    # Header with the token, and how it is written.
    header: str
    token: str
    # Method that changes a comment; field with the name of its author, in `author`.
    change: str
    author: str
    name: str


FORGES = {
    "gitlab": Forge(
        "projects/{project}/merge_requests/{number}/notes",
        "projects/{project}/merge_requests/{number}/notes/{id}",
        "PRIVATE-TOKEN",
        "{}",
        "PUT",
        "author",
        "username",
    ),
    "forgejo": Forge(
        "repos/{project}/issues/{number}/comments",
        "repos/{project}/issues/comments/{id}",
        "Authorization",
        "token {}",
        "PATCH",
        "user",
        "login",
    ),
    "github": Forge(
        "repos/{project}/issues/{number}/comments",
        "repos/{project}/issues/comments/{id}",
        "Authorization",
        "Bearer {}",
        "PATCH",
        "user",
        "login",
    ),
}


class Place(t.NamedTuple):
    """The proposal, and who writes."""

    forge: Forge
    api: str
    project: str
    number: str
    user: str
    token: str

    def call(self, path: str, method: str = "GET", body: object = None, **values: object) -> t.Any:
        """Ask the API; return what it answers.

        Raises:
            SystemExit: it refuses, or there is no answer.

        """
        quoted = {key: urllib.parse.quote(str(value), safe="") for key, value in values.items()}
        project = self.project.split("/") if self.forge is not FORGES["gitlab"] else [self.project]
        quoted["project"] = "/".join(urllib.parse.quote(part, safe="") for part in project)
        address = f"{self.api}/{path.format(number=self.number, **quoted)}"
        request = urllib.request.Request(
            address,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                self.forge.header: self.forge.token.format(self.token),
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            sys.exit(f"{method} {address}: {error.code} {error.reason}; may the token comment?")
        except (OSError, ValueError) as error:
            sys.exit(f"{method} {address}: {error}")

    def find(self, mark: str) -> object:
        """Return the number of the comment that we wrote before; None: there is none.

        Whoever writes our mark into a comment of theirs gets nothing of ours.
        """
        for page in range(1, PAGES + 1):
            path = f"{self.forge.comments}?per_page={PAGE}&page={page}"
            found = self.call(path)
            for one in found:
                ours = one[self.forge.author][self.forge.name] == self.user
                if ours and one["body"].splitlines()[:1] == [mark]:
                    return one["id"]
            # Forgejo gives all of them at once, whatever the page.
            if len(found) != PAGE:
                return None
        return None


def read_place(environment: t.Mapping[str, str]) -> Place:
    """Return where to write.

    Raises:
        SystemExit: something is missing or wrong.

    """
    names = ("FORGE", "FORGE_API", "FORGE_PROJECT", "FORGE_NUMBER", "FORGE_USER", "FORGE_TOKEN")
    if missing := [name for name in names if not environment.get(name)]:
        sys.exit(f"not set: {', '.join(missing)}; see the beginning of this file")
    kind, api, project, number, user, token = (environment[name] for name in names)
    if kind not in FORGES:
        sys.exit(f"FORGE={kind}: allowed are {', '.join(FORGES)}")
    if not number.isdecimal():
        sys.exit(f"FORGE_NUMBER={number}: allowed is the number of a proposal")
    if urllib.parse.urlsplit(api).scheme not in {"http", "https"}:
        sys.exit(f"FORGE_API={api}: allowed is an address with https")
    return Place(FORGES[kind], api.rstrip("/"), project, number, user, token)


def main(arguments: list[str], environment: t.Mapping[str, str]) -> None:
    """Write the comment, or change the one that is there.

    Raises:
        SystemExit: it cannot be written.

    """
    if len(arguments) != 1:
        sys.exit("usage: comment.py changes.md")
    try:
        body = Path(arguments[0]).read_text(encoding="utf-8")
    except OSError as error:
        sys.exit(f"{arguments[0]}: {error.strerror}; did check.yml run with -e base=…?")
    place = read_place(environment)
    known = place.find(body.splitlines()[0] if body else "")
    if known is None:
        place.call(place.forge.comments, "POST", {"body": body})
    else:
        place.call(place.forge.comment, place.forge.change, {"body": body}, id=known)


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
