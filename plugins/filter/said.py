# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Filter said: a sentence of a playbook in the language of its reader."""

from __future__ import annotations

DOCUMENTATION = r"""
name: said
short_description: A sentence in the language of who runs the playbook
version_added: 0.2.0
author:
  - The Archipel contributors
description:
  - Translates a sentence of this collection, and fills in its words. The language is that of the
    terminal, or C(archipel_language).
  - A sentence that is in no catalogue stays as it is.
options:
  _input:
    description: The sentence in English, with C({word}) for what is filled in.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Say that nothing was decided
  ansible.builtin.debug:
    msg: "{{ 'Nothing was decided. {refused}' | archipel.spaces.said(refused=problems) }}"
  vars:
    problems: "only: name the spaces"
"""

RETURN = r"""
_value:
  description: The sentence.
  type: str
"""

import typing as t

from ansible_collections.archipel.spaces.plugins.plugin_utils._core import _messages


def said(text: str, **words: object) -> str:
    """Return a sentence in the reader's language."""
    return _messages._(str(text), **words)


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {"said": said}
