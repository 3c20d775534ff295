# make run    the main job on the input in this repository
# make test   every test; both install what is missing first
# make install  one program that needs no Swift on the machines it runs on, in PREFIX/bin (~/.local/bin)
# make bench-accuracy   errors on published data, docs/accuracy.md
# make build | bench | format | lint | clean

SWIFT ?= swift
CONFIGURATION ?= release
BUILD = $(SWIFT) build -c $(CONFIGURATION)
PIPELINE ?= pipelines/tungsten.json5
PREFIX ?= $(HOME)/.local

.PHONY: build run test install bench bench-accuracy format lint clean setup

build: setup
	@$(BUILD) --product sluice

run: build
	@$$($(BUILD) --show-bin-path)/sluice run $(PIPELINE); status=$$?; \
	 if [ $$status -eq 3 ]; then echo "Some inputs were set aside; see above."; exit 0; fi; exit $$status

test: setup
	@$(SWIFT) build -c $(CONFIGURATION) --build-tests
	$(SWIFT) test -c $(CONFIGURATION) --skip-build

# Built apart: with Swift's libraries inside, every module has to be compiled anew.
INSTALL_BUILD = $(SWIFT) build -c release --static-swift-stdlib --scratch-path .build/static --product sluice
install: setup
	@$(INSTALL_BUILD)
	@install -D -s -m 755 $$($(INSTALL_BUILD) --show-bin-path)/sluice $(DESTDIR)$(PREFIX)/bin/sluice
	@echo "Installed $(DESTDIR)$(PREFIX)/bin/sluice; it needs libxml2, OpenBLAS and libarchive, but no Swift."

bench: setup
	@$(BUILD)
	@sh Benchmarks/run.sh

# TABLE=functions, orderings, cutoffs, radial, anchors or alloys for one of them; data from SLUICE_SHARED or ../shared
bench-accuracy: setup
	@$(BUILD) --product accuracy-benchmark
	@$$($(BUILD) --show-bin-path)/accuracy-benchmark table $(TABLE)

format:
	@$(SWIFT) format --in-place --parallel --recursive Package.swift Sources Plugins Tests Benchmarks

lint:
	@$(SWIFT) format lint --strict --parallel --recursive Package.swift Sources Plugins Tests Benchmarks

clean:
	@$(SWIFT) package clean

# Debian packages: XML, dense linear algebra, archives, and the tool that finds them.
setup:
	@missing=""; \
	for library in libxml-2.0:libxml2-dev openblas:libopenblas-dev libarchive:libarchive-dev; do \
	  pkg-config --exists $${library%%:*} 2>/dev/null || missing="$$missing $${library#*:}"; \
	done; \
	command -v pkg-config >/dev/null 2>&1 || missing="$$missing pkg-config"; \
	[ -z "$$missing" ] && exit 0; \
	echo "Installing$$missing with apt-get: Sluice reads XML and archives and solves least squares through them."; \
	sudo=""; [ "$$(id -u)" -eq 0 ] || sudo="sudo"; \
	$$sudo apt-get update -qq && \
	DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null || \
	{ echo "Could not install$$missing. Install them by hand, then run make again." >&2; exit 1; }
