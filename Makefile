# SPDX-License-Identifier: MIT OR Apache-2.0
# The verbs that people type. The work is in xtask/, which says what each does: `make help`.

CARGO ?= cargo
# The crates of the second tarball, if it is unpacked here.
ifneq ($(wildcard vendor/.cargo/config.toml),)
override CARGO += --config vendor/.cargo/config.toml
endif
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib

help demo check mutants ct audit ring0 headers lib examples simulate aarch64 dist deb: toolchain
	@$(CARGO) xtask $@

# GATE=DIR: modules that illumos can load, against the headers of a checkout of illumos-gate.
kmod: toolchain
	@$(CARGO) xtask kmod $(if $(GATE),'GATE=$(GATE)')

# The same, packed: what kmod/INSTALL.md begins with.
illumos: toolchain
	@$(CARGO) xtask illumos 'GATE=$(GATE)'

# RESUME=1: goes on with the part that failed.
check-full: toolchain
	@$(CARGO) xtask check --full $(if $(RESUME),RESUME=1)

# SECONDS=N: for each target.
fuzz: toolchain
	@$(CARGO) xtask fuzz $(SECONDS)

consumers: toolchain
	@$(CARGO) xtask $@ $(ARGS)

bench: toolchain
	@$(CARGO) xtask bench $(ARGS)

# DESTDIR=, PREFIX=, LIBDIR=: of what `make lib` has built, as any user and without cargo.
install uninstall: export DESTDIR := $(DESTDIR)
install uninstall: export PREFIX := $(PREFIX)
install uninstall: export LIBDIR := $(LIBDIR)
install uninstall:
	@sh install/install.sh $@ "$(or $(CARGO_TARGET_DIR),target)/lib"

# In whatever order they are named, and with any -j.
ifneq (,$(filter lib,$(MAKECMDGOALS)))
install: lib
endif

# Gets what the other verbs need. Of those only demo and check do that by themselves.
setup: toolchain
	@$(CARGO) xtask setup $(FOR)

clean: toolchain
	@$(CARGO) clean

toolchain:
	@command -v $(firstword $(CARGO)) >/dev/null || \
	    { echo "no Rust toolchain: get one from https://rustup.rs, run make again" >&2; exit 1; }

.PHONY: help demo check mutants check-full aarch64 dist deb ct consumers bench simulate fuzz audit ring0 kmod illumos headers lib examples install uninstall setup clean toolchain
