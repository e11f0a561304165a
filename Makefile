# The one door: each line of `.ci/run` and of the README is one of these.

CAMPANA := $(abspath $(or $(CARGO_TARGET_DIR),target)/release/campana)

.PHONY: demo test simulation interop interop-dino screenshots web fmt lint doc bench bench-call bench-presence bench-turn fuzz setup release deb

# A page to call from, with a private ejabberd, until Ctrl-C.
demo: setup release tests/interop/node_modules/.stamp
	CAMPANA_BIN=$(CAMPANA) node tests/interop/demo.mjs

# Everything that shows that it works.
test: setup web
	@if cargo nextest --version >/dev/null 2>&1; \
	then cargo nextest run --locked --no-fail-fast && cargo test --locked --doc; \
	else cargo test --locked --no-fail-fast; fi
	$(MAKE) --no-print-directory simulation
	$(MAKE) --no-print-directory interop

# Random calls in virtual time: as many as COUNT, beginning with SEED. Only our own code is
# optimised for it, a minute's work; everything else is there already. With SEED alone it plays that
# one and tells all stanzas.
simulation:
	$(if $(SEED)$(COUNT),,COUNT=10000) cargo test --locked --config profile.test.package.campana.opt-level=1 \
	    --test simulation -- --nocapture

# Only the tests with real servers and clients; FILES="call_page_to_jingle.test.mjs" for some.
interop: release tests/interop/node_modules/.stamp
	CAMPANA_BIN=$(CAMPANA) node tests/interop/run.mjs $(FILES)

# Pictures of every place of the page, in target/screenshots.
screenshots: release tests/interop/node_modules/.stamp
	tests/interop/setup.sh screenshots
	CAMPANA_BIN=$(CAMPANA) node tests/interop/screenshots.mjs

# Calls with Dino, a real IM client; it wants a desktop's worth of packages.
interop-dino:
	tests/interop/setup.sh dino
	$(MAKE) --no-print-directory interop FILES="$(notdir $(wildcard tests/interop/dino_*.mjs))"

release: web
	cargo build --locked --release

# A Debian package in target/debian; needs cargo-deb.
deb: release
	mkdir -p target/deb
	$(CAMPANA) man target/deb/man
	$(CAMPANA) completions bash > target/deb/campana.bash
	$(CAMPANA) completions zsh > target/deb/_campana
	$(CAMPANA) completions fish > target/deb/campana.fish
	packaging/debian-changelog.sh > target/deb/changelog
	cargo deb --no-build

# The page; the binary holds it.
web: web/node_modules/.stamp
	cd web && npm run --silent build

fmt:
	cargo fmt

lint: web
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cd web && npm run --silent check

doc: web
	RUSTDOCFLAGS=-Dwarnings cargo doc --locked --no-deps --document-private-items

# What the mapping costs, beside npm stanza and sdp-jingle-json.
bench: web
	tests/bench/mapping.sh

# What a whole call costs, and what open ones keep in memory; CALLS=10000 for less of it.
bench-call: web
	cargo bench --locked --bench call

# What presence costs: time and memory of 100,000 devices, and of one with 1,000 watchers.
bench-presence: web
	cargo bench --locked --quiet --bench presence

# What relaying costs, beside the coturn that is installed; QUICK=1 for two minutes of it.
bench-turn: web
	tests/bench/turn.sh

# Looks for inputs that break a parser, each target for SECONDS; needs a nightly toolchain and
# cargo-fuzz. What is worth keeping goes to tests/fuzz/corpus, which `make test` replays.
SECONDS := 600
fuzz: web
	@set -e; for target in $(or $(TARGETS),$$(cargo +nightly fuzz list --fuzz-dir tests/fuzz)); do \
	    mkdir -p target/fuzz-found/$$target; \
	    cargo +nightly fuzz run --fuzz-dir tests/fuzz --target-dir target/fuzz $$target \
	        target/fuzz-found/$$target tests/fuzz/corpus/$$target -- \
	        -max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=1024; \
	done

# What Debian has of it, through apt.
setup:
	tests/interop/setup.sh

%/node_modules/.stamp: %/package-lock.json
	cd $* && npm ci --no-audit --no-fund --loglevel=error
	touch $@
