#!/bin/sh
# The install steps of the image, as a script so that they can be run without Docker too: install.sh cpu|gpu TARGET
# Run from the folder that holds pyproject.toml; TARGET becomes a virtual environment with the `valuedrift` command.
set -eu
extra=$1
target=$2
case "$extra" in cpu | gpu) ;; *) echo "install.sh: the first argument is cpu or gpu, got '$extra'" >&2; exit 2 ;; esac

python3 -m venv "$target"
"$target/bin/python" -m pip install --quiet --constraint constraints.txt ".[$extra]"
"$target/bin/valuedrift" --version
