#!/bin/bash
# sources.sh FOLDER SUITE PACKAGE…: fetches Debian's source packages of a suite into FOLDER.
#
# apt checks the suite's signature, and through it the checksum of every file. Its configuration is a private one below
# FOLDER/apt, made of the machine's own sources with another suite: nothing under /etc/apt or /var/lib/apt is touched, and
# root rights are not needed. FOLDER/SOURCES tells what was taken, FOLDER/SHA256SUMS its checksums.
set -euo pipefail
export LC_ALL=C

folder=$(realpath "$1")
suite=$2
shift 2
apt=$folder/apt
here=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
[ -n "$here" ] || { echo "sources.sh needs Debian: /etc/os-release names no release" >&2; exit 1; }

rm -rf "$apt"
mkdir -p "$apt/sources" "$apt/lists/partial" "$apt/cache/archives/partial"
# a file of this release's own, in apt's newer form: sources instead of programs, SUITE instead of this release
for file in /etc/apt/sources.list.d/*.sources; do
    grep -qsE "^Suites:.*\b$here\b" "$file" || continue
    sed -E "s/^Types:.*/Types: deb-src/; /^Suites:/s/\b$here\b/$suite/g" "$file" >"$apt/sources/${file##*/}"
done
# the same in the one-line form
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -e "$file" ] || continue
    sed -nE "s/^deb( .*[[:space:]])$here((-updates|-security)?[[:space:]])/deb-src\1$suite\2/p" "$file" \
        >>"$apt/sources/one-line.list"
done
cat >"$apt/apt.conf" <<EOF
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$apt/sources";
Dir::State::lists "$apt/lists";
Dir::Cache "$apt/cache";
APT::Sandbox::User "$(id -un)";
EOF
export APT_CONFIG=$apt/apt.conf
apt-get update

cd "$folder"
rm -f ./*.dsc ./*.tar.* SOURCES WARNINGS

# fetch PACKAGE: its newest version that the mirror has. A mirror may list an update before it has the files.
fetch() {
    local version
    # --only-source: a name is otherwise looked up among installed programs first
    for version in $(apt-cache showsrc --only-source "$1" | sed -n 's/^Version: //p' | sort -ruV); do
        if apt-get -o APT::Get::AllowUnauthenticated=false source --download-only --only-source "$1=$version"; then
            echo "$1 $version" >>SOURCES
            return
        fi
        echo "WARNING: $1 $version is listed but not there; an older version is taken" | tee -a WARNINGS
        rm -f "$1"_*
    done
    echo "$suite has no source of $1" >&2
    return 1
}

for package in "$@"; do
    fetch "$package"
done
sha256sum ./*.dsc ./*.tar.* >SHA256SUMS
