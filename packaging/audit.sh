#!/bin/sh
# Looks for known vulnerabilities in lock files: audit.sh PROGRAM FILE…, where PROGRAM is pip-audit. If the database of
# vulnerabilities cannot be reached, the file is skipped.
program=$1
shift
output=$(mktemp)
trap 'rm -f "$output"' EXIT
worst=0
for file; do
    # osv, because PyPI's service reports a package that it does not know as free of vulnerabilities
    "$program" --vulnerability-service osv --disable-pip --require-hashes --progress-spinner off --timeout 10 \
        --requirement "$file" >"$output" 2>&1
    code=$?
    if grep -qE '^(Found|No known vulnerabilities)' "$output"; then
        echo "audit of $file:"
    elif grep -qE 'ConnectionError|ServiceError' "$output"; then
        echo "audit of $file: SKIPPED, the database of vulnerabilities cannot be reached"
        continue
    fi
    cat "$output"
    [ $code = 0 ] || worst=1
done
exit $worst
