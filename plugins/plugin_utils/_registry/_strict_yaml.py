# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A strict, small YAML: for files that strangers write.

Read from libyaml's stream of events, so that nothing recurses deeper than it should: its own
tree builder overflows the C stack on a file of opening brackets. Differences from YAML 1.1:

* only true and false are booleans: the key ``on`` and the language ``no`` stay what they are,
* only whole numbers without leading zeros are numbers: dates, 50.0 and 010 stay text,
* keys are always text,
* a key given twice, anchors, aliases, tags and second documents are refused.
"""

from __future__ import annotations

import re
import typing as t

import yaml
from yaml import events

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _, mark
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import brief
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Draft

# Without libyaml, the same events come ten times slower.
_Parser: t.Callable[[bytes], t.Any] = getattr(
    getattr(yaml, "cyaml", None), "CParser", yaml.SafeLoader
)

MAX_BYTES = 64 * 1024
MAX_DEPTH = 8

# A key's place in a document: ("limits", "accounts"), ("domains", 0).
Place = tuple[str | int, ...]
Lines = dict[Place, int]

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})").fullmatch
_BEGINS_NUMBER = frozenset("0123456789+-")
# What git leaves where two people changed the same lines.
_CONFLICT = re.compile(r"^(<{7}|={7}|>{7}|\|{7})(?: .*)?\r?$", re.MULTILINE)

# What libyaml takes for the end of a line; editors those alone that are none of these.
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_SEPARATORS = ("\x85", "\u2028", "\u2029")

# What libyaml says of the mistakes that people make.
_REASONS = (
    mark("mapping values are not allowed in this context"),
    mark("block sequence entries are not allowed in this context"),
    mark("did not find expected key"),
    mark("did not find expected ',' or '}'"),
    mark("did not find expected ',' or ']'"),
    mark("did not find expected '-' indicator"),
    mark("did not find expected node content"),
    mark("did not find expected <document start>"),
    mark("could not find expected ':'"),
    mark("found character that cannot start any token"),
    mark("found unknown escape character"),
    mark("found a tab character that violates indentation"),
    mark("found unexpected end of stream"),
    mark("control characters are not allowed"),
)


class StrictYamlError(ValueError):
    """Not the YAML we read; `line` counts from 1."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


def load(data: bytes, lines: Lines | None = None, max_bytes: int = MAX_BYTES) -> t.Any:
    """Return the one document in `data`; fill `lines` with the line of each key and item.

    Raises:
        StrictYamlError: it is no such YAML, with the line.

    """
    text = _check_text(data, max_bytes)
    if line := find_conflict(text):
        raise StrictYamlError(_("found a merge conflict; keep the lines that are right"), line)
    numbers = _Numbers(text)
    try:
        return _Document(data, {} if lines is None else lines, numbers).read()
    except yaml.YAMLError as error:
        raise _explain(error, data, numbers) from error


def find_conflict(text: str) -> int | None:
    """The line where a merge was left undone; None if there is none."""
    found = _CONFLICT.search(text)
    return text.count("\n", 0, found.start()) + 1 if found else None


class _Numbers:
    """Lines as editors count them: libyaml begins one at signs that no editor ends a line with."""

    def __init__(self, text: str) -> None:
        self._known: list[int] = []
        if any(sign in text for sign in _SEPARATORS):
            number = 1
            for found in _BREAK.finditer(text):
                self._known.append(number)
                number += found[0] not in _SEPARATORS
            self._known.append(number)

    def of(self, mark: t.Any) -> int:
        """Return the line of a place that libyaml names, from 1."""
        return self._known[mark.line] if self._known else t.cast("int", mark.line) + 1


