# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What programs and applications ask a space for: noted before an upgrade, compared after it.

A page that opens says little of what is in it: calendars come over CalDAV, boards and
conversations over the interfaces of their applications, and a sync client begins with requests of
its own. All of them only read. Interfaces that make something when they are asked are left out:
Talk's list of conversations, which writes news into one of them.
"""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import quote

from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _probe

OCS = {"OCS-APIRequest": "true", "Accept": "application/json"}
# What a sync client wants to know of a file.
FILE = "<d:getetag/><d:getlastmodified/><d:resourcetype/><oc:id/><oc:permissions/><oc:size/>"
PROPFIND = """<?xml version="1.0"?>
<d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns" \
xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:card="urn:ietf:params:xml:ns:carddav">\
<d:prop>{}</d:prop></d:propfind>"""
# Text is searched, not parsed: what a space answers is not to be trusted with a parser of XML.
HREF = r"<(?:[\w-]+:)?{0}>\s*<(?:[\w-]+:)?href>([^<]+)</"
ELEMENT = r"<(?:[\w-]+:)?{0}(?:\s[^>]*)?/?>"
# Bytes of an answer that are looked at.
MOST = 1 << 20

# A public link that anybody may open, and a conversation that the account is in.
LINK = """
SELECT token FROM {0}.oc_share WHERE share_type = 3 AND password IS NULL
AND (expiration IS NULL OR expiration > NOW()) ORDER BY id LIMIT 1
"""
LINK_THERE = "SELECT token FROM {0}.oc_share WHERE token = %s"
ROOM = """
SELECT r.token FROM {0}.oc_talk_rooms r JOIN {0}.oc_talk_attendees a ON a.room_id = r.id
WHERE a.actor_type = 'users' AND a.actor_id = %s AND r.type IN (2, 3) ORDER BY r.id LIMIT 1
"""
ROOM_THERE = """
SELECT r.token FROM {0}.oc_talk_rooms r JOIN {0}.oc_talk_attendees a ON a.room_id = r.id
WHERE r.token = %s AND a.actor_type = 'users' AND a.actor_id = %s
"""

# Status, and how many of what was asked for: people change that, so only "none" is compared.
Found = list[int]
Answers = dict[str, Found]
Steps = Iterator[tuple[str, Found]]


@dataclass(frozen=True)
class Visit:
    """Who asks where, and for which things of the space."""

    place: _probe.Place
    account: tuple[str, str]
    # "link" and "room": tokens of things that are there; none: not asked for.
    things: Mapping[str, str] = field(default_factory=dict)

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: str = "",
        *,
        alone: bool = False,
    ) -> tuple[int, str]:
        """Send one request, follow where it leads; return status and text.

        Args:
            method: of HTTP; it stays the same.
            path: below the host.
            headers: further ones.
            body: what is sent.
            alone: as somebody who has no account.

        """
        account = None if alone else self.account
        for _hop in range(_probe.HOPS):
            try:
                sent = body.encode() or None
                answer = _probe.fetch(self.place, method, path, account, sent, more=headers)
            except _probe.ProbeError:
                return _probe.NO_ANSWER, ""
            if answer.status not in _probe.REDIRECTS:
                return answer.status, answer.body[:MOST].decode("utf-8", "replace")
            path = _probe.own_path(self.place, answer.location)
            if not path:
                return answer.status, ""
            if path.removeprefix("/index.php").partition("?")[0] == _probe.LOGIN:
                return _probe.NOT_LOGGED_IN, ""
        return _probe.NO_ANSWER, ""

    def data(self, path: str, *keys: str, alone: bool = False) -> Found:
        """Ask for JSON; count what is there under keys, one inside the other."""
        status, text = self.ask("GET", path, OCS, alone=alone)
        return [status, count(text, keys)]

    def properties(
        self, path: str, properties: str, depth: int, *, alone: bool = False
    ) -> tuple[int, str]:
        """Ask WebDAV for properties of a resource, with depth 1 of those in it too."""
        # The second header lets public links answer without the page around them.
        headers = {
            "Depth": str(depth),
            "Content-Type": "application/xml; charset=utf-8",
            "X-Requested-With": "XMLHttpRequest",
        }
        return self.ask("PROPFIND", path, headers, PROPFIND.format(properties), alone=alone)

    def listed(
        self, path: str, properties: str, depth: int, element: str, *, alone: bool = False
    ) -> Found:
        """Ask WebDAV, and count elements of a name in the answer."""
        status, text = self.properties(path, properties, depth, alone=alone)
        return [status, len(re.findall(ELEMENT.format(element), text))]


