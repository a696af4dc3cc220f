# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The edges of the node's code: JSON that comes in or goes out, and what Ansible takes.

Only types. Between the edges every value has a type of its own; a policy test holds that.
"""

from __future__ import annotations

import typing as t

# What a file or a program says: a journal, a record, a manifest, an answer.
Json = t.Mapping[str, t.Any]
# The same, where it is put together or changed.
JsonObject = dict[str, t.Any]
# Options of a module, as Ansible describes them.
Spec = dict[str, t.Any]
# What a module hands to Ansible beside changes and failures.
Facts = dict[str, t.Any]
