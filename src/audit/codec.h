/*
 * codec.h: the payload of an audit record, bytes that outlive the table.
 *
 * Terms:
 *	codec	how the values of one type are written; named in the schema version
 *	image	the values of one row, by column ordinal
 *	payload	what audit_log.payload holds; README has the format
 *
 * The encoder trusts its caller, the decoder trusts nobody: every read is
 * bounded, and what is not exactly what the encoder writes is
 * ERRCODE_DATA_CORRUPTED.
 */
#ifndef STEWARD_AUDIT_CODEC_H
#define STEWARD_AUDIT_CODEC_H

#include "base/compat.h"

#include "executor/tuptable.h"
#include "lib/stringinfo.h"
#include "utils/jsonb.h"

#define STEWARD_PAYLOAD_FORMAT 1

/* What a record says; the letters are stored in audit_log.op. */
#define STEWARD_OP_INSERT	'I'
#define STEWARD_OP_UPDATE	'U'
#define STEWARD_OP_DELETE	'D'
#define STEWARD_OP_TRUNCATE 'T'
#define STEWARD_OP_ENABLE	'E'
#define STEWARD_OP_DISABLE	'X'
#define STEWARD_OP_REWRITE	'W'

/* Bytes of a stored value, and the encoding of text in them. */
typedef struct StewardSlice
{
	const unsigned char *data;
	uint32		length;
	int			encoding;
} StewardSlice;

typedef struct StewardCodec
{
	const char *name;			/* stored: never changes its meaning */
	Oid			type;			/* InvalidOid: a type of our own */
	int			width;			/* bytes, or -1: preceded by a varint length */
	void		(*put) (StringInfo out, Datum value);
	Datum		(*get) (StewardSlice slice);
	void		(*show) (JsonbValue *out, Datum value);
} StewardCodec;

struct StewardAuditSchema;

/* The codec for a base type, or NULL when there is none. */
extern const StewardCodec *steward_codec_for_type(Oid type);

/* The codec of a stored name; ERRCODE_DATA_CORRUPTED when unknown. */
extern const StewardCodec *steward_codec_by_name(const char *name);

/* Raises ERRCODE_DATA_CORRUPTED; the message says what of the record is wrong. */
pg_attribute_noreturn()
extern void steward_payload_corrupted(const char *what);

/* Appends a length, as the format writes it. */
extern void steward_put_varint(StringInfo out, uint32 value);

/* Appends bytes; ERRCODE_PROGRAM_LIMIT_EXCEEDED beyond what a record can hold. */
extern void steward_put_bytes(StringInfo out, const void *data, Size length);

/* Encodes a whole row: INSERT's new or DELETE's old values. */
extern void steward_encode_row(const struct StewardAuditSchema *schema,
							   TupleTableSlot *row, StringInfo payload);

/* Encodes what an UPDATE changed; false, and nothing, when it changed nothing. */
extern bool steward_encode_update(const struct StewardAuditSchema *schema,
								  TupleTableSlot *before, TupleTableSlot *after,
								  StringInfo payload);

/* Encodes a record without values. */
extern void steward_encode_empty(StringInfo payload);

/* A column of an image: not stored, stored as NULL, or stored with a value. */
typedef enum StewardPresence
{
	STEWARD_ABSENT,
	STEWARD_NULL,
	STEWARD_VALUE
} StewardPresence;

typedef struct StewardImage
{
	StewardPresence *presence;	/* one a column */
	StewardSlice *slices;
} StewardImage;

/* Splits a payload into images; both are zeroed first, slices point into it. */
extern void steward_decode_payload(const struct StewardAuditSchema *schema,
								   char op, const unsigned char *data,
								   uint32 length, StewardImage *before,
								   StewardImage *after);

#endif							/* STEWARD_AUDIT_CODEC_H */
