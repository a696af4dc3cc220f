# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a change of the registry or of the policy is, and would do: two states compared."""
