#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
# Makes the tables of one shard as the shard itself, and says "made". Which version of them is
# there stands as a comment on the database; the statements only add what is missing.
set -eu
schema=$1 database=$2
ask() { runuser -u postgres -- psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 "$@"; }
cd /
version=$(sha256sum "$schema" | cut -d' ' -f1)
there=$(ask --command="SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '$database'")
[ "$there" != "$version" ] || exit 0
# Root opens the file: the shard's user need not see the vendor's folder.
runuser -u "$database" -- psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname="$database" <"$schema" >/dev/null
ask --command="COMMENT ON DATABASE \"$database\" IS '$version'"
echo made
