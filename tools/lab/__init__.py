# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Make Debian machines for the demo and the tests.

A machine is a container that boots systemd and answers SSH, built from Debian
packages alone, so that Ansible meets what it meets on a server. Only the standard
library is used: the lab works before any Python package is installed.
"""

from __future__ import annotations


class LabError(Exception):
    """Something on this host is not as the lab needs it; the text says what to do."""
