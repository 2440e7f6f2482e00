/*
 * type_info.h: what an encrypted type has of its own.
 *
 * Each type is a descriptor in a file of its own, type_*.c, and a set of SQL
 * functions that hand it to the code that all types share. A plaintext type from
 * which its values are made, or with which they compare, has an encoder.
 *
 * Terms
 *	 plaintext bytes	what is sealed; docs/formats.md has them for each type
 *	 canonical bytes	what is compared, hashed and tagged: equal for equal values
 *	 encoder			makes the plaintext bytes of an SQL value
 */
#ifndef STEWARD_TYPES_TYPE_INFO_H
#define STEWARD_TYPES_TYPE_INFO_H

#include "base/compat.h"

#include "types/encrypted.h"

/*
 * Plaintext bytes of a value of one SQL type, inside a plaintext scope; what is
 * borrowed lives as long as the value. The caller frees it.
 */
typedef StewardPlain (*StewardEncode) (Datum value);

struct StewardTypeInfo
{
	StewardPlainType code;		/* byte 2 of the datum */
	const char *name;			/* SQL name in schema steward */
	const char *encrypt_function;	/* for HINTs */
	const char *unique_class;	/* operator class of unique indexes */

	StewardEncode encode;		/* of the plaintext type */
	bool		is_varlena;		/* which that type is */

	/*
	 * Input and output functions of the plaintext type. Without an input
	 * function what was typed is the plaintext itself, a text.
	 */
	PGFunction	input;
	PGFunction	output;

	/*
	 * Opens a value as one of the plaintext type, in the current context;
	 * false when its subject was erased. Inside a plaintext scope. Raises
	 * ERRCODE_DATA_CORRUPTED when it cannot be opened, or is none of the
	 * type.
	 */
	bool		(*open) (const StewardDatum *datum, Datum *value);

	/*
	 * Makes plaintext bytes canonical, in place; NULL where they are. The
	 * encoders of such a type borrow nothing.
	 */
	void		(*canonicalise) (StewardPlain *plain);

	/*
	 * Order of two opened values, that of the plaintext type; 0 for equal
	 * ones alone. May replace the bytes, by those in the server's encoding.
	 */
	int			(*compare) (StewardPlain *a, StewardPlain *b);
};

extern const StewardTypeInfo steward_text_info;
extern const StewardTypeInfo steward_bytea_info;
extern const StewardTypeInfo steward_jsonb_info;
extern const StewardTypeInfo steward_bigint_info;
extern const StewardTypeInfo steward_numeric_info;
extern const StewardTypeInfo steward_date_info;
extern const StewardTypeInfo steward_timestamptz_info;

/* The encrypted type of this oid, or NULL. */
extern const StewardTypeInfo *steward_type_info(Oid type);

/* The one after this, NULL for the first; NULL after the last. */
extern const StewardTypeInfo *steward_type_info_next(const StewardTypeInfo *info);

/* Oid of an encrypted type; InvalidOid without the extension. */
extern Oid	steward_type_info_oid(const StewardTypeInfo *info);

/* Is this the name of the operator class for unique indexes of any type? */
extern bool steward_is_unique_class(const char *name);

/* ---- for type_*.c ---- */

/* Plaintext bytes copied into memory of plain.c. */
extern StewardPlain steward_plain_copy(const void *bytes, size_t len);

/* Zeroes a varlena and frees it. */
extern void steward_wipe_varlena(struct varlena *bytes);

/* The same for a detoasted one, unless it is the value itself. */
extern void steward_wipe_detoasted(struct varlena *detoasted, Datum value);

/*
 * Plaintext bytes that are those of a varlena: borrowed where it lies in line,
 * else copied.
 */
extern StewardPlain steward_encode_varlena(Datum value);

/* Opens a value as a varlena that holds the plaintext bytes. */
extern bool steward_open_varlena(const StewardDatum *datum, Datum *value);

/*
 * Opens a value and reads the bytes, which it may replace, as one of the plaintext
 * type; false when it was erased.
 */
typedef Datum (*StewardDecode) (StewardPlain *plain);
extern bool steward_open_decoded(const StewardDatum *datum, StewardDecode decode,
								 Datum *value);

