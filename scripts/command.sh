#!/bin/sh
# HostFactory calls this script with -f input.json. It runs the program with the script's own name: in bin/ of the installed
# folder, or in hfstack/ of the frozen one. build/freeze.py copies it once for each command.
self=$(readlink -f -- "$0") && top=$(dirname -- "$(dirname -- "$self")")
name=$(basename -- "$self" .sh)
for program in "$top/bin/$name" "$top/hfstack/$name"; do
    [ -x "$program" ] && exec "$program" "$@"
done
printf '{"message": "%s: program %s not found: the installation of hfstack is incomplete"}\n' "$name" "$top/bin/$name"
exit 1
