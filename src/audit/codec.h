/*
 * codec.h: the payload of an audit record, bytes that outlive the table.
 *
 * Terms:
 *	codec	how the values of one type are written; the schema version names it
 *			by an expression, as array(vint4); README has the grammar
 *	scalar	a codec that holds no other; one entry of the table of codec_types.c
 *	slice	the bytes of one value
 *	image	the values of one row, by column ordinal
 *	payload	what a record of a row change holds; README has the format
 *	part	a payload beyond half a gigabyte is cut at columns into parts, which
 *			are records of their own
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
#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/typcache.h"

/* The first byte of a payload: it is whole, or goes on in the next record. */
#define STEWARD_PAYLOAD_FORMAT 1
#define STEWARD_PAYLOAD_CONTINUES 2

/* What a record says. */
#define STEWARD_OP_INSERT	'I'
#define STEWARD_OP_UPDATE	'U'
#define STEWARD_OP_DELETE	'D'
#define STEWARD_OP_TRUNCATE 'T'
#define STEWARD_OP_ENABLE	'E'
#define STEWARD_OP_DISABLE	'X'
#define STEWARD_OP_REWRITE	'W'
#define STEWARD_OP_PART		'&' /* the next part of the record before */

/* Bytes of a stored value, and the encoding of text in them. */
typedef struct StewardSlice
{
	const unsigned char *data;
	uint32		length;
	int			encoding;
} StewardSlice;

/* Widths that are no number of bytes. */
#define STEWARD_COUNTED	(-1)	/* preceded by its length as varint */
#define STEWARD_VARINT	(-2)	/* a varint, which shows where it ends */

typedef struct StewardCodec StewardCodec;
struct StewardAuditSchema;

typedef void (*StewardPut) (const StewardCodec *codec, StringInfo out,
							Datum value);

/* What the bytes of a scalar are to a reader. */
typedef enum StewardFidelity
{
	STEWARD_EXACT,				/* get gives a Datum of the type */
	STEWARD_EXACT_TEXT,			/* likewise, and the bytes are its text */
	STEWARD_AS_TEXT				/* the bytes are text for its input function */
} StewardFidelity;

typedef struct StewardScalar
{
	const char *name;			/* stored: never changes its meaning */
	Oid			type;			/* InvalidOid: of no type alone */
	int			width;
	StewardFidelity fidelity;
	StewardPut	put;
	Datum		(*get) (StewardSlice slice);
	void		(*show) (JsonbValue *out, Datum value);
} StewardScalar;

typedef enum StewardCodecKind
{
	STEWARD_SCALAR,
	STEWARD_ARRAY,
	STEWARD_RANGE,
	STEWARD_MULTIRANGE,
	STEWARD_COMPOSITE,
	STEWARD_OMITTED,			/* these three redact what they hold */
	STEWARD_HASHED,
	STEWARD_ENCRYPTED
} StewardCodecKind;

/*
 * The codec of a column, of an element or of an attribute. It lives as long as
 * the schema version it belongs to.
 */
struct StewardCodec
{
	StewardPut	put;
	int			width;
	StewardCodecKind kind;
	const StewardScalar *scalar;
	const StewardCodec *element;	/* of an array, range or multirange */
	struct StewardAuditSchema *composite;	/* its attributes */
	char		delimiter;		/* between the elements of an array's text */

	/* These only when capturing. */
	Oid			type;			/* no domain */
	int16		typlen;
	bool		typbyval;
	char		typalign;
	uint32		key_id;			/* of STEWARD_ENCRYPTED */
	bool		settings;		/* put depends on settings; see settings.h */
	TypeCacheEntry *range;
	FmgrInfo   *output;
};

/* Is the value itself not there? Then it is shown as what is, and as a Datum NULL. */
static inline bool
steward_codec_is_redacted(const StewardCodec *codec)
{
	return codec->kind >= STEWARD_OMITTED;
}

struct StewardAuditColumn;

/* Raises ERRCODE_DATA_CORRUPTED; the message says what of the record is wrong. */
pg_attribute_noreturn()
extern void steward_payload_corrupted(const char *what);

