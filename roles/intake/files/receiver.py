#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Receive requests of associations from nginx, and keep each as one JSON file.

systemd hands over the socket and starts this when somebody asks; it ends by itself when nobody
does. There is no database, and no other file is written: a request is on the disk, whole, before
anybody is told so.

Who sends a form has either let the browser solve a small task, or, without JavaScript, waits a few
seconds on a page that shows what was typed and has a button. Both are signed by the key of this
run of the program, and each is good for one request.
"""

from __future__ import annotations

import argparse
import errno
import hashlib
import hmac
import html
import json
import os
import re
import secrets
import socket
import sys
import time
import typing as t
import unicodedata
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

# The first socket that systemd hands over.
FIRST = 3
LARGEST = 64 * 1024
# Of a body that is too long, so much is read before it is refused; nginx lets none through.
DRAINED = 1024 * 1024
FIELDS_MOST = 40
# field → most characters; what is longer is refused, never cut.
FIELDS = {
    "name": 200,
    "address": 100,
    "contact_name": 200,
    "contact_email": 254,
    "registration_number": 60,
    "website": 200,
    "about": 2000,
    "office": 32,
    "language": 2,
    "charter": 5,
}
NEEDED = ("name", "contact_email", "charter")
# People do not see it; programs fill it in.
TRAP = "homepage"
# What intake.yml takes, and no more: who was thanked is not left aside later. The patterns are
# those of submission.schema.json; a test holds that.
SHAPES = {
    "contact_email": r"(?=[^@]{1,64}@)[A-Za-z0-9_][A-Za-z0-9_%+'-]*(\.[A-Za-z0-9_%+'-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]",
    "registration_number": r"[0-9A-Za-z][0-9A-Za-z./-]{1,39}",
    "website": r'https?://[0-9A-Za-z][^\s\u0000-\u0020\u007f-\u00a0"<>\\^`{|}]*',
    "office": r"[a-z][a-z0-9]{1,31}",
}
HOST = re.compile(r"[\w-]+(\.[\w-]+)+(/|$)")
LINK = re.compile(r"\bhttps?://|\bwww\.", re.IGNORECASE)
# Characters that nobody sees although Unicode calls them letters or signs.
BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u180b\u180c\u180d\u180f")
SLUG = re.compile(r"(?=.{2,26}\Z)[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
# Seconds: how long a task or a page is good for, and how long one waits without JavaScript.
GOOD_FOR, WAIT = 3600, 8
# Leading zero bits that the browser's answer must have: a second or two of its time.
BITS = 17

TEXTS = {
    "fr": {
        "received": "Demande reçue",
        "thanks": "Merci. Quelqu’un va lire votre demande et vous répondra par courriel.",
        "reference": "Référence\u00a0: ",
        "confirm": "Vérifiez votre demande",
        "patience": "Relisez, puis envoyez. Pour tenir les robots à distance, le bouton ne marche "
        "qu’au bout de quelques secondes.",
        "early": "C’était un peu trop tôt. Attendez quelques secondes, puis envoyez de nouveau.",
        "send": "Envoyer la demande",
        "wrong": "La demande n’a pas été envoyée",
        "back": "Revenez en arrière pour corriger\u00a0: ce que vous avez écrit est encore là.",
        "needed": "à remplir",
        "long": "trop long\u00a0: {most} caractères au plus",
        "contact_email": "ce n’est pas une adresse électronique",
        "registration_number": "2 à 40 lettres, chiffres, points, traits d’union ou barres",
        "website": "une adresse, telle que https://www.example.org",
        "office": "à choisir dans la liste",
        "blank": "on n’y lit rien",
        "link": "une adresse web a son propre champ, plus bas",
        "unread": "Le formulaire n’a pas pu être lu. Rechargez-le et essayez de nouveau.",
        "full": "Nous ne pouvons pas recevoir de demande en ce moment, et la vôtre n’a pas été "
        "gardée. Essayez demain, ou écrivez-nous.",
    },
    "en": {
        "received": "Request received",
        "thanks": "Thank you. Somebody will read your request and answer you by mail.",
        "reference": "Reference: ",
        "confirm": "Check your request",
        "patience": "Read it again, then send it. To keep robots away, the button works only after "
        "a few seconds.",
        "early": "That was a little too soon. Wait a few seconds, then send it again.",
        "send": "Send the request",
        "wrong": "The request was not sent",
        "back": "Go back to correct it: what you have written is still there.",
        "needed": "needed",
        "long": "too long: {most} characters at most",
        "contact_email": "this is no e-mail address",
        "registration_number": "2 to 40 letters, digits, dots, hyphens or slashes",
        "website": "an address, such as https://www.example.org",
        "office": "choose one of the list",
        "blank": "there is nothing to read in it",
        "link": "a web address has a field of its own, further down",
        "unread": "The form could not be read. Load it again, and try once more.",
        "full": "We cannot take requests at the moment, and yours was not kept. Try tomorrow, or "
        "write to us.",
    },
}
PAGE = """\
<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, nofollow">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark }}
html {{ background: #fff; color: #1a1a1a }}
@media (prefers-color-scheme: dark) {{ html {{ background: #16181b; color: #f0f0f0 }} }}
body {{ font: 1.1rem/1.6 system-ui, sans-serif }}
body {{ max-width: 40rem; margin: 2rem auto; padding: 0 1.5rem }}
dt {{ font-weight: bold }}
dd {{ margin: 0 0 .5rem; white-space: pre-wrap; overflow-wrap: anywhere }}
button {{ font: inherit; padding: .6rem 1.2rem }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""

Fields = dict[str, str]


class RefusedError(Exception):
    """A request is not taken: with which status, and what people read."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


# --- what was typed ---------------------------------------------------------------------------


def read_form(body: bytes) -> Fields:
    """Return the fields of a form; a field that comes twice, or that there is not, is none of ours.

    Raises:
        ValueError: it is no form, or no UTF-8.

    """
    found = parse_qs(
        body.decode("ascii"),
        keep_blank_values=True,
        strict_parsing=True,
        encoding="utf-8",
        errors="strict",
        max_num_fields=FIELDS_MOST,
    )
    known = {*FIELDS, TRAP, "task", "answer"}
    if any(len(values) != 1 for values in found.values()) or not known.issuperset(found):
        raise ValueError("fields")
    return {key: values[0].replace("\r\n", "\n").strip() for key, values in found.items()}


def find_faults(fields: Fields, texts: t.Mapping[str, str]) -> dict[str, str]:
    """Return what people have to correct, by field."""
    faults = {key: texts["needed"] for key in NEEDED if not fields.get(key)}
    for key, most in FIELDS.items():
        text = unicodedata.normalize("NFC", fields.get(key, ""))
        if text and (wrong := find_fault(key, text, most)):
            faults[key] = texts[wrong].replace("{most}", str(most))
    return faults


def find_fault(key: str, text: str, most: int) -> str:
    """Return what is wrong with one field, a key of TEXTS; empty: nothing."""
    if key == "registration_number":
        text = re.sub(r"\s", "", text)
    if key == "website" and HOST.match(text):
        text = f"https://{text}"
    if len(text) > most:
        return "long"
    if not any(unicodedata.category(char)[0] in "LNPS" and char not in BLANK for char in text):
        return "blank"
    if key in SHAPES and not re.fullmatch(SHAPES[key], text):
        return key
    return "link" if key in {"name", "contact_name"} and LINK.search(text) else ""


# --- tasks ------------------------------------------------------------------------------------


class Tasks:
    """Tasks for browsers and pages for people, signed; each is good once.

    The key lives as long as the process: who takes longer over a form is asked to confirm it.
    """

    def __init__(self, bits: int = BITS, wait: float = WAIT) -> None:
        self._key = secrets.token_bytes(32)
        self._used: dict[str, float] = {}
        self.bits, self._wait = bits, wait

    def make(self, about: str = "") -> str:
        """Return a task; a page is about the fields that it shows."""
        plain = f"{time.time() * 1000:.0f}.{secrets.token_hex(16)}"
        return f"{plain}.{self._sign(plain, about)}"

    def _sign(self, plain: str, about: str) -> str:
        return hmac.new(self._key, f"{plain}.{about}".encode(), hashlib.sha256).hexdigest()

    def _age(self, task: str, about: str) -> float:
        """Return how old one of our tasks is; negative, if it is none that is good."""
        plain, _dot, signature = task.rpartition(".")
        if not hmac.compare_digest(self._sign(plain, about).encode(), signature.encode()):
            return -1
        age = time.time() - float(plain.split(".")[0]) / 1000
        return age if age <= GOOD_FOR and task not in self._used else -1

    def is_solved(self, task: str, answer: str) -> bool:
        """Whether a browser has worked for a request."""
        if self._age(task, "") < 0 or not answer.isascii():
            return False
        digest = hashlib.sha256(f"{task}:{answer}".encode()).digest()
        return int.from_bytes(digest[:4], "big") >> (32 - self.bits) == 0

    def is_ours(self, task: str, about: str) -> bool:
        """Whether a page shows these very fields."""
        return self._age(task, about) >= 0

    def is_patient(self, task: str, about: str) -> bool:
        """Whether somebody has waited on such a page."""
        return self._age(task, about) >= self._wait

    def use(self, task: str) -> None:
        """Let a task be good no more."""
        now = time.time()
        self._used = {key: at for key, at in self._used.items() if now - at < GOOD_FOR}
        self._used[task] = now


def digest(fields: Fields) -> str:
    """Return what names the content of a form."""
    kept = {key: fields.get(key, "") for key in FIELDS}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


# --- what is kept -----------------------------------------------------------------------------


class Spool:
    """The folder of requests."""

    def __init__(self, folder: Path, most: int) -> None:
        self.folder, self._most = folder, most

    def sweep(self) -> None:
        """Remove what was being written when the program was killed; nobody was thanked for it."""
        for part in self.folder.glob(".*.part"):
            part.unlink()

    def keep(self, fields: Fields) -> str:
        """Write a request, and return its name once it is on the disk.

        Raises:
            OSError: it is not.

        """
        if sum(1 for _ in self.folder.iterdir()) >= self._most:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        name = secrets.token_hex(16)
        kept = {key: fields[key] for key in FIELDS if fields.get(key)}
        request = {
            "format": 1,
            "kind": "space",
            "id": name,
            "received": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "via": "form",
            **kept,
            "charter": True,
        }
        self._write(name, json.dumps(request, ensure_ascii=False, indent=1).encode() + b"\n")
        return name

    def _write(self, name: str, data: bytes) -> None:
        """Put a file in place, whole, and over a power cut.

        Raises:
            OSError: it could not be; nothing is left of it.

        """
        part, path = self.folder / f".{name}.part", self.folder / f"{name}.json"
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.rename(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


# --- HTTP -------------------------------------------------------------------------------------


class Server(HTTPServer):
    """A server on a socket that somebody else has opened."""

    address_family = socket.AF_UNIX

    def __init__(self, opened: socket.socket, spool: Spool, tasks: Tasks, taken: Path) -> None:
        super().__init__(("", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = opened
        self.spool, self.tasks, self._taken = spool, tasks, taken
        self.idle = False

    def get_request(self) -> tuple[socket.socket, t.Any]:
        """Return a connection; it has no address, nginx tells nobody's."""
        connection, _none = self.socket.accept()
        return connection, ("nginx", 0)

    def handle_timeout(self) -> None:
        """Note that nobody came."""
        self.idle = True

    def is_taken(self, slug: str) -> bool:
        """Whether somebody has an address; an answer for people who type, and no promise."""
        try:
            return slug in self._taken.read_text(encoding="ascii").split()
        except FileNotFoundError:
            return False


class Handler(BaseHTTPRequestHandler):
    """One request of nginx."""

    server: Server
    server_version, sys_version = "archipel", ""
    # Seconds that nginx may take for what it has whole already.
    timeout = 10

    def log_message(self, format: str, *args: t.Any) -> None:  # noqa: A002
        """Log nothing: nginx does, and what people typed belongs into no log."""

    def do_GET(self) -> None:
        """Give the form's script a task, or tell it whether an address is free."""
        url = urlsplit(self.path)
        if url.path == "/task":
            tasks = self.server.tasks
            self._json({"task": tasks.make(), "bits": tasks.bits})
        elif url.path == "/address":
            slug = parse_qs(url.query, max_num_fields=4).get("slug", [""])[0]
            right = bool(SLUG.fullmatch(slug))
            self._json({"right": right, "free": right and not self.server.is_taken(slug)})
        else:
            self._answer(HTTPStatus.NOT_FOUND, "404", "", "en")

    def do_POST(self) -> None:
        """Take a request."""
        language = "fr"
        try:
            fields = self._read()
            language = "en" if fields.get("language") == "en" else "fr"
            fields["language"] = language
            self._take(fields, language)
        except RefusedError as error:
            texts = TEXTS[language]
            self._answer(
                error.status, texts["wrong"], f"<p>{html.escape(str(error))}</p>", language
            )

    def _read(self) -> Fields:
        """Return the fields of the form.

        Raises:
            RefusedError: it is none.

        """
        unread = RefusedError(HTTPStatus.BAD_REQUEST, TEXTS["fr"]["unread"])
        said = self.headers.get("Content-Length", "")
        length = int(said) if said.isdecimal() and len(said) < 12 else -1
        # A body that is left unread breaks the connection before the answer is read.
        body = self.rfile.read(length) if 0 <= length <= DRAINED else b""
        if length > LARGEST:
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TEXTS["fr"]["unread"])
        if self.path != "/request" or length < 0:
            raise unread
        try:
            return read_form(body)
        except ValueError:
            raise unread from None

    def _take(self, fields: Fields, language: str) -> None:
        """Keep a request, or ask for what it lacks.

        Raises:
            RefusedError: it cannot be kept.

        """
        texts, tasks = TEXTS[language], self.server.tasks
        if fields.get(TRAP):
            # A program is told what it wants to hear.
            self._thank(secrets.token_hex(16), language)
            return
        if faults := find_faults(fields, texts):
            self._show_faults(faults, language)
            return
        task, about = fields.get("task", ""), digest(fields)
        solved = tasks.is_solved(task, fields.get("answer", ""))
        if not solved and not tasks.is_patient(task, about):
            self._confirm(fields, language, early=tasks.is_ours(task, about))
            return
        try:
            name = self.server.spool.keep(fields)
        except OSError as error:
            print(f"a request was not kept: {error}", file=sys.stderr, flush=True)
            raise RefusedError(HTTPStatus.INSUFFICIENT_STORAGE, texts["full"]) from error
        tasks.use(task)
        self._thank(name, language)

    def _thank(self, name: str, language: str) -> None:
        texts = TEXTS[language]
        body = f"<p>{texts['thanks']}</p>\n<p>{texts['reference']}<code>{name[:8]}</code></p>"
        self._answer(HTTPStatus.OK, texts["received"], body, language)

    def _show_faults(self, faults: dict[str, str], language: str) -> None:
        texts, labels = TEXTS[language], LABELS[language]
        colon = "\u00a0:" if language == "fr" else ":"
        rows = "".join(f"<li>{labels[key]}{colon} {text}</li>\n" for key, text in faults.items())
        body = f"<ul>\n{rows}</ul>\n<p>{texts['back']}</p>"
        self._answer(HTTPStatus.UNPROCESSABLE_ENTITY, texts["wrong"], body, language)

    def _confirm(self, fields: Fields, language: str, *, early: bool) -> None:
        """Show what was typed, with a button that works a few seconds later."""
        texts, kept = TEXTS[language], {key: fields[key] for key in FIELDS if fields.get(key)}
        # Waiting goes on where it began.
        task = fields["task"] if early else self.server.tasks.make(digest(fields))
        shown = "".join(
            f"<dt>{LABELS[language][key]}</dt><dd>{html.escape(value)}</dd>\n"
            for key, value in kept.items()
            if key not in {"language", "charter"}
        )
        hidden = "".join(
            f'<input type="hidden" name="{key}" value="{html.escape(value)}">\n'
            for key, value in {**kept, "task": task}.items()
        )
        body = (
            f'<p role="status">{texts["early"] if early else texts["patience"]}</p>\n'
            f'<dl>\n{shown}</dl>\n<form method="post" action="request" accept-charset="utf-8">\n'
            f"{hidden}<button>{texts['send']}</button>\n</form>"
        )
        self._answer(HTTPStatus.OK, texts["confirm"], body, language)

    def _answer(self, status: HTTPStatus, title: str, body: str, language: str) -> None:
        page = PAGE.format(language=language, title=title, body=body)
        self._send(status, "text/html; charset=utf-8", page)

    def _json(self, value: t.Mapping[str, t.Any]) -> None:
        self._send(HTTPStatus.OK, "application/json", json.dumps(value))

    def _send(self, status: HTTPStatus, kind: str, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(data)


LABELS = {
    "fr": {
        "name": "Nom de l’association",
        "address": "Adresse souhaitée",
        "contact_name": "Personne à contacter",
        "contact_email": "Adresse électronique",
        "registration_number": "Numéro RNA ou SIREN",
        "website": "Site web",
        "about": "L’association en quelques lignes",
        "office": "Suite bureautique",
        "language": "Langue",
        "charter": "Charte",
    },
    "en": {
        "name": "Name of the association",
        "address": "Wished address",
        "contact_name": "Person to write to",
        "contact_email": "E-mail address",
        "registration_number": "Registration number",
        "website": "Website",
        "about": "About the association",
        "office": "Office suite",
        "language": "Language",
        "charter": "Charter",
    },
}


def main() -> None:
    """Serve until nobody comes any more."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where requests are kept")
    parser.add_argument("--taken", type=Path, required=True, help="addresses that somebody has")
    parser.add_argument("--most", type=int, default=2000, help="requests that are kept")
    parser.add_argument("--idle", type=float, default=300, help="seconds without anybody")
    given = parser.parse_args()
    os.umask(0o027)
    opened, spool = socket.socket(fileno=FIRST), Spool(given.folder, given.most)
    spool.sweep()
    with Server(opened, spool, Tasks(), given.taken) as server:
        server.timeout = given.idle
        while not server.idle:
            server.handle_request()


if __name__ == "__main__":
    main()
