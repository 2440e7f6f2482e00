/*
 * codec_scalar.h: the scalars' functions, which the table of codec_types.c names.
 *
 * put appends the bytes of a value, get makes the value of a slice and raises
 * ERRCODE_DATA_CORRUPTED when no such value exists.
 */
#ifndef STEWARD_AUDIT_CODEC_SCALAR_H
#define STEWARD_AUDIT_CODEC_SCALAR_H

#include "base/compat.h"

#include "audit/codec.h"

#define STEWARD_SCALAR_PUT(name) \
	extern void name(const StewardCodec *codec, StringInfo out, Datum value)
#define STEWARD_SCALAR_GET(name) extern Datum name(StewardSlice slice)

/* codec_number.c */
STEWARD_SCALAR_PUT(steward_put_bool);
STEWARD_SCALAR_GET(steward_get_bool);
STEWARD_SCALAR_PUT(steward_put_char);
STEWARD_SCALAR_GET(steward_get_char);
STEWARD_SCALAR_PUT(steward_put_vint2);
STEWARD_SCALAR_GET(steward_get_vint2);
STEWARD_SCALAR_PUT(steward_put_vint4);
STEWARD_SCALAR_GET(steward_get_vint4);
STEWARD_SCALAR_PUT(steward_put_vint8);
STEWARD_SCALAR_GET(steward_get_vint8);
STEWARD_SCALAR_PUT(steward_put_oid);
STEWARD_SCALAR_GET(steward_get_oid);
STEWARD_SCALAR_PUT(steward_put_be64);
STEWARD_SCALAR_GET(steward_get_be64);
STEWARD_SCALAR_PUT(steward_put_float4);
STEWARD_SCALAR_GET(steward_get_float4);
STEWARD_SCALAR_GET(steward_get_float8);

/* codec_numeric.c */
STEWARD_SCALAR_PUT(steward_put_vnumeric);
STEWARD_SCALAR_GET(steward_get_vnumeric);

/* codec_time.c */
STEWARD_SCALAR_GET(steward_get_vdate);
STEWARD_SCALAR_GET(steward_get_vtime);
STEWARD_SCALAR_GET(steward_get_timestamp);
STEWARD_SCALAR_PUT(steward_put_timetz);
STEWARD_SCALAR_GET(steward_get_timetz);
STEWARD_SCALAR_PUT(steward_put_vinterval);
STEWARD_SCALAR_GET(steward_get_vinterval);

/* codec_geometry.c: fixed numbers of float8, and as many as there are */
STEWARD_SCALAR_PUT(steward_put_floats);
STEWARD_SCALAR_GET(steward_get_floats);
STEWARD_SCALAR_PUT(steward_put_path);
STEWARD_SCALAR_GET(steward_get_path);
STEWARD_SCALAR_PUT(steward_put_polygon);
STEWARD_SCALAR_GET(steward_get_polygon);

/* codec_tsquery.c */
STEWARD_SCALAR_PUT(steward_put_tsquery);

#endif							/* STEWARD_AUDIT_CODEC_SCALAR_H */
