#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Cargo's RUSTC_WRAPPER for the fuzz targets: `rustc.sh RUSTC ARGUMENT...`. It puts libFuzzer's counters into the
# code under test only. In a model or in RustCrypto's crates they would take most of the time, and make libFuzzer
# keep inputs that only a model tells apart. A build script has no libFuzzer; its code is compiled without --target.
# In the code under test AddressSanitizer calls its checks. Inlined, they have branches that depend on how a
# buffer is aligned: half of all edges.
case " $* " in
*" --crate-name kcfaes_kernels "*" --target "* | *" --crate-name kcfaes_provider "*" --target "* | \
*" --crate-name kcfaes_capi "*" --target "* | *" --crate-name kcfaes_vectors "*" --target "*)
    exec "$@" -Cpasses=sancov-module -Cllvm-args=-asan-instrumentation-with-call-threshold=0
    ;;
esac
exec "$@"
