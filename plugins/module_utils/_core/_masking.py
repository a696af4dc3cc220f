# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What is shown of a text that may hold secrets: differences, previews."""

from __future__ import annotations

import re

HIDDEN = "'(hidden)',"
# Values of keys that name one of these never show.
NAMES = r"password|passwd|secret|key|salt|token|credential|private"
# A key of a PHP array and its value: a block of lines down to the one that ends it, a text that
# may have several lines, or whatever else there is to the end of the line.
SECRET = re.compile(
    rf"""
    ^(?P<key> (?P<indent>[ \t]*) (?P<quote>['"]) [^'"\n]* (?:{NAMES}) [^'"\n]* (?P=quote)
        \s* => \s* )
    (?: (?:\[|array\s*\() [ \t]*\n .*? ^(?P=indent)[\])],?
      | '(?:[^'\\]|\\.)*',?
      | "(?:[^"\\]|\\.)*",?
      | [^\n]*
    ) [ \t]*$
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE | re.IGNORECASE,
)


def mask_secrets(text: str) -> str:
    """Return a text with the values of secret keys left out. Pure."""
    return SECRET.sub(lambda match: match["key"] + HIDDEN, text)
