# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Whether somebody takes connections."""

from __future__ import annotations

import socket

from ansible_collections.archipel.spaces.plugins.module_utils._system import _connections


def test_a_node_that_takes_a_connection_answers():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert _connections.answering(["127.0.0.1"], [port, 1]) == [f"127.0.0.1 port {port}"]
    assert _connections.answering(["127.0.0.1", "no-such-host.invalid"], [port]) == []
    assert _connections.answering([], [22]) == []
