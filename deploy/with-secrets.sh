#!/bin/sh
# Run a command with the password of the Dagster storage in its environment; dagster.yaml cannot read a file.
set -eu
if [ -e /run/secrets/postgres_password ]; then
    DAGSTER_PG_PASSWORD="$(cat /run/secrets/postgres_password)"
    export DAGSTER_PG_PASSWORD
fi
exec "$@"
