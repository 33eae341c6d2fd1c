#!/usr/bin/env bash
# Installs what the tests use besides npm packages: real PostgreSQL clients and a second server
# version, a MariaDB server with its client and sysbench, and real AWS clients. As root on Debian it installs what is missing; elsewhere it says what
# is missing, and the tests that need it name it when they are skipped. Starts no service.
set -uo pipefail

missing=()
command -v psql >/dev/null 2>&1 || missing+=(postgresql-client)
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || missing+=(postgresql)
[ -x /usr/sbin/mariadbd ] || missing+=(mariadb-server)
command -v mariadb >/dev/null 2>&1 || missing+=(mariadb-client)
command -v mariabackup >/dev/null 2>&1 || missing+=(mariadb-backup)
command -v sysbench >/dev/null 2>&1 || missing+=(sysbench)
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
# Packages of servers start them; not on a machine that only tests. A policy that is there stays.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
log=$(mktemp)
if ! { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -5 "$log" >&2
  echo "setup-tests: could not install ${missing[*]}; tests that need them are skipped and say so" >&2
fi
rm -f "$log"
# Nor with the machine's next start.
case " ${missing[*]} " in
  *" mariadb-server "*) systemctl disable mariadb.service >/dev/null 2>&1 || true ;;
esac
exit 0
