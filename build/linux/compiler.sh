#!/bin/bash
# zig as cc, c++, ar and ranlib for an old glibc, whose description it brings along. build-python.sh copies it to its four
# names and gives it ZIG (the program), ZIG_TARGET (such as x86_64-linux-gnu.2.17), ZIG_EMPTY_SOURCE (a C file
# without code) and ZIG_ROOT (a folder whose name is to be kept out of what is compiled).
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
        # CPython's makefile uses the short form of -soname, which zig does not know
        -Wl,-h*) argument=-Wl,-soname,${argument#-Wl,-h} ;;
        -shared) shared=yes ;;
        *.c | *.cc | *.o | *.a | *.S | *.s) content=yes ;;
    esac
    arguments+=("$argument")
done
# libpython3.so is linked of no object at all, which zig refuses
[ $shared = no ] || [ $content = yes ] || arguments+=("$ZIG_EMPTY_SOURCE")

# __DATE__ in CPython's getbuildinfo.c is an error by zig's defaults (SOURCE_DATE_EPOCH settles it), and zig's sanitizer
# for undefined behaviour would need a library at run time
exec "$ZIG" "$tool" -target "$ZIG_TARGET" -fno-sanitize=undefined -Wno-date-time -Wno-error=date-time \
    -ffile-prefix-map="$ZIG_ROOT=." "${arguments[@]}"
