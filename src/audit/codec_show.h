/*
 * codec_show.h: decoded values as jsonb.
 *
 * A number is a jsonb number unless jsonb has none for it (NaN, infinity, a
 * negative zero); all else is a string that the type's input function reads
 * back to the same value under any DateStyle, IntervalStyle or TimeZone. Arrays
 * are arrays, one in another for each dimension; as the text of an array are shown those
 * with other lower bounds than 1 and those of elements that are arrays in JSON
 * themselves, or may be. Composites are objects, ranges strings.
 */
#ifndef STEWARD_AUDIT_CODEC_SHOW_H
#define STEWARD_AUDIT_CODEC_SHOW_H

#include "base/compat.h"

#include "audit/codec.h"
#include "utils/jsonb.h"

/* A value of any codec, pushed as WJB_VALUE or WJB_ELEM. */
extern void steward_push_value(JsonbParseState **state,
							   JsonbIteratorToken token,
							   const StewardCodec *codec, StewardSlice slice);

/* The columns of an image that are stored, or only the key's, as an object. */
extern JsonbValue *steward_push_image(JsonbParseState **state,
									  const struct StewardAuditSchema *schema,
									  const StewardImage *image, bool key_only);

/* A jsonb string of this text, which is the result's from then on. */
extern void steward_show_cstring(JsonbValue *out, char *string);

/* The jsonb form of a value of each codec; it may point into the value. */
extern void steward_show_bit(JsonbValue *out, Datum value);
extern void steward_show_bool(JsonbValue *out, Datum value);
extern void steward_show_box(JsonbValue *out, Datum value);
extern void steward_show_bytea(JsonbValue *out, Datum value);
extern void steward_show_char(JsonbValue *out, Datum value);
extern void steward_show_cidr(JsonbValue *out, Datum value);
extern void steward_show_circle(JsonbValue *out, Datum value);
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
extern void steward_show_line(JsonbValue *out, Datum value);
extern void steward_show_lseg(JsonbValue *out, Datum value);
extern void steward_show_macaddr(JsonbValue *out, Datum value);
extern void steward_show_macaddr8(JsonbValue *out, Datum value);
extern void steward_show_money(JsonbValue *out, Datum value);
extern void steward_show_numeric(JsonbValue *out, Datum value);
extern void steward_show_oid(JsonbValue *out, Datum value);
extern void steward_show_path(JsonbValue *out, Datum value);
extern void steward_show_pg_lsn(JsonbValue *out, Datum value);
extern void steward_show_point(JsonbValue *out, Datum value);
extern void steward_show_polygon(JsonbValue *out, Datum value);
extern void steward_show_text(JsonbValue *out, Datum value);
extern void steward_show_tid(JsonbValue *out, Datum value);
extern void steward_show_time(JsonbValue *out, Datum value);
extern void steward_show_timestamp(JsonbValue *out, Datum value);
extern void steward_show_timestamptz(JsonbValue *out, Datum value);
extern void steward_show_timetz(JsonbValue *out, Datum value);
extern void steward_show_uuid(JsonbValue *out, Datum value);
extern void steward_show_xid8(JsonbValue *out, Datum value);

#endif							/* STEWARD_AUDIT_CODEC_SHOW_H */
