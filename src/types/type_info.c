/*
 * type_info.c: the table of the encrypted types, and what their files share.
 */
#include "types/type_info.h"

#include <sodium.h>

#include "base/catalog.h"

static const struct
{
	const StewardTypeInfo *info;
	StewardTypeRef *ref;
}			types[] = {
	{&steward_text_info, &(StewardTypeRef) {"encrypted_text"}},
	{&steward_bytea_info, &(StewardTypeRef) {"encrypted_bytea"}},
	{&steward_jsonb_info, &(StewardTypeRef) {"encrypted_jsonb"}},
	{&steward_bigint_info, &(StewardTypeRef) {"encrypted_bigint"}},
	{&steward_numeric_info, &(StewardTypeRef) {"encrypted_numeric"}},
	{&steward_date_info, &(StewardTypeRef) {"encrypted_date"}},
	{&steward_timestamptz_info, &(StewardTypeRef) {"encrypted_timestamptz"}},
};

const StewardTypeInfo *
steward_type_info(Oid type)
{
	for (size_t i = 0; OidIsValid(type) && i < lengthof(types); i++)
	{
		if (type == steward_type_lookup(types[i].ref))
			return types[i].info;
	}
	return NULL;
}

const StewardTypeInfo *
steward_type_info_next(const StewardTypeInfo *info)
{
	size_t		next = 0;

	for (size_t i = 0; info != NULL && i < lengthof(types); i++)
	{
		if (types[i].info == info)
			next = i + 1;
	}
	return next < lengthof(types) ? types[next].info : NULL;
}

Oid
steward_type_info_oid(const StewardTypeInfo *info)
{
	for (size_t i = 0; i < lengthof(types); i++)
	{
		if (types[i].info == info)
			return steward_type_lookup(types[i].ref);
	}
	return InvalidOid;
}

bool
steward_is_unique_class(const char *name)
{
	for (size_t i = 0; i < lengthof(types); i++)
	{
		if (strcmp(name, types[i].info->unique_class) == 0)
			return true;
	}
	return false;
}

StewardPlain
steward_plain_copy(const void *bytes, size_t len)
{
	StewardPlain plain = steward_plain_make(len);

	memcpy(plain.bytes, bytes, len);
	return plain;
}

void
steward_wipe_varlena(struct varlena *bytes)
{
	sodium_memzero(bytes, VARSIZE_ANY(bytes));
	pfree(bytes);
}

void
steward_wipe_detoasted(struct varlena *detoasted, Datum value)
{
	if ((Pointer) detoasted != DatumGetPointer(value))
		steward_wipe_varlena(detoasted);
}

StewardPlain
steward_encode_varlena(Datum value)
{
	struct varlena *bytes = PG_DETOAST_DATUM_PACKED(value);
	StewardPlain plain;

	if ((Pointer) bytes == DatumGetPointer(value))
		return steward_plain_borrow(VARDATA_ANY(bytes),
									VARSIZE_ANY_EXHDR(bytes));
	plain = steward_plain_copy(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	steward_wipe_detoasted(bytes, value);
	return plain;
}

bool
steward_open_varlena(const StewardDatum *datum, Datum *value)
{
	struct varlena *result = palloc(VARHDRSZ + datum->plain_len);

	SET_VARSIZE(result, VARHDRSZ + datum->plain_len);
	*value = PointerGetDatum(result);
	return steward_open_into(datum, (unsigned char *) VARDATA(result));
}

bool
steward_open_decoded(const StewardDatum *datum, StewardDecode decode, Datum *value)
{
	StewardPlain plain;

	if (!steward_open(datum, &plain))
		return false;
	*value = decode(&plain);
	steward_plain_free(&plain);
	return true;
}

bool
steward_open_fixed(const StewardDatum *datum, unsigned char *out, size_t len)
{
	if (datum->plain_len != len)
		steward_raise_malformed_plain();
	return steward_open_into(datum, out);
}

void
steward_raise_malformed_plain(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("encrypted value is malformed inside")));
}
