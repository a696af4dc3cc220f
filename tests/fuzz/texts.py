# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What strangers could write: values of all kinds, and files that are nearly right."""

from __future__ import annotations

import json
import typing as t

from hypothesis import strategies as st

# Of each: control, direction and invisible signs, marks, what lies beyond 16 bits, orders for
# CI and terminals, templates, paths, and what YAML, JSON and SQL make something of.
ODD = (
    "", " ", "\t", "\n", "\r\n", "\x00", "\x1b[2J", "\x7f", "\x85", "\u2028", "\u2029", "\ufeff",
    "\u202e", "\u2066", "\u200b", "\u200d", "\u0301", "\u3164", "\u0663", "\uff11", "²", "İ",
    "ß", "ﬁ", "👩\u200d👧", "\U000e0041", "\ufffd", "\ufffe", "::error file=x::y", "##[error]",
    "##vso[task]", "{{ 7 * 7 }}", "{% include '/etc/passwd' %}", "{name}", "%s", "%(a)s",
    "$(id)", "`id`", "';DROP", "../..", "/etc/passwd", "\\", '"', "'", "&a", "*a", "!!int",
    "!vault", "<<", "on", "no", "yes", "null", "~", "true", "0x1F", "0o17", "1_000", "1e999",
    ".inf", ".nan", "-0", "00", "9" * 19, "9" * 5000, "2024-02-30", "2024-13-01", "9999-12-31",
    "24:60:60", "a@b.example", "A@B", "xn--a", "xn--", "xn--0000000000", "a" * 63 + ".example",
    "a." * 130, "http://[::1", "https://a.example:99999/", "::1", "127.0.0.1", "*.a.example", ".",
    "..", "a..b", "-a.example", "__proto__", "constructor", "x" * 300, "é" * 300,
)  # fmt: skip

text = st.one_of(
    st.sampled_from(ODD),
    st.text(max_size=40),
    st.lists(st.sampled_from(ODD), max_size=4).map("".join),
)
number = st.one_of(
    st.integers(), st.integers(-2, 3), st.sampled_from([2**31, 2**53, 2**63, -(2**63), 10**18])
)
scalar = st.one_of(st.none(), st.booleans(), number, text)


def nested(keys: st.SearchStrategy[str]) -> st.SearchStrategy[t.Any]:
    """Values inside each other, some deeper than anybody reads."""
    return st.recursive(
        scalar,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=12,
    )


def deep(value: t.Any, levels: int, *, mapping: bool) -> t.Any:
    """Return a value inside so many lists or mappings."""
    for _level in range(levels):
        value = {"a": value} if mapping else [value]
    return value


def shaped(schema: t.Mapping[str, t.Any], good: t.Mapping[str, t.Any]) -> st.SearchStrategy[t.Any]:
    """A good document of which some keys, at any depth, have values that are wrong, or are gone."""
    known = sorted(_keys(schema))
    keys = st.sampled_from(known) | text
    value = nested(keys) | st.builds(
        deep, scalar, st.integers(1, 12), mapping=st.booleans()
    ) | _parts(schema, keys)  # fmt: skip
    changed = st.dictionaries(st.sampled_from(known), value, max_size=4)
    removed = st.sets(st.sampled_from(sorted(good)), max_size=2)
    return st.builds(_changed, st.just(dict(good)), changed, removed)


def _changed(
    good: dict[str, t.Any], changed: dict[str, t.Any], removed: set[str]
) -> dict[str, t.Any]:
    return {key: value for key, value in {**good, **changed}.items() if key not in removed}


def _keys(schema: t.Mapping[str, t.Any]) -> set[str]:
    parts = schema.get("properties", {})
    inner = (_keys(part) for part in parts.values() if isinstance(part, dict))
    return set(parts).union(*inner)


def _parts(schema: t.Mapping[str, t.Any], keys: st.SearchStrategy[str]) -> st.SearchStrategy[t.Any]:
    """Mappings such as those that the schema has below its keys, with other values."""
    owners = [
        part for part in schema["properties"].values()
        if isinstance(part, dict) and "properties" in part
    ]  # fmt: skip
    each = [
        st.dictionaries(st.sampled_from(sorted(part["properties"])), nested(keys), max_size=4)
        for part in owners
    ]
    return st.one_of(*each)


def written(value: t.Any, *, ascii_only: bool, indent: int | None) -> bytes:
    """Return a value as a file: JSON is YAML."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    return text.encode("utf-8", "surrogatepass")


def spoiled(good: bytes, signs: t.Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """A file with some of its bytes gone, doubled, or others in their place."""
    place = st.integers(0, len(good))
    cut = st.tuples(place, st.integers(0, 30), st.sampled_from(signs) | st.binary(max_size=8))
    return st.lists(cut, min_size=1, max_size=5).map(lambda cuts: _spoil(good, cuts))


def _spoil(data: bytes, cuts: list[tuple[int, int, bytes]]) -> bytes:
    for place, length, instead in cuts:
        data = data[:place] + instead + data[place + length :]
    return data