/* Opens a value that must have exactly this length; false when it was erased. */
extern bool steward_open_fixed(const StewardDatum *datum, unsigned char *out,
							   size_t len);

/* Raises ERRCODE_DATA_CORRUPTED: opened, but no value of its type. */
pg_attribute_noreturn()
extern void steward_raise_malformed_plain(void);

/*
 * Raises ERRCODE_UNTRANSLATABLE_CHARACTER unless the text is well formed in the
 * server's encoding: what a database of encoding SQL_ASCII sealed may be no UTF-8
 * at all, and PostgreSQL relies on it.
 */
extern void steward_verify_server_text(const char *text, size_t len);

/*
 * Calls the input function of the plaintext type, inside a plaintext scope: an
 * error's SQLSTATE, or 0 and the value. Raises what says nothing of the text, such
 * as a cancel.
 */
extern int	steward_try_input(const StewardTypeInfo *info, char *text,
							  Datum *value);

/*
 * The same, with an error raised anew: its own text quotes what was typed; each
 * is replaced by a constant text with the same SQLSTATE.
 */
extern Datum steward_input_quietly(const StewardTypeInfo *info, char *text);

/* ---- what the SQL functions of a type call ---- */

/* io.c */
extern Datum steward_type_in(FunctionCallInfo fcinfo, const StewardTypeInfo *info);
extern Datum steward_type_recv(FunctionCallInfo fcinfo, const StewardTypeInfo *info);

/* cast.c */
extern Datum steward_type_cast(FunctionCallInfo fcinfo,
							   const StewardTypeInfo *info, StewardEncode encode);
extern Datum steward_type_recode(FunctionCallInfo fcinfo, const StewardTypeInfo *info);
extern Datum steward_type_encrypt(FunctionCallInfo fcinfo, const StewardTypeInfo *info);
extern Datum steward_type_decrypt(FunctionCallInfo fcinfo, const StewardTypeInfo *info);
extern Datum steward_type_decrypt_as_text(FunctionCallInfo fcinfo,
										  const StewardTypeInfo *info);

/*
 * The type modifier that the first argument of a call has where it is written, as
 * that of the column it reads; -1 when it says none.
 */
extern int32 steward_call_label(const FmgrInfo *function);

/* Raises ERRCODE_DATA_CORRUPTED unless the value is under this key; -1 and
 * transient values pass. */
extern void steward_check_label(const StewardDatum *datum, int32 label);

/* guard_query.c */
extern Datum steward_type_under(FunctionCallInfo fcinfo, const StewardTypeInfo *info);
extern Datum steward_type_array_under(FunctionCallInfo fcinfo,
									  const StewardTypeInfo *info);

/*
 * compare.c. An argument with an encoder is a plaintext, one without (NULL) a value
 * of the type.
 */
extern bool steward_type_equal(FunctionCallInfo fcinfo, const StewardTypeInfo *info,
							   StewardEncode left, StewardEncode right);
extern int	steward_type_order(FunctionCallInfo fcinfo, const StewardTypeInfo *info);

/*
 * Is the order of the arguments one of these? NULL where one was erased: whoever reads it
 * gets NULL, and an index does not find it.
 */
#define STEWARD_ORDER_LESS 1
#define STEWARD_ORDER_EQUAL 2
#define STEWARD_ORDER_GREATER 4
#define STEWARD_ORDER_LT STEWARD_ORDER_LESS
#define STEWARD_ORDER_LE (STEWARD_ORDER_LESS | STEWARD_ORDER_EQUAL)
#define STEWARD_ORDER_GE (STEWARD_ORDER_GREATER | STEWARD_ORDER_EQUAL)
#define STEWARD_ORDER_GT STEWARD_ORDER_GREATER
extern Datum steward_type_ordered(FunctionCallInfo fcinfo, const StewardTypeInfo *info,
								  StewardEncode left, StewardEncode right, int orders);
extern int	steward_type_tag_order(FunctionCallInfo fcinfo,
								   const StewardTypeInfo *info,
								   StewardEncode left, StewardEncode right);
