# targets.mk: the goals that prepare a machine, run tests and measure. They
# need git, make, a C compiler and bash, nothing of PostgreSQL: what is missing
# is installed first (as root), or named in an error.
#
#   make quickstart  the tour: a throw-away cluster with the sample shop
#   make check       every test layer; ends with "N passed, N failed"
#   make soak        the same with larger campaigns
#   make nightly     with the largest
#   make bench       BENCH="crypto audit" picks members
#   make lint        formatting and static analysis
#   make format      formats the C code in place
#   make floors      includes go only downwards, and the other house rules
#   make matrix      the tests on other major versions, MATRIX="17 18"
#   make deps        installs what all of these need
#
# LAYERS="regress tap" limits check, soak and nightly.

SHELL = /bin/bash

.PHONY: $(HOUSE_TARGETS)
.NOTPARALLEL:

deps:
	@test/check/install-packages build check lint matrix

quickstart:
	@test/check/install-packages build
	@test/demo/quickstart

check:
	@test/check/run-all $(LAYERS)

soak:
	@STEWARD_SOAK=1 test/check/run-all $(LAYERS)

nightly:
	@STEWARD_SOAK=1 STEWARD_NIGHTLY=1 test/check/run-all $(LAYERS)

bench:
	@test/check/install-packages build check bench
	@test/bench/run $(BENCH)

lint:
	@test/check/install-packages build lint
	@test/check/lint

format:
	@test/check/install-packages build lint
	@test/check/lint --format

floors:
	@test/check/floors
	@test/check/house
	@test/check/meta

matrix:
	@test/check/install-packages matrix
	@test/matrix/run $(MATRIX)
