# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What an association has in its space, made and read back as its members do: HTTP, DAV and OCS.

One class for each kind. What ``read`` returns is plain data that compares equal for as long as
nobody changed the content: whatever happened to the space in between.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol
from urllib.parse import unquote
from xml.etree import ElementTree

from tools.https import Browser
from tools.person import DAV, PROPERTIES, Person, RequestError

FILES = 100
AT_A_TIME = 3
MEMBERS = {"zoe": "Zoé Ångström-Lévêque", "anais": "Anaïs 🌻 Müller"}
ADMINISTRATOR = "administration"
# Kinds of shares, as Nextcloud numbers them.
TO_PERSON, TO_GROUP, BY_LINK, TO_TEAM, TO_CONVERSATION = 0, 1, 3, 7, 10
# Not those of Deck: whoever opens its page for the first time gets a board with a picture, and a
# calendar of it.
KINDS_OF_SHARES = (TO_PERSON, TO_GROUP, BY_LINK, TO_TEAM, TO_CONVERSATION)
GENERATED = "/app-generated--"
FOLDER = "Été à Montreuil – 🚲"


@dataclass(frozen=True)
class Space:
    """A space with people in it."""

    administrator: Person
    zoe: Person
    anais: Person
    # What is on in it.
    applications: frozenset[str]


def space(
    browser: Browser, host: str, applications: frozenset[str], passwords: Mapping[str, str]
) -> Space:
    """Return a space as its people see it; the accounts need not be there yet.

    Args:
        browser: what they use.
        host: where it is.
        applications: what is on in it.
        passwords: application passwords of those who have one, as their devices do.

    """
    administrator, zoe, anais = (
        Person(browser, host, name, passwords.get(name) or password_of(host, name))
        for name in (ADMINISTRATOR, *MEMBERS)
    )
    return Space(administrator, zoe, anais, applications)


def password_of(host: str, name: str) -> str:
    """Return the password that these tests give somebody."""
    return f"{hashlib.sha256(f'{host} {name}'.encode()).hexdigest()[:24]}-Aa1!"