extern uint64 steward_type_hash(FunctionCallInfo fcinfo, const StewardTypeInfo *info,
								StewardEncode encode);

/*
 * canonical.c. Takes the first argument, as above, into the StewardSide that the second
 * points to, and opens it as canonical bytes: side.plain, or the ciphertext where
 * side.erased. Runs inside a plaintext scope that the caller began, and checks no
 * right; the caller releases the side. Raises what taking and opening raise.
 */
extern Datum steward_type_canonical(FunctionCallInfo fcinfo,
									const StewardTypeInfo *info,
									StewardEncode encode);

/* sort.c */
extern Datum steward_type_sort_support(FunctionCallInfo fcinfo,
									   const StewardTypeInfo *info);

/* What PostgreSQL's extended hash gives for a seed. */
extern uint64 steward_hash_with_seed(uint64 hash, uint64 seed);

/*
 * Defines one SQL function of a type: steward_<type>_<name>, whose body is an
 * expression.
 */
#define STEWARD_TYPE_FUNCTION(type, name, result) \
	STEWARD_FUNCTION(steward_##type##_##name) \
	{ \
		const StewardTypeInfo *info = &steward_##type##_info; \
		return (result); \
	}

/* The functions that every type has. */
#define STEWARD_TYPE_FUNCTIONS(type) \
	STEWARD_TYPE_FUNCTION(type, in, steward_type_in(fcinfo, info)) \
	STEWARD_TYPE_FUNCTION(type, recv, steward_type_recv(fcinfo, info)) \
	STEWARD_TYPE_FUNCTION(type, recode, steward_type_recode(fcinfo, info)) \
	STEWARD_TYPE_FUNCTION(type, encrypt, steward_type_encrypt(fcinfo, info)) \
	STEWARD_TYPE_FUNCTION(type, decrypt, steward_type_decrypt(fcinfo, info)) \
	STEWARD_TYPE_FUNCTION(type, under, steward_type_under(fcinfo, info)) \
	STEWARD_TYPE_FUNCTION(type, array_under, steward_type_array_under(fcinfo, info)) \
	STEWARD_TYPE_FUNCTION(type, eq, BoolGetDatum(steward_type_equal(fcinfo, info, NULL, NULL))) \
	STEWARD_TYPE_FUNCTION(type, ne, BoolGetDatum(!steward_type_equal(fcinfo, info, NULL, NULL))) \
	STEWARD_TYPE_FUNCTION(type, lt, steward_type_ordered(fcinfo, info, NULL, NULL, STEWARD_ORDER_LT)) \
	STEWARD_TYPE_FUNCTION(type, le, steward_type_ordered(fcinfo, info, NULL, NULL, STEWARD_ORDER_LE)) \
	STEWARD_TYPE_FUNCTION(type, ge, steward_type_ordered(fcinfo, info, NULL, NULL, STEWARD_ORDER_GE)) \
	STEWARD_TYPE_FUNCTION(type, gt, steward_type_ordered(fcinfo, info, NULL, NULL, STEWARD_ORDER_GT)) \
	STEWARD_TYPE_FUNCTION(type, cmp, Int32GetDatum(steward_type_order(fcinfo, info))) \
	STEWARD_TYPE_FUNCTION(type, sort_support, steward_type_sort_support(fcinfo, info)) \
	STEWARD_TYPE_FUNCTION(type, canonical, steward_type_canonical(fcinfo, info, NULL)) \
	STEWARD_TYPE_FUNCTION(type, tag_cmp, \
						  Int32GetDatum(steward_type_tag_order(fcinfo, info, NULL, NULL))) \
	STEWARD_TYPE_FUNCTION(type, hash, \
						  Int32GetDatum((int32) steward_type_hash(fcinfo, info, NULL))) \
	STEWARD_TYPE_FUNCTION(type, hash_extended, \
						  Int64GetDatum((int64) steward_hash_with_seed(steward_type_hash(fcinfo, info, NULL), \
																	   (uint64) PG_GETARG_INT64(1))))

/* The assignment cast from a plaintext type. */
#define STEWARD_CAST_FUNCTION(type, source, encode) \
	STEWARD_TYPE_FUNCTION(type, from_##source, steward_type_cast(fcinfo, info, encode))

/* The explicit cast to text, of types that are none. */
#define STEWARD_AS_TEXT_FUNCTION(type) \
	STEWARD_TYPE_FUNCTION(type, decrypt_as_text, steward_type_decrypt_as_text(fcinfo, info))

/*
 * Operators between a type and a plaintext type, and what operator classes call
 * for them: <type>_eq_plain_<other>, <type>_plain_<other>_eq, <type>_canonical_<other>
 * and so on.
 */
#define STEWARD_PLAIN_FUNCTIONS(type, other, encode) \
	STEWARD_TYPE_FUNCTION(type, eq_plain_##other, \
						  BoolGetDatum(steward_type_equal(fcinfo, info, NULL, encode))) \
	STEWARD_TYPE_FUNCTION(type, ne_plain_##other, \
						  BoolGetDatum(!steward_type_equal(fcinfo, info, NULL, encode))) \
	STEWARD_TYPE_FUNCTION(type, plain_##other##_eq, \
						  BoolGetDatum(steward_type_equal(fcinfo, info, encode, NULL))) \
	STEWARD_TYPE_FUNCTION(type, plain_##other##_ne, \
						  BoolGetDatum(!steward_type_equal(fcinfo, info, encode, NULL))) \
	STEWARD_TYPE_FUNCTION(type, canonical_##other, \
						  steward_type_canonical(fcinfo, info, encode)) \
	STEWARD_TYPE_FUNCTION(type, tag_cmp_plain_##other, \
						  Int32GetDatum(steward_type_tag_order(fcinfo, info, NULL, encode))) \
	STEWARD_TYPE_FUNCTION(type, plain_##other##_tag_cmp, \
						  Int32GetDatum(steward_type_tag_order(fcinfo, info, encode, encode))) \
	STEWARD_TYPE_FUNCTION(type, hash_plain_##other, \
						  Int32GetDatum((int32) steward_type_hash(fcinfo, info, encode))) \
	STEWARD_TYPE_FUNCTION(type, hash_extended_plain_##other, \
						  Int64GetDatum((int64) steward_hash_with_seed(steward_type_hash(fcinfo, info, encode), \
																	   (uint64) PG_GETARG_INT64(1))))

/*
 * Operators of order between a type and a plaintext type: <type>_lt_plain_<other>,
 * <type>_plain_<other>_lt and so on.
 */
#define STEWARD_PLAIN_ORDER_FUNCTIONS(type, other, encode) \
	STEWARD_TYPE_FUNCTION(type, lt_plain_##other, \
						  steward_type_ordered(fcinfo, info, NULL, encode, STEWARD_ORDER_LT)) \
	STEWARD_TYPE_FUNCTION(type, plain_##other##_lt, \
						  steward_type_ordered(fcinfo, info, encode, NULL, STEWARD_ORDER_LT)) \
	STEWARD_TYPE_FUNCTION(type, le_plain_##other, \
						  steward_type_ordered(fcinfo, info, NULL, encode, STEWARD_ORDER_LE)) \
	STEWARD_TYPE_FUNCTION(type, plain_##other##_le, \
						  steward_type_ordered(fcinfo, info, encode, NULL, STEWARD_ORDER_LE)) \
	STEWARD_TYPE_FUNCTION(type, ge_plain_##other, \
						  steward_type_ordered(fcinfo, info, NULL, encode, STEWARD_ORDER_GE)) \
	STEWARD_TYPE_FUNCTION(type, plain_##other##_ge, \
						  steward_type_ordered(fcinfo, info, encode, NULL, STEWARD_ORDER_GE)) \
	STEWARD_TYPE_FUNCTION(type, gt_plain_##other, \
						  steward_type_ordered(fcinfo, info, NULL, encode, STEWARD_ORDER_GT)) \
	STEWARD_TYPE_FUNCTION(type, plain_##other##_gt, \
						  steward_type_ordered(fcinfo, info, encode, NULL, STEWARD_ORDER_GT))

#endif							/* STEWARD_TYPES_TYPE_INFO_H */
