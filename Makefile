# make demo   builds, exports a group with its subgroups and projects from the bundled GitLab backup, shows its status and
#             first lines
# make test   runs all tests; says what they need and is missing, and installs it where the user may
# make bench  makes the generated instance (once) and measures the README's numbers: whole runs against other programs,
#             then batch sizes, threads and gzip levels against each other, into target/bench
# make picture  makes README's picture again from what make bench measured
# make bench-live  makes the generated instance (once) and measures exports of a live server against SQL that builds JSON
#             there, and against an ORM
# make bench-projects  makes the generated instance with projects (once) and measures exports of a group with its projects
# make bench-keys  compares keys of uuids with keys of integers on the same data
# make bench-workers  makes the generated instance with projects (once) and measures what a second worker wins, and what a
#             commit of 100,000 tasks costs
# make bench-files  measures how fast a backup of 30 GB is indexed, and its members read from their places
# make fuzz   runs each fuzz target for a minute
# make torture  kills, faults and damage of every sort, thousands of times: a table of what was survived (docs/torture.md);
#             TORTURE='--only kill --tries 9 --seed 7' says which, how many and in which order
# make test-engines  runs the examples of Slurm, GNU parallel and GitLab CI for real, with workers, nodes and controllers
#             killed, and holds what they committed against a plain export; Kubernetes' manifests against its schema; half
#             an hour, on a Debian; ENGINES='--only bucket slurm' says which
# make load   200 clients against the server for a minute
# make fixtures  makes the fixtures again from their SQL
# make packages  builds the .deb and the .rpm into target/packages, and checks them: what is in them, and a night in two
#             clean systems, without and with systemd; needs root and a mirror of Debian
# make check  all that a change must pass, as CI runs it: tests, format, lints, fuzz targets that compile, dependencies,
#             and what packages are made of, as far as that can be checked in seconds

.PHONY: demo test bench bench-projects bench-keys bench-workers bench-files picture fuzz torture test-engines load fixtures tools packages check

BACKUP := fixtures/projects/1790000000_2026_09_21_19.3.0-ee_gitlab_backup.tar
INSTANCE := target/bench-instance
PROJECTS_INSTANCE := target/bench-instance-projects
FUZZ_SECONDS := 60

demo:
	cargo build --profile quick
	target/quick/relexport export --snapshot $(BACKUP) --group acme --subgroups --with-projects --out demo --force
	target/quick/relexport status demo
	gzip -dc demo/group_50/labels.ndjson.gz | head -n 3

bench-keys:
	cargo build --release
	benches/keys/run --relexport target/release/relexport

bench-workers:
	cargo build --release
	PROJECTS=1 benches/instance/make $(PROJECTS_INSTANCE) fd
	benches/workers/run --relexport target/release/relexport --instance $(PROJECTS_INSTANCE)

bench-files:
	cargo build --release
	benches/files/run --relexport target/release/relexport
	cargo bench --bench files

tools:
	fixtures/install-tools

# Tools are installed while the tests are built: the one mostly waits for downloads.
test:
	cargo test --profile quick --all-targets --no-run & building=$$!; \
	fixtures/install-tools; installed=$$?; wait $$building && exit $$installed
	cargo test --profile quick --all-targets
	cargo test --profile quick --doc

bench:
	cargo build --release
	benches/instance/make $(INSTANCE)
	benches/run --instance $(INSTANCE) --relexport target/release/relexport
	benches/phases/run --instance $(INSTANCE) --relexport target/release/relexport
	target/release/relexport bench --snapshot $(INSTANCE)/instance.sql.zst --group 1 \
	  --batch-sizes 10,50,100,500,1000,5000 --threads 1,2 --out target/bench
	target/release/relexport bench --snapshot $(INSTANCE)/instance.sql.zst --group 1 \
	  --batch-sizes 1000 --gzip-levels 1,3,6,9 --out target/bench-gzip

# The README's picture, from what `make bench` measured.
picture: tools
	chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1180,1560 \
	  --screenshot=docs/batch-size.png file://$(CURDIR)/target/bench/bench.html

bench-projects:
	cargo build --release
	PROJECTS=1 benches/instance/make $(PROJECTS_INSTANCE) gz fd
	benches/run --instance $(PROJECTS_INSTANCE) --relexport target/release/relexport

bench-live:
	cargo build --release
	benches/instance/make $(INSTANCE) sql
	benches/peers/run --instance $(INSTANCE)

fuzz:
	command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz
	for target in $$(ls fuzz/fuzz_targets | sed 's/\.rs$$//'); do \
		mkdir -p fuzz/corpus/$$target fuzz/seeds/$$target; \
		cargo +nightly fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target -- -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done

# As make test builds it, with the checks of arithmetic that a release has not.
torture: tools
	cargo test --profile quick --test torture -- --long $(TORTURE)

test-engines: tools
	packaging/install-tools static
	tests/engines/install-tools schemas parallel slurm
	cargo build --profile quick
	tests/engines/run --relexport target/quick/relexport $(ENGINES)

load:
	RELEXPORT_LOAD_SECONDS=60 cargo test --release --test it api::load -- --nocapture

fixtures: tools
	fixtures/make
	fixtures/projects/make

packages:
	packaging/install-tools static packages roots
	cargo build --release
	packaging/build
	packaging/check static packages plain systemd

# The fuzz targets are only compiled here, which the stable compiler can do; their target folder is the project's, so
# that the crates which both need are compiled once. What looks at the dependencies is not installed by this.
check: test
	cargo fmt --check
	cargo clippy --profile quick --all-targets -- -D warnings
	cargo check --profile quick --manifest-path fuzz/Cargo.toml --target-dir target --locked
	@if command -v cargo-deny >/dev/null; then cargo deny check licenses bans sources; \
	else echo "cargo-deny is not installed: licenses and sources of dependencies are not checked"; fi
	@if ! command -v cargo-deny >/dev/null || ! cargo deny fetch db 2>/dev/null; \
	then echo "the advisory database cannot be had: known vulnerabilities of dependencies are not looked for"; \
	else cargo deny check --disable-fetch advisories; fi
	@if command -v cargo-machete >/dev/null; then cargo machete; \
	else echo "cargo-machete is not installed: dependencies that nothing uses are not looked for"; fi
	packaging/install-tools static
	packaging/check static
