# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""One space whose PHP believes that it is later than it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from testinfra.host import Host

from tests.support.layout import Units


@contextmanager
def later(node: Host, slug: str, seconds: int) -> Iterator[None]:
    """Have the PHP of a space see another time meanwhile; nothing else on the machine does."""
    node.check_output(
        "DEBIAN_FRONTEND=noninteractive apt-get install -qq -y libfaketime >/dev/null"
    )
    library = node.check_output("ls /usr/lib/*/faketime/libfaketime.so.1")
    folder = f"/run/systemd/system/{Units(slug).php}.d"
    clock = f"FAKETIME=+{seconds}s FAKETIME_DONT_FAKE_MONOTONIC=1"
    lines = f"[Service]\\nEnvironment=LD_PRELOAD={library} {clock}\\n"
    again = f"systemctl daemon-reload && systemctl stop {Units(slug).php}"
    node.check_output(f"mkdir -p {folder} && printf '{lines}' >{folder}/90-clock.conf && {again}")
    try:
        yield
    finally:
        node.check_output(f"rm -r {folder} && {again}")
