# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Nextcloud's config.php, as Nextcloud itself writes it.

Source: lib/private/Config.php, writeData(): one `var_export` of an array, whose keys of
the first level stand at the start of a line, indented by two spaces.
"""

from __future__ import annotations

import re

ENTRY = re.compile(r"^(?=  '[^'\n]+' => )", re.MULTILINE)
INSTALLED = re.compile(r"^\s*'installed'\s*=>\s*true\s*,", re.MULTILINE)
KEY = re.compile(r"^  '([^'\n]+)' => ", re.MULTILINE)
END = re.compile(r"^\);\s*\Z", re.MULTILINE)


def is_installed(text: str) -> bool:
    """Tell whether a state file is that of an installed Nextcloud."""
    return bool(INSTALLED.search(text))


def keys(text: str) -> set[str]:
    """Return the keys of the first level."""
    return set(KEY.findall(text))


def without(text: str, unwanted: set[str]) -> str:
    """Return the file without some keys of the first level; all else stays as it was."""
    end = END.search(text)
    if end is None:
        return text
    head, *entries = ENTRY.split(text[: end.start()])
    kept = [entry for entry in entries if KEY.match(entry)[1] not in unwanted]  # type: ignore[index]
    return head + "".join(kept) + text[end.start() :]
