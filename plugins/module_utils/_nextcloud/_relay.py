# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Hand letters to the mail relay, each once: what was sent is noted before the next begins."""

from __future__ import annotations

import contextlib
import os
import smtplib
import ssl
import time
import typing as t
from email.utils import formataddr

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files, _journal
from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import Report
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _letter

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import Json as Relay

# What was sent: key of a letter → when (unix time). One file for the node.
JOURNAL = "/var/lib/archipel/letters.json"
SPOOL = "/var/spool/archipel/letters"
# Seconds that a relay may take for one answer.
PATIENCE = 30
# Who was written to longer ago is in no list of letters that are due.
REMEMBERED = 400 * 86400

Letter = t.Mapping[str, str]
Send = t.Callable[[Letter], None]


class RelayError(Exception):
    """The relay could not be reached, or is not the one that is meant."""


def send_all(
    letters: t.Sequence[Letter],
    send: Callable[[], t.ContextManager[Send]],
    journal: str = JOURNAL,
    *,
    check: bool,
) -> Report:
    """Send what was not sent yet, one after the other.

    A letter is noted as soon as the relay has taken it. A run that dies between the two sends it
    again, under the same Message-ID: no sender can know more.

    Args:
        letters: key, slug, step, to, name, subject, text and html of each.
        send: opens the way out.
        journal: what was sent.
        check: whether nothing is sent.

    Raises:
        RelayError: there is no way out; nothing was sent.

    """
    report = Report()
    known = {key: float(at) for key, at in _journal.read_json(journal).items()}
    report.facts["sent"] = {one["key"]: known[one["key"]] for one in letters if one["key"] in known}
    new = [one for one in letters if one["key"] not in known]
    if check or not new:
        for one in new:
            report.change(one["slug"], f"letter {one['step']} to {one['to']}")
        return report
    with send() as deliver:
        for one in new:
            _send_one(one, deliver, known, journal, report)
    return report


def _send_one(
    one: Letter, deliver: Send, known: dict[str, float], journal: str, report: Report
) -> None:
    try:
        deliver(one)
    except (smtplib.SMTPException, OSError) as error:
        report.fail(one["slug"], f"letter {one['step']} to {one['to']}: {say(error)}")
        return
    _journal.die_here("letters:taken")
    now = time.time()
    known[one["key"]] = now
    report.facts["sent"][one["key"]] = now
    recent = {key: at for key, at in known.items() if now - at < REMEMBERED}
    _journal.save(journal, recent)
    report.change(one["slug"], f"letter {one['step']} to {one['to']}")
    _journal.die_here("letters:noted")


def say(error: Exception) -> str:
    """Return what a relay answered, on one line. Pure."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, words = next(iter(error.recipients.values()))
        return f"refused with {code} {_text(words)}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"refused with {error.smtp_code} {_text(error.smtp_error)}"
    return _text(str(error) or type(error).__name__)


def _text(words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return " ".join(text.split())[:300]


def compose(one: Letter, sender: str, operator: t.Mapping[str, str]) -> bytes:
    """Return a letter as it is sent: answers go to the operator, whoever the relay lets send."""
    letter = _letter.message(
        {
            "to": one["to"],
            "name": one["name"],
            "subject": one["subject"],
            "body": one["text"],
            "html": one["html"],
            "from_name": operator["name"],
            "reply_to": operator["email"],
        }
    )
    del letter["From"], letter["Message-ID"]
    letter["From"] = formataddr((_letter.words(operator["name"]), sender))
    # The same for the same event: who gets a letter twice is shown it once by many programs.
    name = one["key"].replace("/", ".")
    letter["Message-ID"] = f"<{name}@{sender.rpartition('@')[2]}>"
    return letter.as_bytes()


def context(relay: Relay) -> ssl.SSLContext:
    """Return how the relay's certificate is looked at."""
    made = ssl.create_default_context(cadata=relay.get("ca") or None)
    # Python of Debian 13 asks more of an authority than PHP, which sends the invitations: an
    # operator's own one may lack the extension for key usage.
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not relay.get("verify", True):
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


@contextlib.contextmanager
def by_relay(relay: Relay, operator: t.Mapping[str, str]) -> t.Iterator[Send]:
    """Log in to the relay once for all letters.

    Raises:
        RelayError: it cannot be reached, has the wrong certificate, or takes no such login.

    """
    try:
        connection = _connect(relay)
    except (smtplib.SMTPException, OSError) as error:
        raise RelayError(f"{relay['host']}:{relay.get('port', 25)}: {say(error)}") from error

    def deliver(one: Letter) -> None:
        sender = str(relay["from"]).replace("{slug}", one["slug"])
        connection.sendmail(sender, [one["to"]], compose(one, sender, operator))

    with connection:
        yield deliver


def _connect(relay: Relay) -> smtplib.SMTP:
    """Return a connection, encrypted where the relay offers it, and always where it is asked for.

    Raises:
        SMTPException: the relay says no.
        OSError: the network or its certificate does.

    """
    host, port = str(relay["host"]), int(relay.get("port", 25))
    tls, secure = context(relay), relay.get("secure", "")
    if secure == "ssl":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(timeout=PATIENCE, context=tls)
    else:
        connection = smtplib.SMTP(timeout=PATIENCE)
    # The name that the certificate is compared with.
    connection._host = str(relay.get("certificate_name") or host)  # type: ignore[attr-defined]
    connection.connect(host, port)
    connection.ehlo_or_helo_if_needed()
    if secure != "ssl" and (secure == "tls" or connection.has_extn("starttls")):
        connection.starttls(context=tls)
    if relay.get("user"):
        connection.login(str(relay["user"]), str(relay["password"]))
    return connection


@contextlib.contextmanager
def by_spool(folder: str, sender: str, operator: t.Mapping[str, str]) -> t.Iterator[Send]:
    """Keep letters on the node, where no relay carries them."""
    os.makedirs(folder, mode=0o700, exist_ok=True)

    def deliver(one: Letter) -> None:
        # By what it is about: another question is another letter.
        path = f"{folder}/{one['key'].replace('/', '.')}.eml"
        text = compose(one, sender, operator).decode("ascii")
        _files.write_file({"path": path, "content": text, "uid": 0, "gid": 0, "mode": 0o600})

    yield deliver


def way(relay: Relay, operator: t.Mapping[str, str]) -> Callable[[], t.ContextManager[Send]]:
    """Return how letters go out."""
    if relay:
        return lambda: by_relay(relay, operator)
    return lambda: by_spool(SPOOL, operator["email"], operator)