class _Document:
    """Events to values, one document."""

    def __init__(self, data: bytes, lines: Lines, numbers: _Numbers) -> None:
        self._next: t.Callable[[], t.Any] = _Parser(data).get_event
        self._lines = lines
        self._numbers = numbers

    def _line(self, event: t.Any) -> int:
        return self._numbers.of(event.start_mark)

    def read(self) -> t.Any:
        """Return the one document.

        Raises:
            StrictYamlError: it is empty, or a second document follows.

        """
        self._next()  # the start of the stream
        if isinstance(self._next(), events.StreamEndEvent):
            raise StrictYamlError(
                _("the file is empty; write at least name, status and contact"), 1
            )
        value = self._value(self._next(), ())
        self._next()  # the end of the document
        more = self._next()
        if not isinstance(more, events.StreamEndEvent):
            raise StrictYamlError(
                _("a second document begins here (---); keep one"), self._line(more)
            )
        return value

    def _value(self, event: t.Any, place: Place) -> t.Any:
        """Return the value that begins with an event.

        Raises:
            StrictYamlError: it is nested too deeply.

        """
        if (
            isinstance(event, events.AliasEvent)
            or event.anchor is not None
            or event.tag is not None
        ):
            _refuse_marks(event, self._line(event))
        if isinstance(event, events.ScalarEvent):
            return _scalar(event.value) if event.implicit[0] else event.value
        if len(place) == MAX_DEPTH:
            reason = _("nested deeper than {depth} levels", depth=MAX_DEPTH)
            raise StrictYamlError(reason, self._line(event))
        if isinstance(event, events.MappingStartEvent):
            return self._mapping(place)
        return self._sequence(place)

    def _mapping(self, outer: Place) -> Draft:
        """Return a mapping whose beginning was read.

        Raises:
            StrictYamlError: a key is no plain word, or comes twice.

        """
        mapping: Draft = {}
        while not isinstance(event := self._next(), events.MappingEndEvent):
            if not isinstance(event, events.ScalarEvent) or event.anchor or event.tag:
                raise StrictYamlError(_("a key must be a plain word"), self._line(event))
            key, place = event.value, (*outer, event.value)
            if key in mapping:
                reason = _(
                    'the key "{key}" is here twice (first on line {line}); keep one',
                    key=brief(key),
                    line=self._lines[place],
                )
                raise StrictYamlError(reason, self._line(event))
            self._lines[place] = self._line(event)
            mapping[key] = self._value(self._next(), place)
        return mapping

    def _sequence(self, outer: Place) -> list[t.Any]:
        items: list[t.Any] = []
        while not isinstance(event := self._next(), events.SequenceEndEvent):
            place = (*outer, len(items))
            self._lines[place] = self._line(event)
            items.append(self._value(event, place))
        return items


def _scalar(text: str) -> t.Any:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in _BEGINS_NUMBER and _INTEGER(text):
        return int(text)
    return text


def _check_text(data: bytes, max_bytes: int) -> str:
    """Return the text of a file, of so many bytes at most.

    Raises:
        StrictYamlError: it is too long, or not UTF-8.

    """
    if len(data) > max_bytes:
        text = _("more than {bytes} bytes; a space needs a few hundred", bytes=max_bytes)
        raise StrictYamlError(text)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise StrictYamlError(_("not UTF-8 text; save the file in UTF-8"), line) from error


def _refuse_marks(event: t.Any, line: int) -> t.NoReturn:
    """Refuse an alias, an anchor or a tag.

    Raises:
        StrictYamlError: always.

    """
    if isinstance(event, events.AliasEvent):
        sign, kind, name = "*", _("the alias"), f"*{event.anchor}"
    elif event.anchor is not None:
        sign, kind, name = "&", _("the anchor"), f"&{event.anchor}"
    else:
        sign, kind, name = "!", _("the tag"), event.tag
    reason = _(
        'found {kind} "{name}", which is not allowed; write the value out, or put a text that '
        "begins with {sign} in quotes",
        kind=kind,
        name=brief(name),
        sign=sign,
    )
    raise StrictYamlError(reason, line)


def _explain(error: yaml.YAMLError, data: bytes, numbers: _Numbers) -> StrictYamlError:
    """Say where and why; libyaml's own words are for those who write parsers."""
    if isinstance(error, yaml.reader.ReaderError):
        line = data.count(b"\n", 0, error.position) + 1
        text = _("not readable as YAML: {reason}; remove it", reason=error.reason)
        return StrictYamlError(text, line)
    words = f"{getattr(error, 'context', '')}; {getattr(error, 'problem', '')}"
    if "quoted scalar" in words and "end of stream" in words:
        opened = t.cast("t.Any", error).context_mark
        text = _("the quote that opens here is never closed; close it")
        return StrictYamlError(text, numbers.of(opened))
    mark = getattr(error, "problem_mark", None)
    # libyaml often notices at the line after the last.
    at = min(numbers.of(mark), data.rstrip().count(b"\n") + 1) if mark else None
    reason = getattr(error, "problem", None) or str(error)
    # A sentence of libyaml that we do not know stays as it is.
    text = _(
        "not readable as YAML: {reason}. Look here and just above for a missing quote or "
        'bracket, a tab, or a text with ": " or " #" that needs quotes',
        reason=_(reason),
    )
    return StrictYamlError(text, at)
