# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What the demo puts into a space, as a file says it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NotRequired, TypedDict

import jsonschema_rs
import yaml

from tools.lab import LabError

FOLDER = Path(__file__).parent
SCHEMA = FOLDER / "association.schema.json"


class Someone(TypedDict):
    """A member."""

    account: str
    name: str


class Event(TypedDict):
    """Something in a calendar: on a day of the week, weeks after the one in which it is made."""

    id: str
    title: str
    where: NotRequired[str]
    day: str
    week: int
    # HH:MM, and how many minutes it takes; missing: the whole day.
    at: NotRequired[str]
    minutes: NotRequired[int]
    # In how many weeks it is repeated.
    weeks: NotRequired[int]


class Calendar(TypedDict):
    """A calendar."""

    id: str
    name: str
    color: str
    events: list[Event]


class Card(TypedDict):
    """Something to do; due: in days after the one on which it is made."""

    title: str
    note: NotRequired[str]
    due: NotRequired[int]


class Board(TypedDict):
    """A board, and its lists with their cards."""

    name: str
    color: str
    lists: dict[str, list[Card]]


class Collective(TypedDict):
    """A knowledge base: title of a page → its text."""

    name: str
    emoji: str
    pages: dict[str, str]


class Association(TypedDict):
    """All of it."""

    language: str
    # The first one administers the space.
    people: list[Someone]
    # Path → text.
    files: dict[str, str]
    # The folder that whoever has a link reads.
    link: str
    calendar: Calendar
    board: Board
    collective: Collective


def read_all(folder: Path = FOLDER) -> dict[str, Association]:
    """Return what each space gets, by its slug.

    Raises:
        LabError: a file does not say it as it must.

    """
    return {path.stem: read(path) for path in sorted(folder.glob("*.yml"))}


def read(path: Path) -> Association:
    """Return what one file says.

    Raises:
        LabError: it is no YAML, or says something else than association.schema.json allows.

    """
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        errors = list(jsonschema_rs.validator_for(schema).iter_errors(found))
    # The second where a key is no text: to YAML 1.1 the word on is true.
    except (yaml.YAMLError, ValueError) as error:
        raise LabError(f"{path}: {error}. {SCHEMA.name} beside it has what may be said") from error
    wrong = [
        f"{path}: {'.'.join(map(str, error.instance_path)) or 'the file'}: {error.message}"
        for error in errors
    ]
    if not wrong and found["link"] not in {name.partition("/")[0] for name in found["files"]}:
        wrong = [f"{path}: link: found {found['link']!r}; allowed: a folder that files has"]
    if wrong:
        raise LabError("\n".join([*wrong, f"{SCHEMA.name} beside it has all that may be said"]))
    association: Association = found
    return association
