# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A strict, small YAML: for files that strangers write.

Read with libyaml's event stream, so that nothing recurses deeper than it should: its tree
builder overflows the C stack on a file of opening brackets. Differences from YAML 1.1:

* only true and false are booleans: the key `on` and the language `no` stay what they are,
* dates stay text,
* keys are always text,
* a key given twice, anchors, aliases, tags and second documents are refused.
"""

from __future__ import annotations

import re
import typing as t

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

try:
    from yaml.cyaml import CParser as _Parser
except ImportError:  # PyYAML built without libyaml: the same events, ten times slower
    from yaml import SafeLoader as _Parser  # type: ignore[assignment]

MAX_BYTES = 64 * 1024
MAX_DEPTH = 8

Path = tuple[t.Union[str, int], ...]
Lines = dict[Path, int]

_WORDS: dict[str, bool | None] = {
    'true': True, 'True': True, 'TRUE': True,
    'false': False, 'False': False, 'FALSE': False,
    'null': None, 'Null': None, 'NULL': None, '~': None, '': None,
}  # fmt: skip
_INTEGER = re.compile(r'[-+]?[0-9]{1,18}').fullmatch
_NUMBER = re.compile(r'[-+]?[0-9]{1,18}\.[0-9]{1,18}').fullmatch
_DIGITS = frozenset('0123456789+-')


class StrictYamlError(ValueError):
    """Not the YAML we read; `line` counts from 1."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


def load(data: bytes, lines: Lines | None = None, max_bytes: int = MAX_BYTES) -> t.Any:
    """Return the one document in `data`; fill `lines` with the line of each key and item."""
    _check_text(data, max_bytes)
    try:
        return _Document(data, {} if lines is None else lines).read()
    except yaml.YAMLError as error:
        raise _explain(error, data) from error


class _Document:
    """Events to values, one document."""

    def __init__(self, data: bytes, lines: Lines) -> None:
        self._next: t.Callable[[], Event] = _Parser(data).get_event
        self._lines = lines

    def read(self) -> t.Any:
        self._next()  # the start of the stream
        if isinstance(self._next(), StreamEndEvent):
            raise StrictYamlError('the file is empty', 1)
        value = self._value(self._next(), ())
        end = self._next()
        if not isinstance(end, DocumentEndEvent):
            raise StrictYamlError('unexpected content', _line(end))
        more = self._next()
        if not isinstance(more, StreamEndEvent):
            raise StrictYamlError('a second document begins here (---); write one file per document', _line(more))
        return value

    def _value(self, event: Event, path: Path) -> t.Any:
        if isinstance(event, ScalarEvent):
            if event.tag is not None or event.anchor is not None:
                _refuse_marks(event)
            return _scalar(event.value) if event.implicit[0] else event.value
        if isinstance(event, AliasEvent) or event.tag is not None or event.anchor is not None:
            _refuse_marks(event)
        if len(path) == MAX_DEPTH:
            raise StrictYamlError(f'nested deeper than {MAX_DEPTH} levels', _line(event))
        if isinstance(event, MappingStartEvent):
            return self._mapping(path)
        return self._sequence(path)

    def _mapping(self, path: Path) -> dict[str, t.Any]:
        mapping: dict[str, t.Any] = {}
        while not isinstance(event := self._next(), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                raise StrictYamlError('a key must be a plain word', _line(event))
            if event.tag is not None or event.anchor is not None:
                _refuse_marks(event)
            key, place = event.value, (*path, event.value)
            if key in mapping:
                first = self._lines[place]
                raise StrictYamlError(f'the key "{key}" is given twice (first on line {first}); keep one', _line(event))
            self._lines[place] = event.start_mark.line + 1
            mapping[key] = self._value(self._next(), place)
        return mapping

    def _sequence(self, path: Path) -> list[t.Any]:
        items: list[t.Any] = []
        while not isinstance(event := self._next(), SequenceEndEvent):
            place = (*path, len(items))
            self._lines[place] = event.start_mark.line + 1
            items.append(self._value(event, place))
        return items


def _scalar(text: str) -> t.Any:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in _DIGITS:
        if _INTEGER(text):
            return int(text)
        if _NUMBER(text):
            return float(text)
    return text


def _check_text(data: bytes, max_bytes: int) -> None:
    if len(data) > max_bytes:
        raise StrictYamlError(f'the file has more than {max_bytes // 1024} KiB; allowed: one space, a few hundred bytes')
    try:
        data.decode('utf-8')
    except UnicodeDecodeError as error:
        line = data.count(b'\n', 0, error.start) + 1
        raise StrictYamlError('not UTF-8 text; save the file in UTF-8', line) from error


def _refuse_marks(event: Event) -> t.NoReturn:
    if isinstance(event, AliasEvent):
        raise StrictYamlError(
            f'found the alias *{event.anchor}; allowed: no aliases. A text that starts with * needs quotes', _line(event)
        )
    if event.anchor is not None:
        raise StrictYamlError(
            f'found the anchor &{event.anchor}; allowed: no anchors. A text that starts with & needs quotes', _line(event)
        )
    raise StrictYamlError(f'found the tag {event.tag}; allowed: no tags. A text that starts with ! needs quotes', _line(event))


def _line(event: Event) -> int:
    return t.cast('int', event.start_mark.line) + 1


def _explain(error: yaml.YAMLError, data: bytes) -> StrictYamlError:
    """Say where and why; libyaml's own words are for those who write parsers."""
    if isinstance(error, yaml.reader.ReaderError):
        line = data.count(b'\n', 0, error.position) + 1
        return StrictYamlError(f'not readable as YAML: {error.reason}', line)
    mark = getattr(error, 'problem_mark', None)
    line = min(mark.line + 1, data.count(b'\n') + 1) if mark else None
    problem = getattr(error, 'problem', None) or str(error)
    return StrictYamlError(
        f'not readable as YAML: {problem}. Look for a missing quote or bracket, a tab, '
        'or a text with ": " or " #" that needs quotes, here or just above',
        line,
    )
