#!/bin/sh
# The Debian programs that some tests need: installed when we may, named when we may not.
# In CI a missing one is an error: a test skipped there is a test that nobody runs.
set -eu
list=$(sed 's/#.*//' "$(dirname "$0")/system-packages.txt" 2>/dev/null | xargs)
[ -n "$list" ] || exit 0
command -v dpkg-query >/dev/null || { echo "Not a Debian system; some tests will be skipped without: $list"; exit 0; }
missing=""
for name in $list; do
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing="$missing $name"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ]; then
	apt-get update -qq
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
	echo "Some tests will be skipped; to run them: sudo apt install$missing"
	[ -z "${CI:-}" ] || exit 1
fi
