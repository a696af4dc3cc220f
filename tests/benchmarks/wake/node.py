#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Put spaces to sleep and wake them, variants of their units in turns; runs on the node.

Reads ``{"domain": …, "slugs": […], "runs": …, "variants": {name: {unit: text of a drop-in}}}`` and
prints ``{name: [wake, …]}``, a wake being seconds: until Redis and PHP were ready, of the first
login page and of the next one, and the processor time of both units until then; null where a page
failed. The units as they are must not fail.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
import typing as t
from pathlib import Path

UNITS = Path("/run/systemd/system")
DROPIN = "90-bench.conf"
Variants = t.Mapping[str, t.Mapping[str, str]]
Wake = dict[str, float]


def systemctl(*arguments: str) -> str:
    """Ask systemd; return what it says."""
    done = subprocess.run(["systemctl", *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def processor(kind: str, slug: str) -> float:
    """Return the processor seconds of a unit's processes since it began, its sandbox included."""
    unit = f"space-{kind}@{slug}.service"
    pid = systemctl("show", "--property=MainPID", "--value", unit).strip()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    ticks = 0
    for one in (pid, *children):
        # After the name, which may hold spaces: its own time, and that of children that ended.
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(int(value) for value in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def login(host: str) -> float:
    """Return the seconds of a login page.

    Raises:
        RuntimeError: something else answered.

    """
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    start = time.monotonic()
    plain = socket.create_connection(("127.0.0.1", 443), timeout=60)
    connection = http.client.HTTPConnection(host)
    connection.sock = context.wrap_socket(plain, server_hostname=host)
    connection.request("GET", "/index.php/login")
    answer = connection.getresponse()
    answer.read()
    seconds = time.monotonic() - start
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"https://{host}/index.php/login answers {answer.status}")
    return seconds


def use(units: t.Mapping[str, str]) -> None:
    """Give the units of spaces these drop-ins, and no others of ours."""
    for path in UNITS.glob(f"*.d/{DROPIN}"):
        path.unlink()
    for unit, text in units.items():
        folder = UNITS / f"{unit}.d"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / DROPIN).write_text(text)
    systemctl("daemon-reload")


def sleep(slug: str) -> None:
    """Stop a space as an idle one is, and await that nothing of it runs.

    Raises:
        TimeoutError: its Redis did not stop.

    """
    php, redis = f"space-php@{slug}.service", f"space-redis@{slug}.service"
    systemctl("stop", php)
    # Here they start more often than systemd lets a unit.
    systemctl("reset-failed", php, redis)
    for _ in range(100):
        if systemctl("show", "--property=ActiveState", "--value", redis).strip() == "inactive":
            # What systemd still has to do afterwards is not part of waking.
            time.sleep(0.3)
            return
        time.sleep(0.1)
    raise TimeoutError(f"{redis} does not stop")


def ready(kind: str, slug: str, since: float) -> float:
    """Return after how many seconds a unit of a space was ready; 0 if it was before."""
    unit = f"space-{kind}@{slug}.service"
    shown = systemctl("show", "--property=ActiveEnterTimestampMonotonic", "--value", unit)
    return max(int(shown) / 1e6 - since, 0.0)


def wake(domain: str, slug: str) -> Wake:
    """Wake one space that sleeps; return the seconds of each part.

    Raises:
        RuntimeError: a page failed.

    """
    sleep(slug)
    since = time.monotonic()
    first = login(f"{slug}.{domain}")
    work = {f"{kind} processor": processor(kind, slug) for kind in ("redis", "php")}
    return {
        "redis": ready("redis", slug, since),
        "php": ready("php", slug, since),
        "asleep": first,
        "awake": login(f"{slug}.{domain}"),
        **work,
    }


def attempt(domain: str, slug: str, units: t.Mapping[str, str]) -> Wake | None:
    """Wake a space whose units have these drop-ins; return nothing if a page failed with them."""
    try:
        return wake(domain, slug)
    except RuntimeError:
        # What a setting would break is part of what is compared; without one it is a fault.
        if not units:
            raise
        return None


def measure(domain: str, slugs: t.Sequence[str], runs: int, variants: Variants) -> t.Any:
    """Wake spaces so many times with each variant, in turns; leave the units as they were."""
    found: dict[str, list[Wake | None]] = {name: [] for name in variants}
    try:
        for number in range(runs):
            # Each of them is the first as often as the others.
            names = list(variants)
            names = names[number % len(names) :] + names[: number % len(names)]
            for name in names:
                use(variants[name])
                found[name].append(attempt(domain, slugs[number % len(slugs)], variants[name]))
    finally:
        use({})
        for path in UNITS.glob("space-*.d"):
            if not any(path.iterdir()):
                shutil.rmtree(path)
    return found


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    print(json.dumps(measure(asked["domain"], asked["slugs"], asked["runs"], asked["variants"])))
