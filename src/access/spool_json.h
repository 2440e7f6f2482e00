/*
 * spool_json.h: the JSON of records, put together by hand: a read is recorded while its
 * client waits. It is UTF-8 whatever the database's encoding.
 */
#ifndef STEWARD_ACCESS_SPOOL_JSON_H
#define STEWARD_ACCESS_SPOOL_JSON_H

#include "base/compat.h"

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"

/* Appends a string of constant length. */
#define steward_spool_json_put(out, text) \
	appendBinaryStringInfo(out, text, sizeof(text) - 1)

/*
 * Appends text in the server's encoding as a JSON string. May look up a conversion
 * in the catalogs, so not after an error, unless the database is UTF-8.
 */
extern void steward_spool_json_text(StringInfo out, const char *text, int length);

/* The same of a C string; NULL is null. */
extern void steward_spool_json_string(StringInfo out, const char *text);

extern void steward_spool_json_integer(StringInfo out, int64 number);
extern void steward_spool_json_unsigned(StringInfo out, uint64 number);

/* Appends a time as an ISO 8601 string in UTC, to the microsecond. */
extern void steward_spool_json_time(StringInfo out, TimestampTz at);

#endif							/* STEWARD_ACCESS_SPOOL_JSON_H */
