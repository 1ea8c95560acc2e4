#!/bin/sh
# HostFactory calls this with -f input.json. It runs the program of its own name: installed beside this folder in bin/,
# or frozen in a checkout. All of these scripts are the same.
self=$(readlink -f -- "$0") && top=$(dirname -- "$(dirname -- "$self")")
name=$(basename -- "$self" .sh)
for program in "$top/bin/$name" "$top/dist/linux-x86_64/hfstack/$name"; do
    [ -x "$program" ] && exec "$program" "$@"
done
printf '{"message": "%s: there is no program %s, hfstack is not installed completely"}\n' "$name" "$top/bin/$name"
exit 1
