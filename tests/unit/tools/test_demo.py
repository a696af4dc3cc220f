# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What the demo tells people."""

from __future__ import annotations

import socket

import pytest
from rich.console import Console

from tools import demo, inventory, table
from tools.lab import LabError


def test_a_taken_port_is_named_with_a_way_out(monkeypatch: pytest.MonkeyPatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setattr(demo, "HTTPS_PORT", port)
        monkeypatch.setattr(demo, "SSH_PORT", free_port())
        with pytest.raises(LabError, match=rf"port {port} .*ARCHIPEL_DEMO_HTTPS_PORT="):
            demo._refuse_busy_ports()


def test_the_table_names_everyone_and_takes_no_name_for_markup():
    space = {
        "name": "[bold]Lili[/bold]",
        "status": "approved",
        "domains": ["lili.example.org"],
        "release": "33.0.0",
        "office": "collabora",
        "accounts": 50,
        "storage_gb": 40,
    }
    report = {"requested": [{"name": "Jardin"}], "refused": [{"name": "Promo"}]}
    console = Console(width=200, record=True, file=None, quiet=False)
    with console.capture() as captured:
        console.print(table._table(inventory.Inventory([space], report), 8443))
    shown = captured.get()
    assert "[bold]Lili[/bold]" in shown
    assert "https://lili.example.org:8443" in shown
    assert "Jardin" in shown
    assert "Promo" in shown


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])
