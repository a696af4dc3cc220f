# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""MariaDB: accounts, databases, dumps."""
