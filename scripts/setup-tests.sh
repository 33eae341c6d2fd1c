#!/usr/bin/env bash
# Installs what the tests use besides npm packages: real PostgreSQL clients and a second server
# version, and real AWS clients. As root on Debian it installs what is missing; elsewhere it says what
# is missing, and the tests that need it name it when they are skipped. Starts no service.
set -uo pipefail

missing=()
command -v psql >/dev/null 2>&1 || missing+=(postgresql-client)
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || missing+=(postgresql)
[ -x /usr/bin/aws ] || missing+=(awscli)
/usr/bin/python3 -c 'import boto3' >/dev/null 2>&1 || missing+=(python3-boto3)
[ "${#missing[@]}" -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "setup-tests: not installed here: ${missing[*]}; tests that need them are skipped and say so" >&2
  exit 0
fi
echo "setup-tests: installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
# Debian's package would otherwise create and start a cluster of its own.
mkdir -p /etc/postgresql-common
[ -e /etc/postgresql-common/createcluster.conf ] ||
  echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
log=$(mktemp)
if ! { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -5 "$log" >&2
  echo "setup-tests: could not install ${missing[*]}; tests that need them are skipped and say so" >&2
fi
rm -f "$log"
exit 0
