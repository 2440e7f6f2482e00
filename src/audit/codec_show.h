/*
 * codec_show.h: decoded values as jsonb.
 *
 * A number is a jsonb number unless jsonb has none for it (NaN, infinity, a
 * negative zero); all else is a string that the type's input function reads
 * back to the same value under any DateStyle, IntervalStyle or TimeZone.
 */
#ifndef STEWARD_AUDIT_CODEC_SHOW_H
#define STEWARD_AUDIT_CODEC_SHOW_H

#include "base/compat.h"

#include "utils/jsonb.h"

/* A jsonb string of this text, which is the result's from then on. */
extern void steward_show_cstring(JsonbValue *out, char *string);

/* The jsonb form of a value of each codec; it may point into the value. */
extern void steward_show_bool(JsonbValue *out, Datum value);
extern void steward_show_bytea(JsonbValue *out, Datum value);
extern void steward_show_char(JsonbValue *out, Datum value);
extern void steward_show_cidr(JsonbValue *out, Datum value);
extern void steward_show_date(JsonbValue *out, Datum value);
extern void steward_show_encrypted(JsonbValue *out, Datum value);
extern void steward_show_float4(JsonbValue *out, Datum value);
extern void steward_show_float8(JsonbValue *out, Datum value);
extern void steward_show_inet(JsonbValue *out, Datum value);
extern void steward_show_int2(JsonbValue *out, Datum value);
extern void steward_show_int4(JsonbValue *out, Datum value);
extern void steward_show_int8(JsonbValue *out, Datum value);
extern void steward_show_interval(JsonbValue *out, Datum value);
extern void steward_show_json(JsonbValue *out, Datum value);
extern void steward_show_jsonb(JsonbValue *out, Datum value);
extern void steward_show_macaddr(JsonbValue *out, Datum value);
extern void steward_show_numeric(JsonbValue *out, Datum value);
extern void steward_show_oid(JsonbValue *out, Datum value);
extern void steward_show_text(JsonbValue *out, Datum value);
extern void steward_show_time(JsonbValue *out, Datum value);
extern void steward_show_timestamp(JsonbValue *out, Datum value);
extern void steward_show_timestamptz(JsonbValue *out, Datum value);
extern void steward_show_timetz(JsonbValue *out, Datum value);
extern void steward_show_uuid(JsonbValue *out, Datum value);

#endif							/* STEWARD_AUDIT_CODEC_SHOW_H */