def count(text: str, keys: Collection[str]) -> int:
    """Return how many things JSON holds at a place; 0 where it is none, or not there. Pure."""
    try:
        found: t.Any = json.loads(text)
        for key in keys:
            found = found[key]
    except (ValueError, LookupError, TypeError):
        return 0
    return len(found) if isinstance(found, (list, dict)) else int(found is not None)


# --- what is asked for -----------------------------------------------------------------


def client(visit: Visit) -> Steps:
    """Begin as a sync client does that has no push service and polls."""
    files = f"/remote.php/dav/files/{quote(visit.account[0], safe='')}/"
    ocs = "/ocs/v2.php{}?format=json"
    yield "status.php", visit.data("/status.php", "version", alone=True)
    yield (
        "capabilities",
        visit.data(ocs.format("/cloud/capabilities"), "ocs", "data", "capabilities"),
    )
    yield "the account", visit.data(ocs.format("/cloud/user"), "ocs", "data", "id")
    yield "the folder", visit.listed(files, FILE, 0, "response")
    yield "the files in it", visit.listed(files, FILE, 1, "response")
    yield "the folder's mark of changes", visit.listed(files, "<d:getetag/>", 0, "getetag")
    yield "notifications", visit.data(ocs.format("/apps/notifications/api/v2/notifications"))


def calendars(visit: Visit) -> Steps:
    """Find the account's calendars as a calendar program does."""
    yield from discovered(visit, "caldav", "c:calendar-home-set", "calendar")


def contacts(visit: Visit) -> Steps:
    """Find the account's address books as a program of contacts does."""
    yield from discovered(visit, "carddav", "card:addressbook-home-set", "addressbook")


def discovered(visit: Visit, service: str, home_set: str, collection: str) -> Steps:
    """Go from a service's well-known address to the principal, its home and what is in that."""
    path: str | None = f"/.well-known/{service}"
    steps = (("the principal", "d:current-user-principal"), ("the home", home_set))
    for what, wanted in steps:
        status, text = visit.properties(path or "", f"<{wanted}/>", 0)
        match = re.search(HREF.format(wanted.partition(":")[2]), text)
        path = _probe.own_path(visit.place, match[1].strip()) if match else None
        yield what, [status, int(bool(path))]
        if not path:
            return
    yield f"its {collection}s", visit.listed(path or "", "<d:resourcetype/>", 1, collection)


def deck(visit: Visit) -> Steps:
    """Ask for the account's boards."""
    yield "boards", visit.data("/index.php/apps/deck/api/v1.0/boards")


def talk(visit: Visit) -> Steps:
    """Ask for conversations that anybody may join, and one that the account is in."""
    base = "/ocs/v2.php/apps/spreed/api/v4"
    yield "open conversations", visit.data(f"{base}/listed-room?format=json&searchTerm=")
    if room := visit.things.get("room"):
        path = f"{base}/room/{quote(room, safe='')}?format=json"
        yield "a conversation", visit.data(path, "ocs", "data", "token")


def collectives(visit: Visit) -> Steps:
    """Ask for the account's collectives."""
    path = "/ocs/v2.php/apps/collectives/api/v1.0/collectives?format=json"
    yield "collectives", visit.data(path, "ocs", "data", "collectives")


