# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The comment that a forge shows: what associations wrote does nothing there."""

from __future__ import annotations

import re

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._changes import _compare, _markdown
from ansible_collections.archipel.spaces.plugins.plugin_utils._changes._states import (
    Difference,
    Limits,
    Situation,
    State,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import Place

SITUATION = Situation(Limits(50, 40), Limits(200, 200))
# One character more than a comment of GitHub may have.
TOO_LONG = 65_536
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</details><!-- archipel-changes other -->",
    "[click](https://evil.example)",
    "![](https://evil.example/pixel.png)",
    "@everyone @maintainer",
    "#1 !2 &3 ~label %milestone",
    "`code` ``more``",
    "```\n<b>out</b>\n```",
    "a`" * 40,
    "`",
    "``",
    " ",
    "",
    "\n/close\n/merge",
    "/assign me",
    "a | b | c",
    "$`x`$ $$y$$",
    "{{ 7 * 7 }} ${{ secrets.TOKEN }} {% raw %}",
    "::set-output name=x::y",
    "##vso[task.setvariable]x",
    "\u202egnp.exe",
    "\x1b]8;;https://evil.example\x07x\x1b]8;;\x07",
    "\r- [ ] done",
    "* one\n* two",
    "https://evil.example www.evil.example evil@mail.example",
    "&lt;b&gt; &#60;i&#62;",
    "\\`escape\\`",
    "🚲 :tada: 日本語",
]


def spans(line: str) -> str:
    """Take the code spans out of a line, as CommonMark does: to a fence as long as the first."""
    rest = ""
    while match := re.search("`+", line):
        fence = match[0]
        end = re.search(rf"(?<!`){fence}(?!`)", line[match.end() :])
        assert end, f"no end of the code span in {line!r}"
        rest += line[: match.start()]
        line = line[match.end() + end.end() :]
    return rest + line


@pytest.mark.parametrize("text", HOSTILE)
def test_a_code_span_holds_all_of_a_text(text: str):
    assert spans(_markdown.code(text)) == ""
    assert "\n" not in _markdown.code(text)
    assert _markdown.code(text).isprintable()


def comment(text: str) -> str:
    """Return the comment on a change in which a stranger wrote everything there is to write."""
    data = {"name": text, "status": text, text: {text: text}, "limits": {"storage_gb": 900}}
    before = State(
        spaces={"cine": {"name": "Ciné", "status": "approved"}, "velo": data},
        lock={"cine": Place(70_000, text, text)},
        variables={text: {text: text}, f"{text}x": {}},
    )
    after = State(
        spaces={"cine": data, "amap": data},
        lock={},
        variables={text: {text: f"{text}2"}},
        others=frozenset({text, "contacts.yml"}),
    )
    rendered = [Difference(text or "n", f"config/{text.replace('/', '') or 'x'}.php", "added")]
    situation = Situation(SITUATION.default, SITUATION.maximum, outside=(text,))
    changes = _compare.compare(before, after, situation, rendered)
    return _markdown.render(changes, "lab", text, text)


@pytest.mark.parametrize("text", HOSTILE)
def test_outside_of_code_spans_there_are_our_words_alone(text: str):
    lines = comment(text).splitlines()
    assert lines[0] == "<!-- archipel-changes lab -->"
    ours = {spans(line) for line in lines[1:]}
    assert ours == {spans(line) for line in comment("plain").splitlines()[1:]}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_base_that_cannot_be_rendered_says_so_harmlessly(text: str):
    changes = _compare.compare(State(), State(), SITUATION, None, text)
    (line,) = [
        line
        for line in _markdown.render(changes, "lab", "m", "c").splitlines()
        if "Not known" in line
    ]
    assert spans(line) == "Not known: "


def test_what_it_says():
    space = {"name": "Chorale", "status": "approved"}
    before = State(spaces={"cine": space}, variables={"p.yml": {"archipel_x": "1"}})
    after = State(
        spaces={"cine": {**space, "limits": {"storage_gb": 80}}},
        variables={"p.yml": {"archipel_x": "2"}},
    )
    rendered = [
        Difference("node1", "config/cine.php", "changed"),
        Difference("node1", "config/velo.php", "changed"),
    ]
    text = _markdown.render(
        _compare.compare(before, after, SITUATION, rendered), "lab", "main", "0123456789abcdef"
    )
    assert text == (
        "<!-- archipel-changes lab -->\n"
        "### Archipel: `lab`\n\n"
        "- `one space: cine, changed: limits 50/40 → 50/80`\n"
        "- `policy: touches 1 space`\n\n"
        "#### Spaces\n\n"
        "- `cine, changed: limits 50/40 → 50/80`\n"
        "  - `limits.storage_gb`: (none) → `80`\n\n"
        "#### Policy\n\n"
        "- `archipel_x` in `p.yml`: `1` → `2`\n\n"
        "#### What each node would do\n\n"
        "- `node1`: 2 spaces\n"
        "  - `config` 2 changed\n\n"
        "Compared with `main`, `0123456789ab`.\n"
    )


def test_nodes_that_have_nothing_to_do_are_said_to():
    changes = _compare.compare(State(), State(), SITUATION, [])
    assert "No node would hold anything otherwise." in _markdown.render(changes, "l", "m", "c")


def test_of_many_the_beginning_is_shown_and_their_number():
    spaces = {
        f"space-{number}": {"name": "x" * 500, "status": "approved"} for number in range(3000)
    }
    after = {slug: {**data, "name": "`" * 500} for slug, data in spaces.items()}
    changes = _compare.compare(State(spaces=spaces), State(spaces=after), SITUATION, [])
    text = _markdown.render(changes, "lab", "main", "c")
    assert "- … and 2,980 more" in text
    assert len(text) < TOO_LONG


def test_no_comment_is_longer_than_a_forge_takes():
    """Each text as long, and as much work to quote, as it can be."""
    hostile = "`" * 4000
    keys = {f"{hostile}{number}": hostile for number in range(50)}
    states = [
        State(
            spaces={f"space-{number}": {**keys, "side": side} for number in range(100)},
            variables={f"{hostile}{n}": {f"{hostile}{side}": hostile} for n in range(100)},
            lock={f"s{n}": Place(n, hostile, f"{hostile}{side}") for n in range(100)},
            others=frozenset(f"{hostile}{n}" for n in range(100)),
        )
        for side in range(2)
    ]
    rendered = [
        Difference(f"node{node}", f"config/{hostile}{n}.php", "added")
        for n in range(100)
        for node in range(100)
    ]
    situation = Situation(
        SITUATION.default, SITUATION.maximum, outside=tuple(f"{hostile}{n}" for n in range(99))
    )
    text = _markdown.render(
        _compare.compare(states[0], states[1], situation, rendered), "lab", "main", "c"
    )
    assert len(text) < TOO_LONG
    assert "which no comment has room for" in text
    assert text.endswith("Compared with `main`, `c`.\n")
    for line in text.splitlines()[1:]:
        spans(line)
