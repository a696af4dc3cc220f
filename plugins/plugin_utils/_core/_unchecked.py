# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The edges of the controller's code, where values come in that nobody has checked yet.

Between them every value has a type of its own: `_space`, `_render_context`, and the payloads of
module_utils. A policy test holds that.
"""

from __future__ import annotations

import typing as t

# What people wrote, as YAML or JSON, or what a file says: any key, any value.
Unchecked = t.Mapping[str, t.Any]
# The same, where it is put together.
Draft = dict[str, t.Any]
# The variables of a task, and what a module answers: Ansible's own.
Variables = t.Mapping[str, t.Any]
Result = dict[str, t.Any]
