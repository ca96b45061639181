# The verbs. `make demo` and `make test` need nothing but git, make and root or sudo on Debian 12.
SWIFT_BUILD := swift build -j 2 --explicit-target-dependency-import-check error
RELEASE := --configuration release --static-swift-stdlib --scratch-path .build-release
FOR ?= 30s
VIEW ?= 1
SECONDS ?= 60
PREFIX ?= /usr
KAFKA_TESTS := RealKafka
# In a process of their own: libvncserver takes descriptors below 1024 alone, and others' tests hold many.
VIEW_TESTS := '^ViewTests\.'
# Where tests put the messages that they have read, for public validators.
RECORDS := $(CURDIR)/.build/records
# The tests that were built, without a package manager that locks the folder: two verbs may run at once.
TESTS := .build/debug/lanewatchPackageTests.xctest --testing-library swift-testing

.PHONY: help setup demo build release test unit test-leaks test-hostile test-page test-clients test-kafka test-librdkafka faults scenarios bench bench-view fuzz format check docs generate release-schemas install clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: ## Install what is missing: Debian packages; say how to get Swift
	@scripts/setup

demo: setup release ## Run the main job on an embedded Kafka and a simulated lane with its live view (FOR=30s, VIEW=0: without)
	$(if $(filter 0,$(VIEW)),,$(SWIFT_BUILD) $(RELEASE) --product demo-kiosk)
	scripts/demo $(FOR) $(VIEW)

build: setup ## Build for debugging; import arrows and warnings are errors
	$(SWIFT_BUILD)

release: ## Build what is installed: lanewatch and lanewatch-view in .build-release/release
	$(SWIFT_BUILD) $(RELEASE) --product lanewatch
	$(SWIFT_BUILD) $(RELEASE) --product lanewatch-view

test: setup ## Run every test, one at a time: many watch real clocks and real disks
	$(SWIFT_BUILD) --build-tests
	rm -rf $(RECORDS)
	LANEWATCH_RECORDS=$(RECORDS) swift test --no-parallel --skip-build --skip $(VIEW_TESTS)
	swift test --no-parallel --skip-build --filter $(VIEW_TESTS)
	scripts/check-records $(RECORDS)
	$(MAKE) scenarios

unit: ## Run the unit tests alone
	swift test --no-parallel --skip Integration

# Real programs against a real lanewatch-view: they need the debugging build, and what setup installs.
define build_view
	$(SWIFT_BUILD) --product lanewatch-view
	$(SWIFT_BUILD) --product demo-kiosk
endef

test-page: setup ## Drive the lane's page in Chromium through all of its states; pictures in .build/pictures (ONLY="phone")
	$(build_view)
	/usr/bin/python3 -B Tests/Clients/test_page.py .build/pictures $(ONLY)

test-clients: setup ## Have real VNC viewers take pictures that must equal the masked screen (ONLY="TigerVNC")
	$(build_view)
	/usr/bin/python3 -B Tests/Clients/test_clients.py $(ONLY)

test-kafka: ## Run the tests of delivery on a real Apache Kafka (KAFKA_HOME=folder with its libs/)
	@test -n "$(KAFKA_HOME)" || { echo "make test-kafka needs KAFKA_HOME=a folder with the libs/ of an Apache Kafka, 3.9 or 4" >&2; exit 2; }
	$(SWIFT_BUILD) --build-tests
	rm -rf $(RECORDS)-kafka
	KAFKA_HOME="$(abspath $(KAFKA_HOME))" LANEWATCH_RECORDS=$(RECORDS)-kafka $(TESTS) --no-parallel --filter $(KAFKA_TESTS)
	scripts/check-records $(RECORDS)-kafka

test-leaks: ## Look for a masked secret in random cases, of which `make test` has 600 (CASES=10000, SEED=number)
	$(SWIFT_BUILD) --build-tests
	LANEWATCH_LEAK_CASES=$(or $(CASES),10000) $(if $(SEED),LANEWATCH_LEAK_SEED=$(SEED)) $(TESTS) --no-parallel --filter LeakTests

test-hostile: ## Have hostile clients at the gate; a good one beside them never waits 50 ms, where the machine does nothing else
	$(SWIFT_BUILD) --build-tests
	LANEWATCH_QUIET=1 $(TESTS) --no-parallel --filter GateHostileTests

# Of `make faults`: an option for each variable that is set.
FAULTS := $(if $(ROWS),--rows "$(ROWS)") $(if $(TIMES),--times $(TIMES)) $(if $(MINUTES),--minutes $(MINUTES)) \
  $(if $(TALLY),--tally "$(TALLY)") $(if $(SEED),--seed $(SEED)) $(if $(LONGEST),--longest $(LONGEST))

