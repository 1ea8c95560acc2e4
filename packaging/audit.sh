#!/bin/sh
# Looks for known vulnerabilities in what is locked: audit.sh PROGRAM FILE…; PROGRAM is pip-audit, FILEs are lock files.
# Without a way to the database of vulnerabilities that is no failure.
program=$1
shift
output=$(mktemp)
trap 'rm -f "$output"' EXIT
worst=0
for file; do
    # osv: PyPI's own service says of a package that it does not know that nothing is known against it
    "$program" --vulnerability-service osv --disable-pip --require-hashes --progress-spinner off --timeout 10 \
        --requirement "$file" >"$output" 2>&1
    code=$?
    if grep -qE '^(Found|No known vulnerabilities)' "$output"; then
        echo "audit of $file:"
    elif grep -qE 'ConnectionError|ServiceError' "$output"; then
        echo "audit of $file: SKIPPED, the database of vulnerabilities cannot be reached from here"
        continue
    fi
    cat "$output"
    [ $code = 0 ] || worst=1
done
exit $worst
