# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Nextcloud makes of a `locale`: a language, formats and telephone numbers. Data, and pure.

Nextcloud has two things where people name one: languages, which somebody has translated it into,
and locales, which say how dates and numbers are written. It takes an unknown one of either
without a word and falls back to American English.
"""

from __future__ import annotations

import functools
import json
import typing as t
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    did_you_mean,
    quoted,
)

if t.TYPE_CHECKING:
    from collections.abc import Mapping

_HERE = Path(__file__).parent


class _Data(t.NamedTuple):
    # Language -> the country whose telephone numbers it suggests, or nothing.
    languages: Mapping[str, str]
    # Each locale, a language being one -> its language.
    locales: Mapping[str, str]
    # Language -> the locale that stands for it where it is none itself.
    formats: Mapping[str, str]
    # Country without telephone numbers of its own -> the one it uses.
    countries: Mapping[str, str]


@functools.cache
def _data() -> _Data:
    content = json.loads((_HERE / "locales.json").read_text(encoding="utf-8"))
    languages = content["languages"]
    locales = {name: name for name in languages}
    for language, names in content["locales"].items():
        locales |= dict.fromkeys(names, language)
    return _Data(languages, locales, content["formats"], content["countries"])


@functools.cache
def list_timezones() -> frozenset[str]:
    """The names of time zones that the PHP of every node knows."""
    lines = (_HERE / "timezones.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))


def list_locales() -> frozenset[str]:
    """Everything that `locale` may be."""
    return frozenset(_data().locales)


def find_language(locale: str) -> str:
    """The language that a locale is shown in: pt_BR in pt_BR, fr_CA in fr."""
    return _data().locales[locale]


def find_formats(locale: str) -> str:
    """The locale as Nextcloud knows it, for dates and numbers."""
    return _data().formats.get(locale, locale)


def find_phone_region(locale: str, default_locale: str, default_region: str) -> str:
    """The country of telephone numbers without a country code; empty: they need one.

    Args:
        locale: of the space.
        default_locale: archipel_default_locale. What is spoken where the platform is at home means
            that country: French is Belgium's in Belgium.
        default_region: archipel_default_phone_region.

    """
    data, end = _data(), find_formats(locale).rpartition("_")[2]
    if end.isdigit():
        return ""  # a part of the world, such as es_419
    if len(end) == len("FR") and end.isupper():
        return data.countries.get(end, end)
    spoken = find_language(locale)
    if spoken == find_language(default_locale):
        return default_region
    return data.languages[spoken] or default_region


def check_locale(found: str) -> str:
    """What is wrong with a locale, in words; empty if nothing is."""
    data = _data()
    if found in data.locales:
        return ""
    return _(
        "found {found}; allowed: a language of Nextcloud ({languages}), or one with its country, "
        "such as fr_CA.{hint}",
        found=quoted(found),
        languages=", ".join(data.languages),
        hint=_locale_meant(found),
    )


def _locale_meant(found: str) -> str:
    """' Did you mean …?': written otherwise, the same language, or nearly the same word."""
    data = _data()
    written = {name.lower(): name for name in data.locales}
    plain = found.lower().replace("-", "_").partition(".")[0]
    base = plain.partition("@")[0].partition("_")[0]
    for near in (plain, plain.partition("@")[0], base):
        if near in written:
            return _(' Did you mean "{word}"?', word=written[near])
    near_ones = [quoted(name) for name in data.languages if name.startswith(f"{base}_")]
    if near_ones:
        return _(" Did you mean {words}?", words=_(" or ").join(near_ones))
    return did_you_mean(found, data.locales)


def check_timezone(found: str) -> str:
    """What is wrong with a time zone, in words; empty if nothing is."""
    if found in list_timezones():
        return ""
    return _(
        "found {found}; allowed: {allowed}.{hint}",
        found=quoted(found),
        allowed=_("UTC or a place of the tz database such as Europe/Paris"),
        hint=did_you_mean(found, sorted(list_timezones())),
    )
