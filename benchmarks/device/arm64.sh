#!/usr/bin/env bash
# The base install and the demo on an emulated 64-bit Raspberry Pi userland, beside this machine's.
#
#   benchmarks/device/arm64.sh [FOLDER]
#
# Needs Debian's debootstrap and qemu-user-static. It bootstraps an arm64 Debian 12 (Python 3.11) into FOLDER,
# lays the pinned aarch64 wheels beside it, and runs `wakeword demo --fast` and `wakeword detect
# --json` under qemu-user; the detections must come at this machine's times. The speed means nothing.
set -euo pipefail
project=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(mkdir -p "${1:-build/arm64}" && cd "${1:-build/arm64}" && pwd)
python=${PYTHON:-$project/.venv/device/bin/python}
root=$folder/root wheels=$folder/wheels

if [ ! -e "$root/usr/bin/python3.11" ]; then
	rm -rf "$root"
	debootstrap --arch=arm64 --variant=minbase --foreign --include=python3 bookworm "$root"
	for deb in "$root"/var/cache/apt/archives/*.deb; do dpkg-deb -x "$deb" "$root"; done
fi
rm -rf "$wheels" "$folder/site" && mkdir -p "$wheels" "$folder/site"
platforms=$(for n in 17 27 28 31; do echo "--platform manylinux_2_${n}_aarch64"; done)
# shellcheck disable=SC2046,SC2086
"$python" -m pip download --quiet --dest "$wheels" --only-binary=:all: --python-version 3.11 \
	$platforms --platform manylinux2014_aarch64 --constraint "$project/constraints.txt" \
	$("$python" - "$project/pyproject.toml" <<-'END'
		import sys
		from wakeword.spec import read_toml
		print(*(r for r in read_toml(sys.argv[1])["project"]["dependencies"] if ";" not in r))
	END
	)
for wheel in "$wheels"/*.whl; do "$python" -m zipfile -e "$wheel" "$folder/site"; done

arm() { PYTHONPATH="$folder/site:$project" qemu-aarch64-static -L "$root" "$root/usr/bin/python3.11" -m wakeword.cli "$@"; }
cd "$folder"
recording=$project/wakeword/recordings/robert_turn_on.flac
arm demo --fast || echo "the demo failed there with status $?"
arm detect "$recording" --json >arm64.jsonl
PYTHONPATH=$project "$python" -m wakeword.cli detect "$recording" --json >here.jsonl
"$python" - <<'END'
import json
here, there = ([json.loads(x) for x in open(f)] for f in ("here.jsonl", "arm64.jsonl"))
assert [x["time_s"] for x in here] == [x["time_s"] for x in there], (here, there)
apart = max(abs(a["score"] - b["score"]) for a, b in zip(here, there, strict=True))
print(f"{len(here)} detections, at the same times on both; scores at most {apart:.4f} apart")
END
