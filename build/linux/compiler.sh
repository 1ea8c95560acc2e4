#!/bin/bash
# Runs zig as cc, c++, ar or ranlib for an old glibc; zig has the description of each glibc. build-python.sh copies this
# script to its four names and sets ZIG (the program), ZIG_TARGET (such as x86_64-linux-gnu.2.17), ZIG_EMPTY_SOURCE (a C
# file without code) and ZIG_ROOT (a folder whose name must not be compiled in).
tool=$(basename "$0")
tool=${tool#zig-}
case $tool in
    ar | ranlib) exec "$ZIG" "$tool" "$@" ;;
esac

arguments=()
shared=no
content=no
for argument in "$@"; do
    case $argument in
        # CPython's makefile uses the short form of -soname, which zig rejects
        -Wl,-h*) argument=-Wl,-soname,${argument#-Wl,-h} ;;
        -shared) shared=yes ;;
        *.c | *.cc | *.o | *.a | *.S | *.s) content=yes ;;
    esac
    arguments+=("$argument")
done
# libpython3.so is linked from no object at all, which zig refuses
[ $shared = no ] || [ $content = yes ] || arguments+=("$ZIG_EMPTY_SOURCE")

# zig rejects __DATE__ in CPython's getbuildinfo.c by default (SOURCE_DATE_EPOCH makes it reproducible), and zig's
# sanitizer for undefined behaviour would need a library at run time
exec "$ZIG" "$tool" -target "$ZIG_TARGET" -fno-sanitize=undefined -Wno-date-time -Wno-error=date-time \
    -ffile-prefix-map="$ZIG_ROOT=." "${arguments[@]}"
