#!/bin/sh
# Checks that the files beside this script are those that were bundled: each is listed in SHA256SUMS, and is what the list
# says. Where there is an rpm command, it checks the package, too. Needs no network. The last line says "good", or what is not.
cd "$(dirname -- "$0")" || exit 1

fail() {
    echo "NOT GOOD: $*"
    exit 1
}

sha256sum --quiet -c SHA256SUMS || fail "see above"
found=$(find . -type f ! -path ./SHA256SUMS | LC_ALL=C sort)
listed=$(sed 's/^[0-9a-f]*  //' SHA256SUMS | LC_ALL=C sort)
[ "$found" = "$listed" ] || fail "SHA256SUMS does not list the files that are here, and no others"

if command -v rpm >/dev/null; then
    # checks the signature, too, if there is one; that needs the signer's public key: rpm --import
    for package in ./*.rpm; do
        rpm -K "$package" || fail "$package"
    done
else
    echo "there is no rpm here: the package is checked by its sum alone"
fi
echo "good"