def public_link(visit: Visit) -> Steps:
    """Open a public link of the space as somebody without an account does."""
    if not (token := quote(visit.things.get("link", ""), safe="")):
        return
    yield "its page", [visit.ask("GET", f"/s/{token}", {}, alone=True)[0], 0]
    files = f"/public.php/dav/files/{token}/"
    yield "what it shares", visit.listed(files, FILE, 0, "response", alone=True)


# The words of archipel_upgrade_requests, each with what is asked for.
KINDS: dict[str, Callable[[Visit], Steps]] = {
    "client": client,
    "calendars": calendars,
    "contacts": contacts,
    "deck": deck,
    "talk": talk,
    "collectives": collectives,
    "public_link": public_link,
}
# What nobody can be asked for where it is off.
APPLICATIONS = {"deck": "deck", "talk": "spreed", "collectives": "collectives"}


# --- before and after ------------------------------------------------------------------


def possible(kinds: Collection[str], enabled: Collection[str]) -> list[str]:
    """Return the kinds whose application is on. Pure."""
    return [kind for kind in kinds if APPLICATIONS.get(kind) in (None, *enabled)]


def things_of(
    execute: Callable[..., list[t.Any]], account: str, kinds: Collection[str]
) -> dict[str, str]:
    """Return what of a space is there to be asked for.

    Args:
        execute: runs statements on the space's database.
        account: the name of the account.
        kinds: those that are possible.

    """
    wanted = {"link": ("public_link", (LINK, ())), "room": ("talk", (ROOM, (account,)))}
    found = {name: execute(sql) for name, (kind, sql) in wanted.items() if kind in kinds}
    return {name: str(rows[0][0]) for name, rows in found.items() if rows}


def things_left(
    execute: Callable[..., list[t.Any]], account: str, things: Mapping[str, str]
) -> dict[str, str]:
    """Return those of the things that nobody has removed before the space was closed."""
    there: dict[str, Callable[[str], tuple[str, tuple[str, ...]]]] = {
        "link": lambda token: (LINK_THERE, (token,)),
        "room": lambda token: (ROOM_THERE, (token, account)),
    }
    return {name: token for name, token in things.items() if execute(there[name](token))}


def ask(visit: Visit, kinds: Collection[str]) -> Answers:
    """Ask for all of it, a few kinds at a time; return what came of each step."""
    with ThreadPoolExecutor(max_workers=_probe.TOGETHER) as pool:
        found = pool.map(lambda kind: list(KINDS[kind](visit)), kinds)
        return {
            f"{kind}: {what}": answer
            for kind, steps in zip(kinds, found, strict=True)
            for what, answer in steps
        }


def is_worse(before: Found, after: Found) -> bool:
    """Tell whether what was well, or had something in it, no longer is. Pure."""
    if not _probe.is_well(before[0]):
        return False
    return not _probe.is_well(after[0]) or bool(before[1] and not after[1])


def worse(before: Mapping[str, Found], after: Mapping[str, Found]) -> list[str]:
    """Return the steps that are worse than before. Pure."""
    return [name for name in after if name in before and is_worse(before[name], after[name])]


def compare(visit: Visit, before: Mapping[str, Found], kinds: Collection[str]) -> None:
    """Ask for what was asked for before; a kind that is worse once more, alone.

    Raises:
        ProbeError: something is worse than before.

    """
    after = ask(visit, kinds)
    again = {name.partition(":")[0] for name in worse(before, after)}
    for kind in kinds:
        if kind in again:
            after |= ask(visit, [kind])
    if said := [words(name, before[name], after[name]) for name in worse(before, after)]:
        raise _probe.ProbeError(f"requests: {'; '.join(said)}")


def words(name: str, before: Found, after: Found) -> str:
    """Return what is worse, for people. Pure."""
    if not _probe.is_well(after[0]):
        return f"{name} answers {_probe.words(after[0])}, {before[0]} before"
    return f"{name}: nothing is there, {before[1]} before"
