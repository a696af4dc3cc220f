# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The field's terms, for things that have one: people search for them, and find them elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.policy.tree import files, shown

# What is not said → what is.
TERMS = {
    r"doors?": "socket, service or space",
    r"barriers?": "maintenance flag",
    r"walls": "sandbox, or firewall",
    r"wish(?:es)?": "job request",
    r"fore(?:see|seen|sees|saw)": "plan or preview",
    r"ways? back": "rollback",
    r"verdicts?": "decision",
    r"(?:un)?proved?": "verified",
    r"proofs?": "verification",
}
WORDS = re.compile(rf"\b({'|'.join(TERMS)})\b", re.IGNORECASE)
# Former names that are still read on nodes, and other senses of a word.
ELSEWHERE = (
    "LICENSE",
    "LICENSES/",
    "changelogs/",
    "group_vars/all/spaces.yml",
    "plugins/module_utils/_operations/_backup_record.py",
    "plugins/module_utils/_operations/_purge.py",
    "roles/backup/files/backup.py",
    "roles/nextcloud/files/",
    "tests/php/",
    "tests/policy/test_layout.py",
    "tests/policy/test_words.py",
    "tests/unit/plugins/module_utils/_operations/",
)
TEXTS = [
    path
    for path in files()
    if path.suffix in {"", ".j2", ".md", ".py", ".sh", ".yml"}
    and not path.name.endswith(".fr.md")
    and not shown(path).startswith(ELSEWHERE)
]


@pytest.mark.parametrize("path", TEXTS, ids=shown)
def test_things_are_called_as_everybody_calls_them(path: Path):
    text = path.read_text(encoding="utf-8")
    found = sorted({word.lower() for word in WORDS.findall(text)})
    assert {word: meant(word) for word in found} == {}


def meant(word: str) -> str:
    return next(term for pattern, term in TERMS.items() if re.fullmatch(pattern, word))


def test_what_is_not_said_would_be_found():
    assert WORDS.findall("A door, two wishes, a wall, and one way back") == [
        "door",
        "wishes",
        "way back",
    ]
    assert meant("unproved") == "verified"
