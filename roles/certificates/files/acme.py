#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Order and renew the certificates of this node by ACME: one pass over all of them.

What nginx answers for is read from its files. What is wrong with one domain is reported, and is
no failure; the exit code is 1 when somebody has to look at the node or the authority.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
import typing as t
from dataclasses import asdict, dataclass
from pathlib import Path

import _acme_check
import _acme_handover
import _acme_order
import _acme_store
import _acme_wanted
from _acme_wanted import Settings, Wanted

SETTINGS = Path("/etc/archipel/certificates.json")
# After the first failure, in seconds; twice as long each time, and no longer than a day.
FIRST, LONGEST = 900, 86400
# After so many seconds of a pass the rest waits for the next one.
LONGEST_PASS = 3600
# What a run leaves in the store when somebody waits.
NOW = "now"
# One that comes while a pass goes on is for another one; not without end.
PASSES = 3
# How long certificates of domains that were taken away are kept, in seconds.
KEPT = 30 * 86400
# So many refusals for a limit, and the rest waits for the next pass.
LIMITED = 3
# So many orders in a row fail for no reason of a domain, and the rest waits as well.
FAILED = 2


@dataclass
class Trouble:
    """What is wrong with a certificate, and when it is tried again, in seconds since 1970."""

    kind: str
    reason: str
    tries: int
    again: float


