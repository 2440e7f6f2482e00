# pg_steward: build with PGXS.  The commands that prepare a machine, start
# clusters and run every test live in test/targets.mk, because they must work
# before PostgreSQL's development files are installed.

HOUSE_TARGETS = quickstart check soak nightly bench lint format floors matrix deps

ifneq ($(filter $(HOUSE_TARGETS),$(MAKECMDGOALS)),)
include test/targets.mk
else

EXTENSION   = pg_steward
MODULE_big  = pg_steward
EXTVERSION  = 1.0

# Floors, lowest first: a module may include only its own and earlier ones.
FLOORS = crypto base keys types blind columns audit access ledger history subjects retention

OBJS = src/init.o $(patsubst %.c,%.o,$(sort $(wildcard $(FLOORS:%=src/%/*.c))))
MODULE_SQL = $(wildcard $(FLOORS:%=src/%/*.sql))
FLOOR_SQL = $(foreach floor,$(FLOORS),$(sort $(filter src/$(floor)/%,$(MODULE_SQL))))

DATA_built = sql/$(EXTENSION)--$(EXTVERSION).sql
DATA = $(wildcard sql/$(EXTENSION)--*--*.sql)
SCRIPTS_built = pg_steward_keygen pg_steward_spool pg_steward_verify

PG_CPPFLAGS = -Isrc
PG_CFLAGS = -fvisibility=hidden -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers -Wno-sign-compare
SHLIB_LINK = -lsodium

REGRESS := $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test --outputdir=. --load-extension=pg_steward
ISOLATION := $(patsubst test/specs/%.spec,%,$(sort $(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test --outputdir=. --load-extension=pg_steward
# The longest first: of those that run side by side none is left over at the end.
PROVE_LONGEST := $(patsubst %,test/t/%.pl,blind_check blind_erase worker history retention_worker)
PROVE_TESTS := $(PROVE_LONGEST) $(sort $(filter-out $(PROVE_LONGEST),$(wildcard test/t/*.pl)))
ifneq ($(PROVE_TESTS),)
TAP_TESTS = 1
endif

EXTRA_CLEAN = sql/$(EXTENSION)--$(EXTVERSION).sql $(SCRIPTS_built) build results

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# Headers are few: a change of one rebuilds everything.
$(OBJS): $(wildcard src/*/*.h)

sql/$(EXTENSION)--$(EXTVERSION).sql: $(FLOOR_SQL)
	@mkdir -p sql
	{ printf '%s\n' '\echo Use "CREATE EXTENSION pg_steward" to load this file. \quit'; cat $^; } > $@

TOOL_CRYPTO = $(filter-out %.sql,$(wildcard src/crypto/*.c))
pg_steward_keygen: src/tools/keygen.c $(TOOL_CRYPTO)
pg_steward_spool: src/tools/spool.c $(TOOL_CRYPTO)
pg_steward_verify: src/tools/verify.c src/tools/verify_input.c $(TOOL_CRYPTO)
$(SCRIPTS_built):
	$(CC) $(CFLAGS) $(LDFLAGS) -Isrc -o $@ $^ -lsodium

endif
