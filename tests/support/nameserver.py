# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A name server on the loopback that answers from a zone file, as BIND writes them."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.zone


def _closest(zone: dns.zone.Zone, name: dns.name.Name) -> Any:
    """Return what there is at a name: its own, or what the wildcard above it says."""
    if node := zone.get_node(name):
        return node
    above = name.parent()
    # A wildcard says nothing below a name that is there.
    return zone.get_node(dns.name.from_text("*", above)) if name != zone.origin else None


def answer(zones: list[dns.zone.Zone], asked: dns.message.Message) -> dns.message.Message:
    """Return the answer to a question, through as many CNAMEs as there are."""
    said = dns.message.make_response(asked)
    said.flags |= dns.flags.AA | dns.flags.RA
    question = asked.question[0]
    name = question.name
    while True:
        zone = next((one for one in zones if one.origin and name.is_subdomain(one.origin)), None)
        node = _closest(zone, name) if zone else None
        if node is None:
            said.set_rcode(dns.rcode.NXDOMAIN)
            return said
        for kind in (question.rdtype, dns.rdatatype.CNAME):
            found = node.get_rdataset(question.rdclass, kind)
            if found:
                said.answer.append(dns.rrset.from_rdata_list(name, found.ttl, list(found)))
                break
        else:
            return said
        if kind != dns.rdatatype.CNAME or question.rdtype == kind:
            return said
        name = found[0].target


@contextmanager
def serving(
    *texts: str, rcode: dns.rcode.Rcode | None = None, silent: bool = False
) -> Iterator[str]:
    """Serve zones; yield the server as address#port.

    Args:
        texts: zone files, each with its $ORIGIN.
        rcode: what to say to everything.
        silent: to say nothing at all.

    """
    zones = [dns.zone.from_text(text, relativize=False, check_origin=False) for text in texts]

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, socket = self.request
            asked = dns.message.from_wire(data)
            said = answer(zones, asked)
            if rcode is not None:
                said = dns.message.make_response(asked)
                said.set_rcode(rcode)
            if not silent:
                socket.sendto(said.to_wire(), self.client_address)

    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"127.0.0.1#{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
