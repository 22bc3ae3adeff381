# SPDX-License-Identifier: MIT OR Apache-2.0
# The verbs that people type. The work is in xtask/, which has more of them: `make help`.

CARGO ?= cargo
XTASK = $(CARGO) xtask
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
PLACE = DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) LIBDIR=$(LIBDIR)

help:
	@$(XTASK) help

# Each of these installs what is missing on the machine (as root), or says how to.
demo: setup
	@$(XTASK) demo

check: setup
	@$(XTASK) check

check-full: setup
	@$(XTASK) check --full

bench: setup
	@$(XTASK) bench $(ARGS)

audit: setup
	@$(XTASK) audit

headers lib examples:
	@$(XTASK) $@

install uninstall:
	@$(XTASK) $@ $(PLACE)

setup:
	@command -v $(CARGO) >/dev/null || { \
	    echo "no Rust toolchain: install rustup (https://rustup.rs), then run make again" >&2; exit 1; }
	@$(XTASK) setup

clean:
	@$(CARGO) clean

.PHONY: help demo check check-full bench audit headers lib examples install uninstall setup clean
