#!/usr/bin/env bash
# The tests drive a real browser, a real Redis and a real PostgreSQL. Looks for them, installs what is missing where that
# is possible (root and apt), and otherwise says in one line which tests will be skipped. Under CI a missing program fails.
set -euo pipefail
PATH="$PATH:/usr/sbin:/sbin"

missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v redis-server >/dev/null || missing+=(redis-server)
# Debian keeps initdb and postgres in a folder of their version, off the PATH; tests/own_postgres.py looks there, too
command -v initdb >/dev/null || compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || missing+=(postgresql)
[ "${#missing[@]}" -eq 0 ] && exit 0

# Installing PostgreSQL would make a database cluster for the machine; the tests make theirs in temporary folders
without_cluster() {
    case " ${missing[*]} " in *" postgresql "*) ;; *) return 0 ;; esac
    apt-get -qq install -y --no-install-recommends postgresql-common >/dev/null &&
        sed -ri 's/^#?\s*(create_main_cluster)\b.*$/\1 = false/' /etc/postgresql-common/createcluster.conf
}

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "system programs: installing ${missing[*]}"
    # RUNLEVEL=1 keeps the packages from starting servers of their own: the tests start theirs on free ports
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    if apt-get -qq update && without_cluster && apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null; then
        exit 0
    fi
    echo "system programs: apt-get failed"
fi
echo "system programs: tests that need ${missing[*]} will be skipped; on Debian: sudo apt-get install ${missing[*]}"
[ -z "${CI:-}" ] || exit 1
