# Pure C outside src/crypto: sources without PostgreSQL's headers, which unit tests
# and fuzzers build without a server, and which test/check/house therefore lets begin
# without base/compat.h. Paths under src, one a line.

PURE_SOURCES = \
	blind/codec.c \
	blind/pack.c \
	blind/range.c \
	blind/range_place.c \
	retention/calendar.c \
	retention/cron.c \
	retention/pace.c \
	retention/receipt_tree.c \
	retention/retry.c \
	retention/schedule.c \
	retention/schedule_text.c \
	retention/span.c \
	retention/zone.c
