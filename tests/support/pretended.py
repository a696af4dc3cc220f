# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A space in memory: as much of Nextcloud's interfaces as one needs to put content into it.

It keeps what it is given, refuses what a space refuses, and notes each request that changes it.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from tools.https import Answer
from tools.lab import LabError

APPLICATIONS = ("dashboard", "files", "calendar", "deck", "collectives")
READING = {"GET", "PROPFIND"}
DAV = "/remote.php/dav/"


class RefusedError(Exception):
    """A status other than 200."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class Pretended:
    """A space; also the browser and the occ that lead to it."""

    port = 8443

    def __init__(self, applications: tuple[str, ...] = APPLICATIONS, product: str = "Nextcloud"):
        self.applications, self.product = applications, product
        # Account → password, and passwords of devices → account.
        self.accounts: dict[str, str] = {"administration": "unknown"}
        self.devices: dict[str, str] = {}
        self.languages: dict[str, str] = {}
        self.settings: dict[tuple[str, str, str], str] = {}
        # Paths of DAV, folders with a slash at their end → content.
        self.tree: dict[str, str] = {}
        self.shares: list[dict[str, Any]] = []
        self.boards: list[dict[str, Any]] = []
        self.collectives: list[dict[str, Any]] = []
        self.members: list[str] = []
        self.changes: list[str] = []
        self.commands: list[str] = []
        # The number of the change that is answered with 500, once; none: 0.
        self.fails_at = 0
        self._numbers = 0

    def number(self) -> int:
        self._numbers += 1
        return self._numbers

    # --- as a browser ---------------------------------------------------------------------

    def get(self, host: str, path: str = "/", **headers: str) -> Answer:
        assert path == "/status.php"
        said = {"productname": self.product, "versionstring": "33.0.3"}
        return Answer(200, {}, json.dumps(said).encode())

    def request(
        self,
        method: str,
        host: str,
        path: str,
        *,
        account: tuple[str, str],
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> Answer:
        name, password = account
        if password != self.accounts.get(name) and self.devices.get(password) != name:
            return Answer(401, {}, b"who are you?")
        text = (body or b"").decode()
        try:
            if method not in READING:
                self._note(f"{method} {unquote(path)}")
            if path.startswith(DAV):
                home = unquote(path).removeprefix(DAV).split("/")[1]
                if home != name:
                    raise RefusedError(404)
                status, said = self._dav(method, unquote(path).removeprefix(DAV), text)
                return Answer(status, {}, said.encode())
            assert headers["OCS-APIRequest"] == "true"
            values = json.loads(text) if text else {}
            return self._json(method, unquote(path), values, account)
        except RefusedError as error:
            return Answer(error.status, {}, f"refused: {error}".encode())

    def _note(self, change: str) -> None:
        self.changes.append(change)
        if self.fails_at and len(self.changes) >= self.fails_at:
            self.fails_at = 0
            raise RefusedError(500)

    # --- files and calendars --------------------------------------------------------------

    def _dav(self, method: str, path: str, text: str) -> tuple[int, str]:
        kind, home = path.split("/")[:2]
        self.tree.setdefault(f"{kind}/{home}/", "")
        parent = f"{path.rstrip('/').rpartition('/')[0]}/"
        if method == "PROPFIND":
            return 207, self._listing(path)
        if parent not in self.tree:
            raise RefusedError(409)
        if method in {"MKCOL", "MKCALENDAR"}:
            if f"{path.rstrip('/')}/" in self.tree:
                raise RefusedError(405)
            self.tree[f"{path.rstrip('/')}/"] = text
            return 201, ""
        if method == "POST":
            self.tree[path] += text
            return 200, ""
        assert method == "PUT", method
        there = path in self.tree
        self.tree[path] = text
        return (204 if there else 201), ""

    def _listing(self, path: str) -> str:
        folder = f"{path.rstrip('/')}/"
        if folder not in self.tree:
            raise RefusedError(404)
        within = [
            one
            for one in self.tree
            if one.startswith(folder) and one != folder and "/" not in one[len(folder) : -1]
        ]
        rows = "".join(
            f"<d:response><d:href>{escape(DAV + one)}</d:href></d:response>"
            for one in (folder, *within)
        )
        return f'<d:multistatus xmlns:d="DAV:">{rows}</d:multistatus>'

    # --- OCS and applications' own interfaces ---------------------------------------------

    def _json(self, method: str, path: str, values: Any, account: tuple[str, str]) -> Answer:
        path, _, query = path.partition("?")
        for pattern, answer in self._routes().items():
            wanted, address = pattern.split(" ", 1)
            if method == wanted and (found := re.fullmatch(address, path)):
                told = {key: value[0] for key, value in parse_qs(query).items()}
                data = answer(account, {**told, **values}, *found.groups())
                if path.startswith("/ocs/"):
                    data = {"ocs": {"meta": {"status": "ok"}, "data": data}}
                return Answer(200, {}, json.dumps(data).encode())
        raise RefusedError(404)

    def _routes(self) -> dict[str, Callable[..., Any]]:
        ocs, apps = "/ocs/v2.php", "/index.php/apps"
        routes: dict[str, Callable[..., Any]] = {
            f"GET {ocs}/core/navigation/apps": self._menu,
            f"GET {ocs}/core/getapppassword": self._device,
            f"DELETE {ocs}/core/apppassword": self._forget,
            f"POST {ocs}/cloud/users": self._add,
            f"PUT {ocs}/cloud/users/(.*)": self._change,
            f"GET {ocs}/apps/files_sharing/api/v1/shares": self._shares,
            f"POST {ocs}/apps/files_sharing/api/v1/shares": self._share,
        }
        if "deck" in self.applications:
            base = f"{apps}/deck/api/v1.0/boards"
            routes |= {
                f"GET {base}": lambda *_: self.boards,
                f"POST {base}": self._board,
                f"GET {base}/([0-9]+)": lambda _, __, id_: _by(self.boards, id_),
                f"POST {base}/(.*)/acl": self._let,
                f"GET {base}/(.*)/stacks": lambda _, __, id_: _by(self.boards, id_)["stacks"],
                f"POST {base}/(.*)/stacks": self._stack,
                f"POST {base}/(.*)/stacks/(.*)/cards": self._card,
            }
        if "collectives" in self.applications:
            base = f"{ocs}/apps/collectives/api/v1.0/collectives"
            routes |= {
                f"GET {base}": lambda *_: {"collectives": self.collectives},
                f"POST {base}": self._collective,
                f"GET {base}/(.*)/pages": self._pages,
                f"POST {base}/(.*)/pages/(.*)": self._page,
                f"GET {ocs}/apps/circles/circles/(.*)/members": self._members,
                f"POST {ocs}/apps/circles/circles/(.*)/members": self._member,
            }
        return routes

    def _menu(self, *_: Any) -> Any:
        return [{"id": one} for one in self.applications]

    def _device(self, account: tuple[str, str], *_: Any) -> Any:
        word = f"device-{self.number()}"
        self.devices[word] = account[0]
        return {"apppassword": word}

    def _forget(self, account: tuple[str, str], *_: Any) -> Any:
        del self.devices[account[1]]
        return []

    def _add(self, _: Any, values: Any) -> Any:
        self.accounts[values["userid"]] = values["password"]
        self.languages[values["userid"]] = values["language"]
        return {"id": values["userid"]}

    def _change(self, _: Any, values: Any, name: str) -> Any:
        kept = {"password": self.accounts, "language": self.languages}
        kept[values["key"]][name] = values["value"]
        return []

    def _shares(self, _: Any, values: Any) -> Any:
        return [row for row in self.shares if row["path"] == values["path"]]

    def _share(self, account: tuple[str, str], values: Any) -> Any:
        if f"files/{account[0]}{values['path']}/" not in self.tree:
            raise RefusedError(404)
        row = {"path": values["path"], "share_type": values["shareType"], "token": "aBcDeF123"}
        self.shares.append(row)
        return row

    def _board(self, _: Any, values: Any) -> Any:
        row = {"id": self.number(), "title": values["title"], "stacks": [], "acl": []}
        self.boards.append(row)
        return row

    def _let(self, _: Any, values: Any, board: str) -> Any:
        _by(self.boards, board)["acl"].append({"type": values["type"]})
        return {}

    def _stack(self, _: Any, values: Any, board: str) -> Any:
        stacks = _by(self.boards, board)["stacks"]
        stacks.append({"id": self.number(), "title": values["title"], "cards": []})
        # Deck answers without a list of cards.
        return {key: stacks[-1][key] for key in ("id", "title")}

    def _card(self, _: Any, values: Any, board: str, stack: str) -> Any:
        _by(_by(self.boards, board)["stacks"], stack)["cards"].append(values)
        return {"id": self.number()}

    def _collective(self, account: tuple[str, str], values: Any) -> Any:
        folder = f"files/{account[0]}/.Collectives/{values['name']}/"
        self.tree[f"files/{account[0]}/.Collectives/"] = self.tree[folder] = ""
        first = {"id": self.number(), "title": "Landing page", "parentId": 0, "size": 1}
        row = {"id": self.number(), "circleId": "circle", "name": values["name"]}
        self.collectives.append({**row, "pages": [first]})
        self.members.append(account[0])
        return {"collective": row}

    def _pages(self, account: tuple[str, str], _: Any, collective: str) -> Any:
        return {"pages": [self._sized(account[0], one) for one in self._own(collective)]}

    def _page(self, account: tuple[str, str], values: Any, collective: str, parent: str) -> Any:
        row = {
            "id": self.number(),
            "title": values["title"],
            "parentId": int(parent),
            "collectivePath": f".Collectives/{_by(self.collectives, collective)['name']}",
            "filePath": "",
            "fileName": f"{values['title']}.md",
        }
        self._own(collective).append(row)
        return {"page": self._sized(account[0], row)}

    def _own(self, collective: str) -> list[dict[str, Any]]:
        pages: list[dict[str, Any]] = _by(self.collectives, collective)["pages"]
        return pages

    def _sized(self, name: str, page: dict[str, Any]) -> dict[str, Any]:
        if "fileName" not in page:
            return page
        text = self.tree.get(f"files/{name}/{page['collectivePath']}/{page['fileName']}", "")
        return {**page, "size": len(text)}

    def _members(self, *_: Any) -> Any:
        return [{"userId": name} for name in self.members]

    def _member(self, _: Any, values: Any, circle: str) -> Any:
        self.members.append(values["userId"])
        return []

    # --- as occ ---------------------------------------------------------------------------

    def occ(self, slug: str, arguments: str, secret: str = "") -> str:
        """Do what the operator asks.

        Raises:
            LabError: the command fails.

        """
        self.commands.append(arguments)
        assert not secret or secret not in arguments
        verb, *words = shlex.split(arguments)
        names = [word for word in words if not word.startswith("--")]
        if verb == "user:list":
            return json.dumps({name: name for name in self.accounts})
        there = bool(names) and names[0] in self.accounts
        if verb == ("user:resetpassword" if there else "user:add"):
            self.accounts[names[0]] = secret
        elif verb == "user:setting" and there:
            key = (names[0], names[1], names[2])
            if len(names) == 3:
                default = next(word for word in words if word.startswith("--default-value="))
                return self.settings.get(key, default.partition("=")[2]) + "\n"
            try:
                self._note(arguments)
            except RefusedError as error:
                raise LabError(f"{slug}: occ {arguments}: {error}") from error
            self.settings[key] = names[3]
        elif verb == "user:add-app-password":
            return f"app password:\n{self._device((names[0], ''))['apppassword']}\n"
        else:
            raise LabError(f"{slug}: occ {arguments}: exit code 1")
        return ""


def _by(rows: list[dict[str, Any]], id_: str) -> dict[str, Any]:
    found = next((row for row in rows if row["id"] == int(id_)), None)
    if found is None:
        raise RefusedError(404)
    return found
