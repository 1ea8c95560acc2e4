#!/bin/sh
# Checks that the files beside this script are the bundled ones: SHA256SUMS lists each of them with its checksum. If rpm is
# installed, it checks the package too. Needs no network. The last line is "good", or says what is wrong.
cd "$(dirname -- "$0")" || exit 1

fail() {
    echo "NOT GOOD: $*"
    exit 1
}

sha256sum --quiet -c SHA256SUMS || fail "see above"
found=$(find . -type f ! -path ./SHA256SUMS | LC_ALL=C sort)
listed=$(sed 's/^[0-9a-f]*  //' SHA256SUMS | LC_ALL=C sort)
[ "$found" = "$listed" ] || fail "the files in this folder are not those that SHA256SUMS lists"

if command -v rpm >/dev/null; then
    # also checks the signature, if there is one; that needs the signer's public key (rpm --import)
    for package in ./*.rpm; do
        rpm -K "$package" || fail "$package"
    done
else
    echo "rpm is not installed: only the checksum of the package was verified"
fi
echo "good"