/*
 * In a PG_CATCH: raises that the payload is corrupted when a type's own function
 * objected to what it holds, else the error again. caller: where the error must
 * not stay.
 */
pg_attribute_noreturn()
extern void steward_payload_rethrow(MemoryContext caller);

/* Appends bytes; ERRCODE_PROGRAM_LIMIT_EXCEEDED beyond what a record can hold. */
extern void steward_put_bytes(StringInfo out, const void *data, Size length);

/* Appends a number, 7 bits a byte, as the format writes it. */
extern void steward_put_varint(StringInfo out, uint64 value);

/*
 * Encodes a whole row: INSERT's new or DELETE's old values. The payload is
 * appended to *payload. When it is too long for one record its first parts are
 * appended to *parts, each a StringInfo with what *payload held before in front
 * (room for a header); *payload is the last.
 */
extern void steward_encode_row(const struct StewardAuditSchema *schema,
							   TupleTableSlot *row, StringInfo payload,
							   List **parts);

/* Encodes what an UPDATE changed; false, and nothing, when it changed nothing. */
extern bool steward_encode_update(const struct StewardAuditSchema *schema,
								  TupleTableSlot *before, TupleTableSlot *after,
								  StringInfo payload, List **parts);

/* Encodes a record without values. */
extern void steward_encode_empty(StringInfo payload);

/* Encodes that an audit begins; of a table that has no rows, or of one with rows. */
extern void steward_encode_enable(StringInfo payload, bool without_rows);

/*
 * A column of an image: not stored, stored as NULL, or stored with a value; or with
 * one that whoever shows the image leaves out, which none that was decoded has.
 */
typedef enum StewardPresence
{
	STEWARD_ABSENT,
	STEWARD_NULL,
	STEWARD_VALUE,
	STEWARD_TOO_LONG
} StewardPresence;

typedef struct StewardImage
{
	StewardPresence *presence;	/* one a column */
	StewardSlice *slices;
} StewardImage;

/* One record's share of a payload. */
typedef struct StewardPart
{
	const unsigned char *data;
	uint32		length;
} StewardPart;

/* Does the payload of an ENABLE say that the table had no rows? */
extern bool steward_enabled_without_rows(const StewardPart *payload);

/*
 * Splits a payload, one part or more, into images; both are zeroed first,
 * slices point into the parts. When parts are missing at the end, values in
 * them are STEWARD_ABSENT. A part after the first (STEWARD_OP_PART) gives
 * nothing by itself.
 */
extern void steward_decode_payload(const struct StewardAuditSchema *schema,
								   char op, const StewardPart *parts, int count,
								   StewardImage *before, StewardImage *after);

/*
 * A value as text that the input function of its type reads back, under any
 * setting (where that function reads all its type has: not money under another
 * lc_monetary than C, nor types without input, such as pg_ndistinct).
 */
extern char *steward_codec_to_text(const StewardCodec *codec,
								   StewardSlice slice);

/*
 * A value as a Datum of a type, which may be another than when it was stored:
 * bit for bit where type and type modifier are the same; arrays, ranges and
 * composites element by element; all else by text and the input function of the
 * type, which may refuse it (any error; reg* names what is gone, a type may have
 * no input; a domain of another's within it, see foreign_check.h). A slice that is no value is ERRCODE_DATA_CORRUPTED or an error of
 * class 22. Of a domain the base type: its constraints are not checked, a value
 * of the past may violate them.
 *
 * Attributes of composites are found by name. same_database says that relation
 * oids and column numbers mean the same as when the record was made (a dump and
 * restore changes them): then by number, which follows renames.
 */
extern Datum steward_codec_value_as(const struct StewardAuditColumn *column,
									StewardSlice slice, Oid type, int32 typmod,
									bool same_database, bool *isnull);

/*
 * An image as a row of a type (a table's or another composite), its columns found
 * like attributes and given as steward_codec_value_as() does; NULL is what the
 * image does not have.
 */
extern Datum steward_image_as(const struct StewardAuditSchema *schema,
							  const StewardImage *image, Oid type,
							  bool same_database);

#endif							/* STEWARD_AUDIT_CODEC_H */
