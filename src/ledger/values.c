/*
 * values.c: bytes and hashes as values of columns; see values.h.
 */
#include "ledger/values.h"

#include "ledger/error.h"

StewardSlot
steward_value_bytes(Datum value)
{
	bytea	   *bytes = DatumGetByteaPP(value);
	StewardSlot slot = {(const unsigned char *) VARDATA_ANY(bytes),
	VARSIZE_ANY_EXHDR(bytes)};

	return slot;
}

void
steward_value_hash(StewardHash *hash, Datum value)
{
	StewardSlot slot = steward_value_bytes(value);

	if (slot.length != STEWARD_HASH_BYTES)
		steward_ledger_corrupted("a hash has the wrong length");
	memcpy(hash->bytes, slot.data, STEWARD_HASH_BYTES);
}

char *
steward_value_string(Datum value)
{
	StewardSlot slot = steward_value_bytes(value);

	return pnstrdup((const char *) slot.data, slot.length);
}

Datum
steward_value_of_bytes(const void *bytes, size_t length)
{
	bytea	   *value = palloc(VARHDRSZ + length);

	SET_VARSIZE(value, VARHDRSZ + length);
	memcpy(VARDATA(value), bytes, length);
	return PointerGetDatum(value);
}

Datum
steward_value_of_hash(const StewardHash *hash)
{
	return steward_value_of_bytes(hash->bytes, STEWARD_HASH_BYTES);
}
