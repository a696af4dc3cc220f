# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The list of what waits for a decision: for people, for programs, and as a page. Pure."""

from __future__ import annotations

import datetime
import typing as t
from html import escape

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import (
    _,
    language,
    mark,
    ngettext,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import sentence
from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import (
    _change,
    _flags,
    _moderation,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import (
        Draft,
        Unchecked,
    )
    from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._registry import Record

# What a request waits for.
DECISION, ANSWER = "decision", "answer"


class Waiting(t.TypedDict):
    """One request."""

    slug: str
    name: str
    # Days since it came; None, where its file does not say.
    age: int | None
    waits_for: str
    # YYYY-MM-DD; empty: it does not end by itself.
    ends_on: str
    flags: list[Draft]
    file: str
    # What the association wrote, as far as this run may read it.
    details: dict[str, str]


def collect(
    records: Iterable[Record],
    contacts: Mapping[str, Mapping[str, str]],
    patience: _moderation.Patience,
    today: datetime.date,
) -> list[Waiting]:
    """Return what waits, the oldest first."""
    files = list(records)
    asked = [
        record
        for record in files
        if record.data["status"] == "requested" or _change.find_open(record.data)
    ]
    flags = _flags.find(_flags.list_known(files, contacts), [record.slug for record in asked])
    found = [_one(record, flags[record.slug], contacts, patience, today) for record in asked]
    return sorted(found, key=lambda one: (-(one["age"] or 0), one["slug"]))


def _one(
    record: Record,
    flags: Iterable[_flags.Flag],
    contacts: Mapping[str, Mapping[str, str]],
    patience: _moderation.Patience,
    today: datetime.date,
) -> Waiting:
    change = _change.find_open(record.data)
    request = change or record.data.get("request", {})
    end = None if change else _moderation.ends_on(record, patience)
    came = request.get("on")
    return {
        "slug": record.slug,
        "name": record.data["name"],
        "age": (today - datetime.date.fromisoformat(came)).days if came else None,
        "waits_for": ANSWER if request.get("asked") else DECISION,
        "ends_on": end.isoformat() if end else "",
        "flags": [flag._asdict() for flag in flags],
        "file": f"spaces/{record.slug}.yml",
        "details": _details(record, contacts.get(record.slug, {})),
    }


def _details(record: Record, vaulted: Mapping[str, str]) -> dict[str, str]:
    request = record.data.get("request", {})
    contact = record.data.get("contact") or vaulted
    asked = request.get("asked", {})
    if change := _change.find_open(record.data):
        return _details_of_change(change, vaulted)
    found = {
        "contact": " ".join(
            part for part in (contact.get("name"), f"<{contact.get('email', '')}>") if part
        )
        if contact
        else "",
        "registration number": request.get("registration_number", ""),
        "website": request.get("website", ""),
        "wished address": request.get("address", ""),
        "office": record.data.get("office", ""),
        "language": record.data.get("locale", ""),
        "about": request.get("about", "") or vaulted.get("about", ""),
        "asked": f"{asked['reason']} ({asked['by']}, {asked['on']})" if asked else "",
    }
    return {key: value for key, value in found.items() if value}


def _details_of_change(change: Unchecked, vaulted: Mapping[str, str]) -> dict[str, str]:
    found = {
        "asks for": _change.describe(change, language()),
        "asked by": str(change["by"]),
        "wrote": change.get("text", "") or vaulted.get("about", ""),
    }
    return {key: value for key, value in found.items() if value}


def sentences(waiting: Sequence[Waiting], *, sealed: bool, lost: Sequence[str] = ()) -> list[str]:
    """Return what waits for people who read a terminal. Nobody's contact is in it.

    Args:
        waiting: what waits, the oldest first.
        sealed: whether the contacts could not be read.
        lost: slugs that the vaulted file has and nobody else.

    """
    unseen = [_("The contacts are encrypted and not compared: this run has no vault password.")]
    text = _(
        "Contacts of no file: {slugs}. Take them out with `ansible-vault edit`.",
        slugs=", ".join(lost),
    )
    notes = [*(unseen if sealed and waiting else []), *([sentence(text)] if lost else [])]
    if not waiting:
        return [_("Nothing waits for a decision."), *notes]
    head = _("Waiting ({number}), the oldest first:", number=len(waiting))
    return [head, *(_sentence(one) for one in waiting), *notes]


def _sentence(one: Waiting) -> str:
    age = _("of unknown age")
    if one["age"] is not None:
        age = ngettext("{n} day", "{n} days", one["age"])
    end = _(", ends by itself on {day}", day=one["ends_on"]) if one["ends_on"] else ""
    words = {
        "space": f"{one['slug']} ({one['name']})",
        "age": age,
        "what": _article(one["waits_for"]),
        "end": end,
    }
    if asked := one["details"].get("asks for"):
        text = _("{space}: {age}, waits for {what} on {asked}{end}", asked=asked, **words)
    else:
        text = _("{space}: {age}, waits for {what}{end}", **words)
    for flag in one["flags"]:
        text = _("{text}; {flag}", text=text, flag=flag["text"])
    return sentence(text)


def _article(what: str) -> str:
    return _("an answer") if what == ANSWER else _("a decision")


# What stands beside a value on the page; programs know it by the English word.
_TITLES = {
    "about": mark("about"),
    "asked": mark("asked"),
    "asked by": mark("asked by"),
    "asks for": mark("asks for"),
    "contact": mark("contact"),
    "days": mark("days"),
    "ends by itself on": mark("ends by itself on"),
    "language": mark("language"),
    "office": mark("office"),
    "registration number": mark("registration number"),
    "waits for": mark("waits for"),
    "website": mark("website"),
    "wished address": mark("wished address"),
    "wrote": mark("wrote"),
}


_PAGE = """\
<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }}
html {{ background: #fff; color: #1a1a1a }}
a {{ color: #00528c }}
@media (prefers-color-scheme: dark) {{
  html {{ background: #16181b; color: #f0f0f0 }}
  a {{ color: #8ecbff }}
}}
body {{ margin: 0 auto; max-width: 60rem; padding: 1rem }}
article {{ border-top: 1px solid; margin-top: 1.5rem }}
dt {{ font-weight: bold }}
dd {{ margin: 0 0 .5rem; white-space: pre-wrap; overflow-wrap: anywhere }}
pre {{ padding: .5rem; border: 1px solid; white-space: pre-wrap; overflow-wrap: anywhere }}
</style>
</head>
<body>
<header><h1>{title}</h1></header>
<main>
{list}
{articles}
</main>
</body>
</html>
"""


def page(waiting: Sequence[Waiting], environment: str, link: str) -> str:
    """Return a page of all that waits. What strangers wrote is text in it, and nothing else.

    Args:
        waiting: what waits.
        environment: its name.
        link: address of a file in the registry's forge with {slug} in it; empty: none.

    """
    title = ngettext(
        "{environment}: {n} request waits",
        "{environment}: {n} requests wait",
        len(waiting),
        environment=environment,
    )
    nothing = _("Nothing waits for a decision.")
    items = "".join(
        f'<li><a href="#{one["slug"]}">{_text(one["name"])}</a></li>' for one in waiting
    )
    return _PAGE.format(
        title=escape(title),
        language=language(),
        list=f"<nav><ul>{items}</ul></nav>" if items else f"<p>{escape(nothing)}</p>",
        articles="\n".join(_article_of(one, environment, link) for one in waiting),
    )


def _text(text: str) -> str:
    """Text for a page: invisible signs and those that turn the direction of writing written out."""
    return "\n".join(escape(sentence(line)) for line in text.split("\n"))


def _article_of(one: Waiting, environment: str, link: str) -> str:
    slug = one["slug"]
    rows = {"waits for": _article(one["waits_for"]), "days": str(one["age"] or 0), **one["details"]}
    if one["ends_on"]:
        rows["ends by itself on"] = one["ends_on"]
    terms = "".join(
        f"<dt>{escape(_(_TITLES[key]))}</dt><dd>{_text(value)}</dd>" for key, value in rows.items()
    )
    flags = "".join(f"<li>{_text(flag['text'])}</li>" for flag in one["flags"])
    target = escape(link.replace("{slug}", slug), quote=True)
    name = _text(one["name"])
    heading = f'<a href="{target}">{name}</a>' if link else name
    look = escape(_("Look twice"))
    command = f"ansible-playbook -i inventories/{environment} playbooks/moderate.yml -e only={slug}"
    command += " -e decision="
    return (
        f'<article id="{slug}">\n<h2>{heading} <code>{slug}</code></h2>\n'
        f"{f'<h3>{look}</h3><ul>{flags}</ul>' if flags else ''}\n<dl>{terms}</dl>\n"
        f"<pre>{escape(command)}approve\n{escape(command)}ask -e reason=…\n"
        f"{escape(command)}refuse -e reason=…</pre>\n</article>"
    )
