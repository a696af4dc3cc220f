# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What is done to whole spaces: backup, restore, upgrade, export, purge."""
