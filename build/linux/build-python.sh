#!/bin/bash
# build-python.sh FOLDER: builds the CPython that hfstack is frozen with, in FOLDER/python.
#
# The result runs on every x86_64 Linux with glibc 2.17 or newer: the compiler is zig, which knows the symbols of each
# glibc. The sources come from a stable Debian release. OpenSSL, zlib, libffi, xz and bzip2 are linked statically, and
# libpython contains all extension modules of the standard library. sqlite3, readline, curses, tkinter, dbm and the tests
# are not built.
#
# Needs Debian 12 or newer, but not root. Each finished step leaves a stamp and is not repeated: after a failure, run the
# same command again. At the end only FOLDER/python and its records remain; SOURCES lists what it was built from.
set -euo pipefail
umask 022
export LC_ALL=C TZ=UTC PYTHONHASHSEED=0
unset PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME CFLAGS CPPFLAGS LDFLAGS MAKEFLAGS

suite=trixie
version=3.13
libraries="zlib bzip2 libffi xz-utils openssl"

here=$(dirname "$(realpath "$0")")
mkdir -p "$1"
work=$(realpath "$1")
source=$work/source
static=$work/static
log=$work/log
mkdir -p "$source" "$static/lib" "$static/include" "$log" "$work/bin" "$work/stamps"

export ZIG=$work/bin/zig ZIG_TARGET=x86_64-linux-gnu.2.17 ZIG_EMPTY_SOURCE=$work/empty.c ZIG_ROOT=$work
export ZIG_GLOBAL_CACHE_DIR=$work/zig-cache ZIG_LOCAL_CACHE_DIR=$work/zig-cache
export PATH=$work/bin:$PATH CC=zig-cc CXX=zig-c++ AR=zig-ar RANLIB=zig-ranlib
# all code ends up in a shared library
flags="-fPIC -g0"
jobs=$(nproc)

# Two checkouts may share a cache: the second one waits and finds the work done.
exec 9>"$work/lock"
flock 9

# step NAME: runs the function of that name unless its stamp exists.
step() {
    [ ! -e "$work/stamps/$1" ] || return 0
    local begin=$SECONDS code
    # inside a condition, bash would ignore errors in the function
    set +e
    (set -e; "$1") >"$log/$1" 2>&1
    code=$?
    set -e
    if [ $code != 0 ]; then
        tail -n 20 "$log/$1" >&2
        echo "build-python.sh: step $1 failed; its output is in $log/$1" >&2
        exit 1
    fi
    echo "$1: $((SECONDS - begin)) s" | tee "$work/stamps/$1"
}

compiler() {
    python3 -m venv --clear "$work/zig"
    "$work/zig/bin/python" -m pip install --no-deps --only-binary :all: --require-hashes --requirement "$here/compiler.txt"
    ln -sf "$("$work/zig/bin/python" -c 'import ziglang; print(ziglang.__path__[0])')/zig" "$ZIG"
    local name
    for name in cc c++ ar ranlib; do
        cp "$here/compiler.sh" "$work/bin/zig-$name"
    done
    # sysconfig records the linker's options: they must not name a second folder
    cp "$here/python.map" "$work/"
    echo 'static int unused __attribute__((unused));' >"$ZIG_EMPTY_SOURCE"
}

fetch() {
    "$here/sources.sh" "$source" "$suite" "python$version" $libraries
    cp "$source"/{SOURCES,SHA256SUMS,WARNINGS} "$work/"
}

# The libraries keep all of Debian's patches. CPython keeps only the fixes: Debian's other patches move files to Debian's
# own places and remove ensurepip.
unpack() {
    cd "$source"
    local name
    for name in $libraries; do
        rm -rf "./$name"
        dpkg-source --no-check -x "$name"_*.dsc "$name"  # apt has checked it
    done
    rm -rf ./python
    dpkg-source --no-check --skip-patches -x "python$version"_*.dsc python
    cd python
    grep -vE '^(#|$)' debian/patches/series | grep -E '^CVE-|\.patch$|crash|deadlock' | while read -r name; do
        echo "$name"
        patch -p1 --batch --no-backup-if-mismatch <"debian/patches/$name"
    done
    dpkg-parsechangelog -S Timestamp >"$work/source-date-epoch"
}

zlib() {
    cd "$source/zlib"
    CFLAGS="-O3 $flags" ./configure --static --prefix="$static"
    make -j"$jobs" libz.a
    make install
}

bzip2() {
    cd "$source/bzip2"
    make -j"$jobs" CC=$CC AR=$AR RANLIB=$RANLIB CFLAGS="-O2 -D_FILE_OFFSET_BITS=64 $flags" libbz2.a
    cp libbz2.a "$static/lib/"
    cp bzlib.h "$static/include/"
}

libffi() {
    cd "$source/libffi"
    # the macro belongs to libltdl, which is not installed; it only matters where symbols begin with an underscore
    sed -i '/LT_SYS_SYMBOL_USCORE/d' configure.ac
    autoreconf -fi
    CFLAGS="-O2 $flags" ./configure --build=x86_64-pc-linux-gnu --host=x86_64-linux-gnu --prefix="$static" \
        --libdir="$static/lib" --disable-shared --enable-static --with-pic --disable-docs --disable-multi-os-directory \
        --disable-exec-static-tramp
    make -j"$jobs"
    make install
}

xz() {
    cd "$source/xz-utils"
    CFLAGS="-O2 $flags" ./configure --build=x86_64-pc-linux-gnu --host=x86_64-linux-gnu --prefix="$static" \
        --disable-shared --enable-static --with-pic --disable-nls --disable-xz --disable-xzdec --disable-lzmadec \
        --disable-lzmainfo --disable-lzma-links --disable-scripts --disable-doc
    make -j"$jobs"
    make install
}

