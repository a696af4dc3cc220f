# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Programs that run Archipel on one machine: the lab and the demo."""
