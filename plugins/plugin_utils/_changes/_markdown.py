# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A change as a comment in a forge: Markdown in which strangers' words do nothing. Pure.

What a stranger wrote stands in code spans alone: there no forge takes anything for HTML, a link, a
picture, a mention or a command. Their fence is longer than any that the text has.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._changes import _labels
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import (
    _,
    grouped,
    mark,
    ngettext,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import sentence

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ansible_collections.archipel.spaces.plugins.plugin_utils._changes._states import (
        Changes,
        NodeChange,
        SpaceChange,
        VariableChange,
    )
    from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import Place

# Of longer lists the beginning is shown: GitHub takes 65,536 characters.
SHOWN = 20
SHOWN_FIELDS = 8
LONGEST = 100
# Characters of a comment; every line stands alone, so that it may end after any of them.
WHOLE = 60_000
_WAYS = {"added": mark("added"), "changed": mark("changed"), "removed": mark("removed")}
# How a forge's program finds the comment that it wrote before.
MARK = "<!-- archipel-changes {environment} -->"


def code(text: object, longest: int = LONGEST) -> str:
    """Return text as a code span, on one line and not too long."""
    plain = sentence(str(text))
    plain = f"{plain[: longest - 1]}…" if len(plain) > longest else plain
    runs = [len(run) for run in re.findall("`+", plain)]
    fence = "`" * (max(runs, default=0) + 1)
    # A blank that is taken off again: a span neither begins nor ends with a sign of its fence, and
    # one of blanks alone stays as it is.
    edge = " " if plain[:1] in {"`", " ", ""} or plain[-1:] in {"`", " "} else ""
    return f"{fence}{edge}{plain or '-'}{edge}{fence}"


def render(changes: Changes, environment: str, reference: str, commit: str) -> str:
    """Return the comment."""
    lines = [
        MARK.format(environment=environment),
        f"### Archipel: {code(environment)}",
        "",
        *(f"- {code(text, 300)}" for text in _labels.summarise(changes)),
        "",
        *_spaces(changes.spaces),
        *_variables(changes),
        *_placement(changes),
        *_files(_("Other files of the registry"), changes.others),
        *_files(_("Outside the registry and the inventory"), changes.outside),
        *_nodes(changes),
    ]
    end = _(
        "Compared with {reference}, {commit}.", reference=code(reference), commit=code(commit[:12])
    )
    return "\n".join([*_cut(lines), end]) + "\n"


def _cut(lines: Iterable[str]) -> Iterator[str]:
    """Return the lines that there is room for."""
    room = WHOLE
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            more = _("… and more, which no comment has room for: changes.json has all of it")
            yield f"- {more}"
            yield ""
            return
        yield line


def _section(title: str, number: int, lines: Iterable[str]) -> Iterator[str]:
    """A heading, the beginning of a list, and how many more there are."""
    if number:
        yield f"#### {title}"
        yield ""
        yield from lines
        if number > SHOWN:
            more = _("… and {number} more", number=grouped(number - SHOWN))
            yield f"- {more}"
        yield ""


def _spaces(spaces: tuple[SpaceChange, ...]) -> Iterator[str]:
    lines = [line for one in spaces[:SHOWN] for line in _space(one)]
    yield from _section(_("Spaces"), len(spaces), lines)


def _space(change: SpaceChange) -> Iterator[str]:
    yield f"- {code(_labels.describe(change), 200)}"
    for remark in change.remarks:
        title = _("Look twice:")
        yield f"  - **{title}** {code(remark, 200)}"
    for field in change.fields[:SHOWN_FIELDS]:
        yield f"  - {code(field.key)}: {_change(field.before, field.after)}"
    if len(change.fields) > SHOWN_FIELDS:
        more = _("… and {number} more values", number=len(change.fields) - SHOWN_FIELDS)
        yield f"  - {more}"


def _change(before: str | None, after: str | None) -> str:
    words = [_("(none)") if value is None else code(value) for value in (before, after)]
    return " → ".join(words)


def _variables(changes: Changes) -> Iterator[str]:
    lines = [_variable(one) for one in changes.variables[:SHOWN]]
    yield from _section(_("Policy"), len(changes.variables), lines)
    yield from _files(_("Other files of the inventory"), changes.inventory)


def _variable(change: VariableChange) -> str:
    text = _(
        "{name} in {file}: {change}",
        name=code(change.name),
        file=code(change.file),
        change=_change(change.before, change.after),
    )
    return f"- {text}"


def _placement(changes: Changes) -> Iterator[str]:
    lines = [
        f"- {code(one.slug)}: {_place(one.before)} → {_place(one.after)}"
        for one in changes.moves[:SHOWN]
    ]
    yield from _section(_("Placement by hand"), len(changes.moves), lines)


def _place(place: Place | None) -> str:
    return code(f"{place.id}, {place.web}, {place.db}") if place else _("(none)")


def _files(title: str, files: tuple[str, ...]) -> Iterator[str]:
    yield from _section(title, len(files), [f"- {code(name)}" for name in files[:SHOWN]])


def _nodes(changes: Changes) -> Iterator[str]:
    title = _("What each node would do")
    if changes.nodes is None:
        yield f"#### {title}"
        yield ""
        yield _("Not known: {reason}", reason=code(changes.unknown, 600))
        yield ""
        return
    lines = [line for one in changes.nodes[:SHOWN] for line in _node(one)]
    yield from _section(title, len(changes.nodes), lines)
    if not changes.nodes:
        yield _("No node would hold anything otherwise.")
        yield ""


def _node(change: NodeChange) -> Iterator[str]:
    spaces = ngettext(
        "{number} space", "{number} spaces", change.spaces, number=grouped(change.spaces)
    )
    yield f"- {code(change.node)}: {spaces}"
    for verb, slugs in ((_("makes"), change.makes), (_("gives up"), change.gives_up)):
        if slugs:
            rest = grouped(len(slugs) - SHOWN)
            more = _(" and {number} more", number=rest) if len(slugs) > SHOWN else ""
            yield f"  - {verb} {', '.join(map(code, slugs[:SHOWN]))}{more}"
    files = []
    for kind, ways in change.files.items():
        counts = [f"{grouped(number)} {_(_WAYS[way])}" for way, number in ways.items()]
        files.append(f"{code(kind)} {', '.join(counts)}")
    yield f"  - {'; '.join(files)}"