faults: ## Harm the agent on a real Kafka and count what arrived (KAFKA_HOME=…; ROWS, TIMES, MINUTES, TALLY, SEED, LONGEST)
	@test -n "$(KAFKA_HOME)" || { echo "make faults needs KAFKA_HOME=a folder with the libs/ of an Apache Kafka, 3.9 or 4" >&2; exit 2; }
	$(SWIFT_BUILD) $(RELEASE) --product lanewatch
	$(SWIFT_BUILD) --product faults
	rm -rf $(RECORDS)-faults
	KAFKA_HOME="$(abspath $(KAFKA_HOME))" LANEWATCH_RECORDS=$(RECORDS)-faults .build/debug/faults --lanewatch .build-release/release/lanewatch $(FAULTS)
	test ! -d $(RECORDS)-faults || scripts/check-records $(RECORDS)-faults

test-librdkafka: setup ## Run the tests of delivery with newer versions of librdkafka (VERSIONS="2.16.1" or --newest; KAFKA_HOME too)
	$(if $(KAFKA_HOME),KAFKA_HOME="$(abspath $(KAFKA_HOME))") scripts/test-librdkafka $(VERSIONS)

scenarios: ## Run the tests of the shipped rules as a rule author does
	$(SWIFT_BUILD) --product lanewatch
	.build/debug/lanewatch check rules
	.build/debug/lanewatch test rules/*.test.yaml

bench: setup ## Print the benchmarks' tables: ratios against peers and floors of the same run (ONLY="rules sec")
	swift build -j 2 --package-path Benchmarks --configuration release
	$(SWIFT_BUILD) $(RELEASE) --product lanewatch
	Benchmarks/.build/release/lanewatch-bench --lanewatch .build-release/release/lanewatch $(ONLY)

bench-view: setup ## Print the live view's table beside x11vnc and TigerVNC, in some twenty minutes (ROUNDS=3, SHARE=1, PEERS="lanewatch,Xvnc", TRIALS="tap,scroll")
	swift build -j 2 --package-path Benchmarks --configuration release
	$(SWIFT_BUILD) $(RELEASE) --product lanewatch-view
	Benchmarks/.build/release/lanewatch-bench --view .build-release/release/lanewatch-view --rounds $(or $(ROUNDS),3) --share $(or $(SHARE),1) --only "$(PEERS)" --trials "$(TRIALS)" view

fuzz: setup ## Feed what reads others' bytes with bytes of all kinds (SECONDS=60, TARGETS="rules socket …")
	@scripts/fuzz $(SECONDS) $(TARGETS)

format: ## Format the sources
	swift format -i -r Sources Tests Benchmarks/Sources Fuzz/Sources Package.swift

check: ## Format, lint and documentation checks
	swift format lint -s -r Sources Tests Benchmarks/Sources Fuzz/Sources Package.swift
	shellcheck scripts/setup scripts/demo scripts/check-docs scripts/check-records scripts/check-units scripts/fuzz scripts/get-peers scripts/kafka scripts/test-librdkafka .ci/run
	scripts/check-docs
	scripts/check-units

generate: ## Write the generated files: the signal catalogue, reference pages, man page, completions
	LANEWATCH_GENERATE=1 swift test -j 2 --filter Generated

release-schemas: ## When a version goes out: keep its schemas, which later ones must not break
	LANEWATCH_RELEASE=1 swift test -j 2 --filter ContractTests

install: release ## Install below PREFIX (/usr), DESTDIR honoured
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin .build-release/release/lanewatch .build-release/release/lanewatch-view
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/lanewatch/rules $(wildcard rules/*.yaml)
	install -D -m 644 docs/reference/lanewatch.yaml $(DESTDIR)$(PREFIX)/share/lanewatch/lanewatch.yaml
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/lanewatch docs/reference/rules.schema.json docs/reference/tests.schema.json
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/lanewatch/schemas $(wildcard docs/reference/*.v*.schema.json)
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system $(wildcard systemd/*.service systemd/*.socket)
	install -D -m 644 systemd/lanewatch.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/lanewatch.conf
	install -D -m 644 systemd/60-lanewatch.rules $(DESTDIR)$(PREFIX)/lib/udev/rules.d/60-lanewatch.rules
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	.build-release/release/lanewatch manual man >$(DESTDIR)$(PREFIX)/share/man/man1/lanewatch.1
	.build-release/release/lanewatch manual bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/lanewatch

clean: ## Remove what was built
	rm -rf .build .build-release .build-fuzz .build-fuzz-address Benchmarks/.build