# The prefix and the folder of openssl.cnf are compiled in. The prefix must not name a folder of this machine; the folder
# is RHEL's, so that a site's crypto policy applies.
openssl() {
    cd "$source/openssl"
    CFLAGS="-O2 $flags" perl ./Configure linux-x86_64 no-shared no-module no-dso no-engine no-legacy no-comp no-ssl3 \
        no-tests --prefix=/static --libdir=lib --openssldir=/etc/pki/tls
    make -j"$jobs" build_libs
    make install_dev DESTDIR="$work"
}

# - configure is called by a relative path because the path is compiled in. PKG_CONFIG_LIBDIR hides this machine's
#   libraries. The last two settings answer what configure would otherwise test, and get wrong without /dev/shm.
# - The version script hides the statically linked libraries. With -Bsymbolic it removes nine tenths of the symbol lookups
#   at each start.
# - nodelete: zig links no crtbegin, so nothing calls a shared library's atexit handlers when it is closed. PyInstaller's
#   bootloader closes libpython, and at exit libc would call the handlers in memory that has been unmapped.
configure() {
    rm -rf "$work/build"
    mkdir "$work/build"
    cd "$work/build"
    export PKG_CONFIG="pkg-config --static" PKG_CONFIG_LIBDIR=$static/lib/pkgconfig MODULE_BUILDTYPE=static
    OPT="-DNDEBUG -O3 -fwrapv" CFLAGS="-fno-semantic-interposition $flags" CPPFLAGS="-I$static/include" \
    LDFLAGS="-L$static/lib -s -Wl,-z,lazy -Wl,-O1 -Wl,--gc-sections" \
    LDFLAGS_NODIST="-Wl,-Bsymbolic -Wl,-z,nodelete -Wl,--version-script=$work/python.map" \
    BZIP2_CFLAGS="-I$static/include" BZIP2_LIBS="-L$static/lib -lbz2" \
    ../source/python/configure --build=x86_64-pc-linux-gnu --prefix=/python --enable-shared --without-static-libpython \
        --disable-test-modules --with-openssl="$static" --with-system-libmpdec=no --without-readline --with-ensurepip=no \
        py_cv_module__tkinter=n/a py_cv_module__curses=n/a py_cv_module__curses_panel=n/a py_cv_module_readline=n/a \
        py_cv_module__sqlite3=n/a py_cv_module__dbm=n/a py_cv_module__gdbm=n/a py_cv_module__uuid=n/a \
        ac_cv_posix_semaphores_enabled=yes ac_cv_broken_sem_getvalue=no
}

compile() {
    cd "$work/build"
    make -j"$jobs"
}

# Python finds its files relative to its executable, so the tree can be moved. $ORIGIN is set here because configure and
# make would both expand the dollar sign.
install_python() {
    cd "$work/build"
    rm -rf "$work/python"
    make install DESTDIR="$work"
    patchelf --set-rpath '$ORIGIN/../lib' "$work/python/bin/python$version"
    # the build's settings in sysconfig are frozen too, and must not depend on the build folder
    local library=$work/python/lib/python$version
    sed -i "s#$work#/folder#g" "$library"/_sysconfigdata_*.py "$library"/config-*/Makefile
    rm -f "$library"/__pycache__/_sysconfigdata_*
}

check() {
    env -i "$work/python/bin/python$version" -I -c '
import bz2, ctypes, hashlib, lzma, ssl, sys, zlib
import _decimal, _posixsubprocess, multiprocessing, unicodedata, venv
print(sys.version, ssl.OPENSSL_VERSION, ssl.get_default_verify_paths().openssl_cafile)
for module in bz2, lzma, zlib:
    assert module.decompress(module.compress(b"x")) == b"x"
assert ctypes.CDLL(None).getpid() > 0
ssl.create_default_context()
hashlib.new("sha512")'
    # the same steps as PyInstaller's bootloader: load, run, close, exit
    cd "$work/build"
    cat >embed.c <<EOF
#include <dlfcn.h>
int main(void)
{
    void *library = dlopen("$work/python/lib/libpython$version.so.1.0", RTLD_NOW | RTLD_GLOBAL);
    if (!library) return 1;
    ((void (*)(void))dlsym(library, "Py_Initialize"))();
    int status = ((int (*)(const char *))dlsym(library, "PyRun_SimpleString"))("import ssl, hashlib");
    ((void (*)(void))dlsym(library, "Py_Finalize"))();
    dlclose(library);
    return status;
}
EOF
    zig-cc -O1 -o embed embed.c -ldl
    env -i PYTHONHOME="$work/python" ./embed
}

tidy() {
    rm -rf "$source" "$static" "$work/build" "$work/zig" "$work/zig-cache" "$work/bin" "$work/empty.c" "$work/python.map"
}

tools() {
    local tool missing=
    for tool in apt-get dpkg-source dpkg-parsechangelog patch patchelf make perl autoreconf libtoolize pkg-config xz bzip2 \
        python3; do
        type -P "$tool" >/dev/null || missing="$missing $tool"
    done
    [ ! "$missing" ] || {
        echo "missing:$missing. On Debian 12: apt-get install dpkg-dev patch patchelf make perl autoconf automake libtool" \
            "pkg-config xz-utils bzip2 python3-venv"
        exit 1
    }
}

step tools
step compiler
step fetch
step unpack
SOURCE_DATE_EPOCH=$(cat "$work/source-date-epoch")
export SOURCE_DATE_EPOCH
for name in zlib bzip2 libffi xz openssl configure compile install_python check tidy; do
    step $name
done
cat "$work/WARNINGS"