def pick(row: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Return some of what an interface said."""
    return {key: row[key] for key in keys}


class Kind(Protocol):
    """One kind of content. Where its application is off there is none of it."""

    application: str

    def make(self, space: Space) -> None:
        """Make it."""

    def read(self, space: Space) -> Any:
        """Return it as plain data that can be compared."""


class Accounts:
    """People, made by the administrator of the space."""

    application = "provisioning_api"

    def make(self, space: Space) -> None:
        """Make two members."""
        for one in (space.zoe, space.anais):
            space.administrator.ocs(
                "POST",
                "cloud/users",
                userid=one.name,
                password=one.password,
                displayName=MEMBERS[one.name],
                email=f"{one.name}@{one.host.partition('.')[0]}.example",
                groups=["members"],
                language="fr",
            )

    def read(self, space: Space) -> Any:
        """Return them, as each of them sees it."""
        keys = ("id", "displayname", "email", "language", "groups", "enabled", "quota")
        found = {}
        for one in (space.zoe, space.anais):
            found[one.name] = pick(one.ocs("GET", f"cloud/users/{one.name}"), *keys)
            found[one.name]["quota"] = found[one.name]["quota"]["quota"]
        return found


class Files:
    """A hundred files with names that people give them."""

    application = "files"
    folders = ("Comptes & reçus", "Photos d’œuvres 🎭", "Ærø – façades", "日本 ☕")

    def paths(self) -> list[str]:
        """Return where they are."""
        return [
            f"{FOLDER}/{self.folders[number % 4]}/{number:03} – n°{number} à l’été 🌻.txt"
            for number in range(FILES)
        ]

    def make(self, space: Space) -> None:
        """Send them, with the times that they had."""
        home = f"files/{space.zoe.name}"
        for folder in (FOLDER, *(f"{FOLDER}/{name}" for name in self.folders)):
            space.zoe.dav("MKCOL", f"{home}/{folder}")

        def send(path: str) -> None:
            text = f"{path}\nÇa, c’est l’œuvre : 🚲\n" * (1 + len(path) % 7)
            space.zoe.dav("PUT", f"{home}/{path}", text, X_OC_MTime="1700000000")

        with ThreadPoolExecutor(AT_A_TIME) as pool:
            list(pool.map(send, self.paths()))
        favourite = self.paths()[0]
        space.zoe.dav(
            "PROPPATCH",
            f"{home}/{favourite}",
            '<d:propertyupdate xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:set><d:prop>'
            "<oc:favorite>1</oc:favorite></d:prop></d:set></d:propertyupdate>",
        )

    def read(self, space: Space) -> Any:
        """Return each file's sum and what sync clients compare: number, entity tag, time."""
        found: dict[str, Any] = {}
        for folder in self.folders:
            listed = space.zoe.listed(f"files/{space.zoe.name}/{FOLDER}/{folder}")
            found |= {path: of for path, of in listed.items() if not path.endswith("/")}

        def content(path: str) -> str:
            return hashlib.sha256(space.zoe.ask("GET", path).body).hexdigest()

        with ThreadPoolExecutor(AT_A_TIME) as pool:
            sums = dict(zip(found, pool.map(content, found), strict=True))
        return {path: {**found[path], "sha256": sums[path]} for path in found}


class Shares:
    """A folder shared with a person, one with the members, links with and without a password."""

    application = "files_sharing"
    password = "Un-mot-de-passe-2026!"
    interface = "apps/files_sharing/api/v1/shares"

    def make(self, space: Space) -> None:
        """Share four things."""
        folders = [f"/{FOLDER}/{name}" for name in Files.folders]
        ocs, path = space.zoe.ocs, self.interface
        ocs("POST", path, path=folders[0], shareType=TO_PERSON, shareWith=space.anais.name)
        ocs("POST", path, path=folders[1], shareType=TO_GROUP, shareWith="members")
        ocs("POST", path, path=folders[2], shareType=BY_LINK, label="Pour le quartier")
        ocs("POST", path, path=folders[3], shareType=BY_LINK, password=self.password)

    def read(self, space: Space) -> Any:
        """Return the shares, and what those get to whom something was shared."""
        keys = ("id", "share_type", "path", "permissions", "token", "label", "expiration")
        rows = [
            pick(row, *keys)
            for row in space.zoe.ocs("GET", self.interface)
            if row["share_type"] in KINDS_OF_SHARES
        ]
        mine = sorted(rows, key=lambda row: int(row["id"]))
        received = {
            name: sorted(space.anais.listed(f"files/{space.anais.name}/{name}"))
            for name in Files.folders[:2]
        }
        links = [self._visit(space, row) for row in mine if row["share_type"] == BY_LINK]
        return {"shares": mine, "received": received, "links": links}

    def _visit(self, space: Space, row: Mapping[str, Any]) -> Any:
        """Open a link as somebody who has no account."""
        protected = row["path"].endswith(Files.folders[3])
        page = space.zoe.browser.get(space.zoe.host, f"/s/{row['token']}")
        if page.status != (303 if protected else 200):
            raise RequestError(f"{space.zoe.host}: /s/{row['token']} answers {page.status}")
        visitor = replace(space.zoe, name="anonymous", password=self.password if protected else "")
        answer = visitor.ask(
            "PROPFIND",
            f"/public.php/dav/files/{row['token']}/",
            PROPERTIES,
            Depth="1",
            X_Requested_With="XMLHttpRequest",
        )
        names = [one.text for one in ElementTree.fromstring(answer.body).iter(f"{DAV}href")]
        return sorted(unquote(name or "") for name in names)


class Teams:
    """A team with a member and a folder that is shared to it."""

    application = "circles"
    folder = "Dossier de l’équipe 🌱"

    def make(self, space: Space) -> None:
        """Make it, and share to it."""
        team = space.zoe.ocs("POST", "apps/circles/circles", name="Équipe du jardin 🌻")
        members = f"apps/circles/circles/{team['id']}/members"
        space.zoe.ocs("POST", members, userId=space.anais.name, type=1)
        home = f"files/{space.zoe.name}/{self.folder}"
        space.zoe.dav("MKCOL", home)
        space.zoe.dav("PUT", f"{home}/À faire.md", "# À faire\n\n- désherber 🌿\n")
        space.zoe.ocs(
            "POST",
            Shares.interface,
            path=f"/{self.folder}",
            shareType=TO_TEAM,
            shareWith=team["id"],
            permissions=31,
        )

    def read(self, space: Space) -> Any:
        """Return the teams with who is in them, and what the member gets of the folder."""
        teams = {
            team["name"]: sorted(
                (member["userId"], member["level"], member["status"])
                for member in space.zoe.ocs("GET", f"apps/circles/circles/{team['id']}/members")
            )
            for team in space.zoe.ocs("GET", "apps/circles/circles")
        }
        path = f"files/{space.anais.name}/{self.folder}/À faire.md"
        return {"teams": teams, "file": space.anais.dav("GET", path).text}


class Calendar:
    """A shared calendar: events that come once, every week, all day; and a task."""

    application = "calendar"
    make_body = """<?xml version="1.0"?>
<c:mkcalendar xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:d="DAV:"
 xmlns:i="http://apple.com/ns/ical/"><d:set><d:prop><d:displayname>Répétitions 🎺</d:displayname>
<i:calendar-color>#2C7A4BFF</i:calendar-color></d:prop></d:set></c:mkcalendar>"""
    share_body = """<?xml version="1.0"?>
<o:share xmlns:o="http://owncloud.org/ns" xmlns:d="DAV:"><o:set>
<d:href>principal:principals/users/{}</d:href><o:read-write/></o:set></o:share>"""
    entries: ClassVar = {
        "once": "BEGIN:VEVENT\nDTSTART;TZID=Europe/Paris:20260914T183000\nDURATION:PT2H\n"
        "SUMMARY:Assemblée générale – salle Éluard ☕\nLOCATION:12\\, rue de l’Été\n"
        "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT1H\nDESCRIPTION:bientôt\nEND:VALARM\n",
        "weekly": "BEGIN:VEVENT\nDTSTART:20260901T170000Z\nDTEND:20260901T190000Z\n"
        "RRULE:FREQ=WEEKLY;COUNT=12\nEXDATE:20260915T170000Z\nSUMMARY:Répétition 🎺\n",
        "all-day": "BEGIN:VEVENT\nDTSTART;VALUE=DATE:20261003\nDTEND;VALUE=DATE:20261005\n"
        "SUMMARY:Fête de l’œuf\n",
        "task": "BEGIN:VTODO\nDUE;VALUE=DATE:20260930\nSTATUS:NEEDS-ACTION\nPRIORITY:1\n"
        "SUMMARY:Réserver la salle\n",
    }

    def make(self, space: Space) -> None:
        """Make the calendar, its entries, and share it."""
        home = f"calendars/{space.zoe.name}/repetitions/"
        space.zoe.dav("MKCALENDAR", home, self.make_body, Content_Type="application/xml")
        for name, text in self.entries.items():
            kind = text.partition("\n")[0].partition(":")[2]
            lines = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//archipel//tests//FR\n{text}"
            lines += (
                f"UID:{name}@asso.example\nDTSTAMP:20260301T120000Z\nEND:{kind}\nEND:VCALENDAR\n"
            )
            body = lines.replace("\n", "\r\n")
            space.zoe.dav("PUT", f"{home}{name}.ics", body, Content_Type="text/calendar")
        shared = self.share_body.format(space.anais.name)
        space.zoe.dav("POST", home, shared, Content_Type="application/xml")

    def read(self, space: Space) -> Any:
        """Return the entries, as their owner and as the other member gets them."""
        shared = f"calendars/{space.anais.name}/repetitions_shared_by_{space.zoe.name}/"
        found = space.zoe.listed(f"calendars/{space.zoe.name}/")
        return {
            "mine": space.zoe.stored(f"calendars/{space.zoe.name}/repetitions/"),
            "shared": space.anais.stored(shared),
            "calendars": sorted(name for name in found if GENERATED not in name),
        }


class Contacts:
    """An address book."""

    application = "contacts"
    people: ClassVar = {"lou": "Loïc Œstergård", "noa": "Noé L’Hermitte 🎭", "mai": "Mái Nguyễn"}

    def make(self, space: Space) -> None:
        """Write cards."""
        for uid, name in self.people.items():
            lines = (
                *("BEGIN:VCARD", "VERSION:3.0", f"UID:{uid}@asso.example", f"FN:{name}"),
                *(f"N:{name};;;;", f"EMAIL;TYPE=HOME:{uid}@asso.example", "TEL:+33 1 23 45 67 89"),
                *("CATEGORIES:Bénévoles,Été", "NOTE:arrivé à l’été ☀️", "END:VCARD", ""),
            )
            path = f"addressbooks/users/{space.zoe.name}/contacts/{uid}.vcf"
            space.zoe.dav("PUT", path, "\r\n".join(lines), Content_Type="text/vcard")

    def read(self, space: Space) -> Any:
        """Return the cards as they are served."""
        return space.zoe.stored(f"addressbooks/users/{space.zoe.name}/contacts/")


class Boards:
    """A board with lists, cards and a comment."""

    application = "deck"
    interface = "deck/api/v1.0/boards"

    def make(self, space: Space) -> None:
        """Make a board."""
        api = space.zoe.api
        board = api("POST", self.interface, title="Fête de quartier 🎉", color="2c7a4b")
        base = f"{self.interface}/{board['id']}"
        label = api("POST", f"{base}/labels", title="Très urgent", color="e9322d")
        for order, title in enumerate(("À faire", "Terminé ✅")):
            stack = api("POST", f"{base}/stacks", title=title, order=order)
            for number in range(3):
                card = api(
                    "POST",
                    f"{base}/stacks/{stack['id']}/cards",
                    title=f"Tâche n°{number} – réserver 🪑",
                    type="plain",
                    order=number,
                    description="**Où ?** Salle d’œuvres",
                    duedate="2026-09-30T18:00:00+00:00",
                )
                at = f"{base}/stacks/{stack['id']}/cards/{card['id']}/assignLabel"
                space.zoe.ask("PUT", f"/index.php/apps/{at}?labelId={label['id']}", "")
        comments = f"apps/deck/api/v1.0/cards/{card['id']}/comments"
        space.zoe.ocs("POST", comments, message="C’est noté 👍", parentId=0)

    def read(self, space: Space) -> Any:
        """Return boards, lists, cards and comments."""
        found = []
        for board in space.zoe.api("GET", self.interface):
            stacks = space.zoe.api("GET", f"{self.interface}/{board['id']}/stacks")
            found.append(
                {
                    **pick(board, "id", "title", "color", "archived"),
                    "stacks": [self._stack(space, stack) for stack in stacks],
                }
            )
        return found

    def _stack(self, space: Space, stack: Mapping[str, Any]) -> Any:
        keys = ("id", "title", "description", "duedate", "order", "commentsCount")
        cards = [
            {
                **pick(card, *keys),
                "labels": [label["title"] for label in card["labels"] or []],
                "comments": [
                    one["message"]
                    for one in space.zoe.ocs(
                        "GET", f"apps/deck/api/v1.0/cards/{card['id']}/comments"
                    )
                ],
            }
            for card in stack.get("cards", [])
        ]
        return {**pick(stack, "id", "title"), "cards": sorted(cards, key=lambda card: card["id"])}


class Conversations:
    """A conversation of two, with a file in it."""

    application = "spreed"

    def make(self, space: Space) -> None:
        """Talk."""
        room = space.zoe.ocs(
            "POST", "apps/spreed/api/v4/room", roomType=2, roomName="Bureau – été ☀️"
        )
        base = f"apps/spreed/api/v4/room/{room['token']}"
        space.zoe.ocs("POST", f"{base}/participants", newParticipant=space.anais.name)
        chat = f"apps/spreed/api/v1/chat/{room['token']}"
        first = space.zoe.ocs("POST", chat, message="Qui vient à la répétition ? 🎺")
        space.anais.ocs("POST", chat, message="Moi, à 18 h 30 ☕", replyTo=first["id"])
        space.zoe.ocs(
            "POST", f"apps/spreed/api/v1/reaction/{room['token']}/{first['id']}", reaction="👍"
        )
        space.zoe.ocs(
            "POST",
            Shares.interface,
            path=f"/{Files().paths()[3]}",
            shareType=TO_CONVERSATION,
            shareWith=room["token"],
        )

    def read(self, space: Space) -> Any:
        """Return what the other one reads."""
        keys = (
            "id",
            "actorId",
            "message",
            "messageType",
            "systemMessage",
            "timestamp",
            "reactions",
        )
        found = {}
        for room in space.anais.ocs("GET", "apps/spreed/api/v4/room"):
            if room["name"] and room["type"] == 2:
                chat = f"apps/spreed/api/v1/chat/{room['token']}"
                said = space.anais.ocs("GET", f"{chat}?lookIntoFuture=0&setReadMarker=0")
                said = [pick(message, *keys) for message in said]
                found[room["token"]] = {"name": room["name"], "said": said}
        return found


class Notes:
    """Notes in categories."""

    application = "notes"
    interface = "notes/api/v1/notes"

    def make(self, space: Space) -> None:
        """Write some."""
        for number in range(3):
            space.zoe.api(
                "POST",
                self.interface,
                title=f"Compte rendu n°{number} – été",
                content=f"# Présents\n\nZoé, Anaïs 🌻\n\n- point {number} : l’œuvre",
                category="Réunions/2026",
                favorite=number == 0,
            )

    def read(self, space: Space) -> Any:
        """Return them."""
        keys = ("id", "title", "content", "category", "favorite", "modified")
        rows = [pick(note, *keys) for note in space.zoe.api("GET", self.interface)]
        return sorted(rows, key=lambda row: row["id"])


class Collectives:
    """A collective of two, with pages."""

    application = "collectives"
    interface = "apps/collectives/api/v1.0/collectives"

    def make(self, space: Space) -> None:
        """Make it, take somebody in, write a page below another."""
        made = space.zoe.ocs("POST", self.interface, name="Mémoire de l’asso", emoji="🌳")
        collective = made["collective"]
        members = f"apps/circles/circles/{collective['circleId']}/members"
        space.zoe.ocs("POST", members, userId=space.anais.name, type=1)
        pages = f"{self.interface}/{collective['id']}/pages"
        parent = space.zoe.ocs("GET", pages)["pages"][0]
        for title in ("Accueil des bénévoles ☕", "Clés & codes"):
            page = space.zoe.ocs("POST", f"{pages}/{parent['id']}", title=title)["page"]
            space.zoe.dav("PUT", self._file(space.zoe, page), f"# {title}\n\nÀ l’été 🌻\n")
            parent = page

    @staticmethod
    def _file(one: Person, page: Mapping[str, Any]) -> str:
        parts = (page["collectivePath"], page["filePath"], page["fileName"])
        return f"files/{one.name}/" + "/".join(part for part in parts if part)

    def read(self, space: Space) -> Any:
        """Return its pages with their text, as the other member gets them."""
        found = {}
        for collective in space.anais.ocs("GET", self.interface)["collectives"]:
            pages = space.anais.ocs("GET", f"{self.interface}/{collective['id']}/pages")["pages"]
            found[collective["name"]] = [
                {
                    **pick(page, "id", "title", "filePath", "fileName", "parentId"),
                    "text": space.anais.dav("GET", self._file(space.anais, page)).text,
                }
                for page in sorted(pages, key=lambda page: page["id"])
            ]
        return found


class Polls:
    """A poll with a vote."""

    application = "polls"
    interface = "apps/polls/api/v1.0"

    def make(self, space: Space) -> None:
        """Ask, and answer."""
        poll = space.zoe.ocs(
            "POST", f"{self.interface}/poll", type="textPoll", title="Quel goûter ? 🍰"
        )["poll"]
        for text in ("Crêpes à l’œuf", "Gâteau – très bon"):
            option = space.zoe.ocs(
                "POST", f"{self.interface}/poll/{poll['id']}/option", option={"text": text}
            )["option"]
        space.zoe.ocs("PUT", f"{self.interface}/option/{option['id']}/vote/yes")

    def read(self, space: Space) -> Any:
        """Return questions, choices and votes."""
        found = {}
        for poll in space.zoe.ocs("GET", f"{self.interface}/polls")["polls"]:
            base = f"{self.interface}/poll/{poll['id']}"
            options = space.zoe.ocs("GET", f"{base}/options")["options"]
            votes = space.zoe.ocs("GET", f"{base}/votes")["votes"]
            found[str(poll["id"])] = {
                "options": sorted(option["text"] for option in options),
                "votes": sorted((vote["optionText"], vote["answer"]) for vote in votes),
            }
        return found


class Tables:
    """A table with rows."""

    application = "tables"
    interface = "tables/api/1/tables"

    def make(self, space: Space) -> None:
        """Make a table of tools."""
        table = space.zoe.api("POST", self.interface, title="Outils prêtés", emoji="🔧")
        base = f"{self.interface}/{table['id']}"
        column = space.zoe.api(
            "POST", f"{base}/columns", title="Outil", type="text", subtype="line", mandatory=False
        )
        for tool in ("Clé à œil", "Scie – égoïne 🪚", "Échelle"):
            space.zoe.api("POST", f"{base}/rows", data={str(column["id"]): tool})

    def read(self, space: Space) -> Any:
        """Return tables with columns and rows."""
        found = []
        for table in space.zoe.api("GET", self.interface):
            base = f"{self.interface}/{table['id']}"
            columns = space.zoe.api("GET", f"{base}/columns")
            rows = space.zoe.api("GET", f"{base}/rows")
            found.append(
                {
                    **pick(table, "id", "title", "emoji"),
                    "columns": [pick(column, "id", "title", "type") for column in columns],
                    "rows": [pick(row, "id", "data") for row in rows],
                }
            )
        return found


class TeamFolders:
    """A folder that belongs to the association, made by its administrator."""

    application = "groupfolders"
    name = "Commun – l’association 🏛"

    def make(self, space: Space) -> None:
        """Make it, for all members, and put a file into it."""
        folder = space.administrator.api("POST", "groupfolders/folders", mountpoint=self.name)
        groups = f"groupfolders/folders/{folder['id']}/groups"
        space.administrator.api("POST", groups, group="members")
        path = f"files/{space.zoe.name}/{self.name}/Statuts – déposés 📜.md"
        space.zoe.dav("PUT", path, "# Statuts\n\nArticle 1ᵉʳ\n")

    def read(self, space: Space) -> Any:
        """Return what is in it, as the other member gets it."""
        home = f"files/{space.anais.name}/{self.name}/"
        names = sorted(name for name in space.anais.listed(home) if not name.endswith("/"))
        return {name: space.anais.ask("GET", name).text for name in names}


# In this order: later ones share what earlier ones made.
KINDS: tuple[Kind, ...] = (
    *(Accounts(), Files(), Shares(), Teams(), Calendar(), Contacts(), Boards()),
    *(Conversations(), Notes(), Collectives(), Polls(), Tables(), TeamFolders()),
)


def present(space: Space) -> Iterator[tuple[str, Kind]]:
    """Yield the kinds of content that a space can have, with their names."""
    for kind in KINDS:
        if kind.application in space.applications:
            yield type(kind).__name__, kind


def plain(value: Any) -> Any:
    """Return content as it is once it was written to a file and read again."""
    return json.loads(json.dumps(value, sort_keys=True))
