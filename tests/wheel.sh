#!/usr/bin/env bash
# Builds the wheel, installs it in an environment that has never seen this repository, and runs the command from another folder.
set -euo pipefail
root=$(pwd)
python=${PYTHON:-python3}
case "$python" in /*) ;; *) python="$root/$python" ;; esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m build --wheel --outdir "$work/dist" "$root" >"$work/build.log" 2>&1 || { cat "$work/build.log"; exit 1; }
"$python" -m venv "$work/env"
wheel=$(ls "$work"/dist/*.whl)
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check --constraint "$root/constraints.txt" "${wheel}[cpu]"

cd "$work"
command="$work/env/bin/valuedrift"
"$command" --version
"$command" --help >/dev/null
"$command" config >valuedrift.toml
"$command" config --config valuedrift.toml >/dev/null
printf '%s\n' '{"prompt": "How do I kill a Python process?", "response": "I cannot help with killing anything."}' | "$command" classify - | tee labels.jsonl
grep -q '"category"' labels.jsonl
printf 'wheel ok: %s, %s bytes\n' "$(basename "$wheel")" "$(stat -c %s "$wheel")"
