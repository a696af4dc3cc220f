# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Somebody in a space, who asks it as members' programs do: HTTP, DAV and OCS."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote
from xml.etree import ElementTree

from tools.https import Answer, Browser
from tools.lab import LabError

DAV = "{DAV:}"
PROPERTIES = """<?xml version="1.0"?>
<d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop>
<d:getetag/><oc:fileid/><oc:size/><oc:favorite/><d:getlastmodified/></d:prop></d:propfind>"""


class RequestError(LabError):
    """A space did not do what one of its members asked.

    Attributes:
        status: of the answer; 0: there was none, or it could not be read.

    """

    def __init__(self, said: str, status: int = 0) -> None:
        super().__init__(said)
        self.status = status


def read_status(browser: Browser, host: str) -> dict[str, Any]:
    """Return what a space says of itself to everybody: its release, and whether it is one.

    Raises:
        RequestError: it does not answer, or says something else.

    """
    try:
        found = browser.get(host, "/status.php").json()
        return {key: found[key] for key in ("productname", "versionstring")}
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        raise RequestError(f"{host}: /status.php: {error!r}") from error


@dataclass(frozen=True)
class Person:
    """Somebody in a space."""

    browser: Browser
    host: str
    name: str
    password: str

    def ask(self, method: str, path: str, body: str | bytes = "", **headers: str) -> Answer:
        """Send a request; underscores in names of headers stand for hyphens.

        Raises:
            RequestError: the space refused, or did not answer.

        """
        asked = f"{self.host}: {self.name}: {method} {path}"
        try:
            answer = self.browser.request(
                method,
                self.host,
                quote(path, safe="/?=&%:,"),
                account=(self.name, self.password),
                headers={name.replace("_", "-"): value for name, value in headers.items()},
                body=(body.encode() if isinstance(body, str) else body) or None,
            )
        except (OSError, http.client.HTTPException) as error:
            raise RequestError(f"{asked}: no answer: {error}") from error
        if answer.status >= 400:
            said = answer.body[:600].decode("utf-8", "replace")
            raise RequestError(f"{asked}: {answer.status} {said}", answer.status)
        return answer

    def api(self, method: str, path: str, /, **values: Any) -> Any:
        """Ask an application's own interface."""
        return self._json(method, f"/index.php/apps/{path}", values)

    def ocs(self, method: str, path: str, /, **values: Any) -> Any:
        """Ask the interface that Nextcloud and its applications share."""
        return self._json(method, f"/ocs/v2.php/{path}", values)

    def _json(self, method: str, address: str, values: Mapping[str, Any]) -> Any:
        """Send JSON, and read JSON.

        Raises:
            RequestError: the space refused, or answered something else.

        """
        headers = {"OCS_APIRequest": "true", "Accept": "application/json"}
        if values:
            headers["Content_Type"] = "application/json"
        body = json.dumps(values) if values else ""
        answer = self.ask(method, address, body, **headers)
        said = f"{self.host}: {self.name}: {method} {address}: "
        try:
            found = json.loads(answer.body)
        except ValueError as error:
            text = answer.body[:600].decode("utf-8", "replace")
            raise RequestError(f"{said}no JSON: {text}") from error
        if not isinstance(found, dict) or "ocs" not in found:
            return found
        # Some say so here alone, under a status of 200.
        if found["ocs"]["meta"]["status"] != "ok":
            raise RequestError(f"{said}{answer.text[:600]}")
        return found["ocs"]["data"]

    def dav(self, method: str, path: str, body: str | bytes = "", **headers: str) -> Answer:
        """Send a request about files, calendars or contacts."""
        return self.ask(method, f"/remote.php/dav/{path}", body, **headers)

    def listed(self, path: str) -> dict[str, dict[str, str]]:
        """Return what is in a folder of DAV and in none of its folders: path → properties."""
        answer = self.dav("PROPFIND", path, PROPERTIES, Depth="1", Content_Type="application/xml")
        return {
            unquote(one.findtext(f"{DAV}href", "")): {
                node.tag.partition("}")[2]: node.text or ""
                for node in one.iterfind(f"{DAV}propstat/{DAV}prop/*")
            }
            for one in ElementTree.fromstring(answer.body).iter(f"{DAV}response")
        }

    def stored(self, path: str) -> dict[str, str]:
        """Return every object of a calendar or address book, as it is served."""
        names = sorted(name for name in self.listed(path) if not name.endswith("/"))
        return {name: self.ask("GET", name).text for name in names}
