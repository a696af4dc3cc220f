# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters as plain Latin ones: what Unicode does not decompose, and what only looks like one."""

from __future__ import annotations

import unicodedata

# Letters of Latin that have no accent to take off.
_PLAIN = {"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "ı": "i"}
# Letters of other alphabets that people take for one of Latin.
_ALIEN = {
    **dict(zip("авеёкмнорстухіјѕьԁԛԝ", "abeekmhopctyxijsbdqw", strict=True)),
    **dict(zip("αβγεηικνορτυχω", "abyenikvoptuxw", strict=True)),
}
# Digits that are read as letters.
_DIGITS = dict(zip("013578|", "olestbl", strict=True))

_LETTERS = str.maketrans({**_PLAIN, **_ALIEN})
_DIGITS_TOO = str.maketrans({**_PLAIN, **_ALIEN, **_DIGITS})


def plain(text: str, *, digits: bool = True) -> str:
    """Return a text in small letters without accents; digits too as the letters they look like."""
    text = unicodedata.normalize("NFKD", text.lower())
    text = "".join(char for char in text if not unicodedata.combining(char))
    return text.translate(_DIGITS_TOO if digits else _LETTERS)