class Pass:
    """One look at everything."""

    def __init__(self, settings: Settings, now: float) -> None:
        self.settings, self.now = settings, now
        self.authority = settings.authority()
        # There while nginx shows what is no longer in the files: a pass that is killed, or a reload
        # that fails, leaves it to the next one.
        self._stale = settings.store / "reload"
        # Of everybody: the authority, this node.
        self.broken: list[str] = []
        self._state = settings.store / "state.json"
        self.troubles, self.gone = self._read()
        self._orders = self._limited = self._failed = 0
        self._new_account = False
        self._at_once = _take_word(settings.store / NOW)

    def _read(self) -> tuple[dict[str, Trouble], dict[str, float]]:
        try:
            found = json.loads(self._state.read_text(encoding="utf-8"))
            troubles = {name: Trouble(**one) for name, one in found["troubles"].items()}
            return troubles, {name: float(at) for name, at in found["gone"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            # Nothing but patience is lost with it.
            return {}, {}

    def run(self) -> None:
        """Order what is due, hand it over, write down how things are."""
        wanted = _acme_wanted.list_wanted(self.settings)
        if self.settings.issuer:
            self._take([one for one in wanted if not one.own], self.settings.issuer)
        due = [one for one in wanted if self._is_due(one)]
        if any(one.own for one in due):
            problem = _acme_check.check_node(self.settings.webroot)
            if problem:
                # Of none of the domains: they are not to wait for it once it is mended.
                self.broken.append(problem)
                due = [one for one in due if not one.own]
        self._order_all(due)
        names = {one.name for one in wanted}
        self.troubles = {name: one for name, one in self.troubles.items() if name in names}
        self._retire({one.name for one in wanted if one.own})
        self._hand_over(wanted)
        self._write(wanted)

    def _take(self, wanted: t.Sequence[Wanted], issuer: _acme_handover.Issuer) -> None:
        """Fetch the platform's certificates from the node that orders them for this one."""
        if not wanted:
            return
        try:
            given = _acme_handover.fetch(issuer)
        except _acme_handover.HandoverError as error:
            for one in wanted:
                self._note(one, "issuer", str(error))
            return
        for one in wanted:
            try:
                if self._is_new(one, given.get(one.name), issuer):
                    self._put(one, given[one.name].files)
                    print(f"{one.name}: handed over by {issuer.node}", flush=True)
            except _acme_order.OrderError as error:
                self._note(one, "issuer", str(error))
            else:
                self.troubles.pop(one.name, None)

    @staticmethod
    def _is_new(
        one: Wanted, given: _acme_handover.Given | None, issuer: _acme_handover.Issuer
    ) -> bool:
        """Tell whether what was handed over is another one than what is there.

        Raises:
            OrderError: it is not what this node is to have.

        """
        if given is None or given.identity != one.identity:
            found = f"it has one for {given.identity}" if given else "it has none"
            raise _acme_order.OrderError(
                "issuer",
                f"{issuer.node} orders it for this node, and {found} where {one.identity} is "
                f"wanted: converge {issuer.node}",
            )
        if not _acme_handover.is_pair(given.files):
            text = f"{issuer.node} handed over a key that is not the certificate's"
            raise _acme_order.OrderError("issuer", text)
        held = one.place.held()
        shown = one.place.link / "fullchain.pem"
        same = held is not None and shown.read_bytes() == given.files["fullchain.pem"]
        return not same or held is None or held.identity != one.identity

    def _is_due(self, one: Wanted) -> bool:
        if not one.own and self.settings.issuer:
            return False
        trouble = self.troubles.get(one.name)
        waits = trouble is not None and self.now < trouble.again
        waits = waits and not self._at_once(one)
        due = _acme_store.is_due(one.name, one.identity, one.place.held(), self.now)
        return due and not waits

    def _order_all(self, due: t.Sequence[Wanted]) -> None:
        # What has failed before stands behind; then what is missing, and what has least left.
        def rank(one: Wanted) -> tuple[bool, float]:
            held = one.place.held()
            return one.name in self.troubles, held.until if held else 0.0

        end = time.monotonic() + LONGEST_PASS
        for one in sorted(due, key=rank):
            if self._limited >= LIMITED or self._failed >= FAILED or time.monotonic() > end:
                return
            if self._orders >= self.settings.orders:
                return
            self._try(one)

    def _try(self, one: Wanted) -> None:
        try:
            if one.own:
                _acme_check.check(one.name, self.settings.webroot, self.settings.addresses)
            self._orders += 1
            self._put(one, self._order(one))
        except _acme_check.NotOursError as error:
            self._note(one, "domain", str(error))
        except _acme_order.OrderError as error:
            self._note(one, error.kind, str(error))
            self._limited += error.kind == "limited"
            self._failed += error.kind in {"account", "authority"}
            if self._failed == FAILED:
                self.broken.append(f"nothing more is ordered now: {error}")
        else:
            self._failed = 0
            self.troubles.pop(one.name, None)
            print(f"{one.name}: ordered", flush=True)

    def _order(self, one: Wanted) -> dict[str, bytes]:
        """Order; with a new account, once in a pass, where the authority no longer knows ours.

        Raises:
            OrderError: none was had.

        """
        # Those of the platform must be there before nginx is.
        by_dns = not one.own
        try:
            return _acme_order.order(self.authority, one.domains, by_dns=by_dns)
        except _acme_order.OrderError as error:
            if error.kind != "account" or self._new_account:
                raise
            self._new_account = True
            print(f"the authority refuses the account ({error}): a new one is made", flush=True)
            _acme_order.renew_account(self.authority)
            return _acme_order.order(self.authority, one.domains, by_dns=by_dns)

    def _put(self, one: Wanted, issued: t.Mapping[str, bytes]) -> None:
        """Let what was had take its place.

        Raises:
            OrderError: it is no certificate.

        """
        beside = one.place.versions
        beside.mkdir(mode=0o750, parents=True, exist_ok=True)
        file = beside / f".{one.name}.pem"
        file.write_bytes(issued["fullchain.pem"])
        try:
            found = _acme_store.inspect(file)
        except ValueError as error:
            raise _acme_order.OrderError("authority", str(error)) from None
        finally:
            file.unlink()
        held = _acme_store.Held(found.since, found.until, one.identity)
        self._stale.touch()
        one.place.put(issued, held)

    def _note(self, one: Wanted, kind: str, reason: str) -> None:
        before = self.troubles.get(one.name)
        tries = before.tries + 1 if before else 1
        pause = min(FIRST * 2 ** min(tries - 1, 20), LONGEST)
        if kind == "limited":
            pause = max(pause, 3600)
        # Not all at the same moment again.
        pause *= 1 + _acme_store.share(one.name) / 10
        self.troubles[one.name] = Trouble(kind, reason, tries, self.now + pause)
        print(f"{one.name}: {reason}", flush=True)

    def _retire(self, served: t.Collection[str]) -> None:
        """Keep what nobody asks for any more for a while, then remove it with its key."""
        there = {link.name for link in self.settings.names.glob("[a-z0-9]*")}
        self.gone = {name: self.gone.get(name, self.now) for name in there - set(served)}
        for name, since in list(self.gone.items()):
            if self.now - since > KEPT:
                _acme_wanted.find_own(self.settings, name).remove()
                del self.gone[name]
                print(f"{name}: removed, nobody has asked for it for a month", flush=True)

    def _hand_over(self, wanted: t.Sequence[Wanted]) -> None:
        """Let nginx know which names have a certificate; reload it if anything changed."""
        if self.settings.vhosts is None:
            self._reload()
            return
        self._copy_fallback()
        place = self.settings.map
        names = {one.name: one.place.link for one in wanted if one.own and one.place.held()}
        before = place.read_text(encoding="utf-8") if place.is_file() else ""
        text = _acme_store.render_map(names)
        if text != before:
            self._stale.touch()
            _acme_store.write(place, text)
        if not self._reload():
            # It must not be what nginx cannot start with either.
            _acme_store.write(place, before)

    def _copy_fallback(self) -> None:
        """Copy what is shown for a name that has none yet: the wildcard, for nginx's workers."""
        source = self.settings.tls / "wildcard"
        place = _acme_wanted.find_own(self.settings, _acme_wanted.FALLBACK)
        held = _acme_store.Place(source, source, 0).held()
        if held is None:
            return
        texts = {name: (source / name).read_bytes() for name in _acme_store.FILES}
        shown = place.link / "fullchain.pem"
        if shown.is_file() and shown.read_bytes() == texts["fullchain.pem"]:
            return
        place.link.parent.mkdir(mode=0o750, exist_ok=True)
        os.chown(place.link.parent, -1, place.gid)
        self._stale.touch()
        place.put(texts, held)

    def _reload(self) -> bool:
        if not self._stale.exists():
            return True
        for unit in self.settings.units:
            # One that is not there yet, or does not run, reads all of it when it starts.
            state = _systemctl("show", "--property=ActiveState", "--value", unit)
            if state.stdout.strip() in {"inactive", "failed"}:
                continue
            done = _systemctl("try-reload-or-restart", unit)
            if done.returncode:
                name = unit.removesuffix(".service")
                self.broken.append(f"{name} was not reloaded: {done.stderr.strip()[-500:]}")
                return False
        self._stale.unlink()
        return True

    def _write(self, wanted: t.Sequence[Wanted]) -> None:
        """Write what the next pass, programs and people read."""
        held = {one.name: found for one in wanted if (found := one.place.held())}
        self.broken += self._list_late(wanted, held)
        troubles = {name: asdict(one) for name, one in sorted(self.troubles.items())}
        state = {"troubles": troubles, "gone": self.gone}
        _acme_store.write(self._state, f"{json.dumps(state, indent=1)}\n", 0o600)
        certificates = {
            one.name: {
                "own": one.own,
                "until": held[one.name].until if one.name in held else None,
                "problem": troubles.get(one.name),
            }
            for one in wanted
        }
        report = {"version": 1, "time": self.now, "problems": self.broken}
        text = json.dumps({**report, "certificates": certificates}, indent=1)
        _acme_store.write(self.settings.store / "report.json", f"{text}\n")
        if self.settings.metrics and self.settings.metrics.is_dir():
            text = _acme_store.render_metrics(held, self.troubles)
            _acme_store.write(self.settings.metrics / "archipel_certificates.prom", text)

    def _list_late(
        self, wanted: t.Sequence[Wanted], held: t.Mapping[str, _acme_store.Held]
    ) -> list[str]:
        """Return what somebody has to look at. A domain whose owner has to act is not it."""
        late = []
        for one in wanted:
            trouble = self.troubles.get(one.name)
            if one.own and (trouble is None or trouble.kind == "domain" or one.name not in held):
                continue
            why = f": {trouble.reason}" if trouble else ""
            if one.name not in held:
                late.append(f"{one.name}: there is none{why}")
            elif _acme_store.is_late(held[one.name], self.now):
                days = (held[one.name].until - self.now) / 86400
                late.append(f"{one.name}: ends in {days:.1f} days{why}")
        return late


def _take_word(path: Path) -> t.Callable[[Wanted], bool]:
    """Take what a run has left; return what tells whether somebody waits for a certificate.

    Those of the platform, if there is a word at all; of own domains those that it names.
    """
    try:
        named = path.read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return lambda _: False
    path.unlink(missing_ok=True)
    return lambda one: not one.own or one.name in named


def _systemctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["systemctl", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def list_missing(settings: Settings) -> list[str]:
    """Return the platform's certificates that are not there as they are wanted."""
    return [
        one.name
        for one in _acme_wanted.list_wanted(settings)
        if not one.own and not ((held := one.place.held()) and held.identity == one.identity)
    ]


def main(arguments: t.Sequence[str] = (), path: Path = SETTINGS) -> int:
    """Make one pass, nobody else does at the same time; or say what is missing, or hand over."""
    # nginx reads the words of challenges, lego's too; what is secret says its own mode.
    os.umask(0o022)
    settings = _acme_wanted.load(path)
    if "--give" in arguments:
        names = _acme_handover.parse_names(arguments)
        sys.stdout.write(_acme_handover.give(settings.tls, names))
        return 0
    if "--missing" in arguments:
        print("\n".join(list_missing(settings)))
        return 0
    settings.store.mkdir(mode=0o700, parents=True, exist_ok=True)
    (settings.webroot / _acme_check.CHALLENGES).mkdir(parents=True, exist_ok=True)
    with (settings.store / "lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _acme_order.forget(settings.store)
        _acme_check.forget(settings.webroot)
        for _ in range(PASSES):
            current = Pass(settings, time.time())
            current.run()
            if not (settings.store / NOW).exists():
                break
    for problem in current.broken:
        print(f"<3>{problem}", file=sys.stderr)
    return 1 if current.broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
