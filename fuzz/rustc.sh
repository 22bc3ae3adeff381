#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Cargo's RUSTC_WRAPPER for the fuzz targets: `rustc.sh RUSTC ARGUMENT...`. libFuzzer's counters go into the
# code under test only. In the models, RustCrypto's crates and what they copy of std, they would call a path
# through the model news, fill the corpus with its inputs, and take most of the time. Code for build scripts
# has no libFuzzer; it is what has no --target. AddressSanitizer calls its
# checks there: inlined they have branches, which hang on how a buffer's address is aligned and would be half
# of all edges.
case " $* " in
*" --crate-name kcfaes_kernels "*" --target "* | *" --crate-name kcfaes_provider "*" --target "* | \
*" --crate-name kcfaes_capi "*" --target "* | *" --crate-name kcfaes_vectors "*" --target "*)
    exec "$@" -Cpasses=sancov-module -Cllvm-args=-asan-instrumentation-with-call-threshold=0
    ;;
esac
exec "$@"
