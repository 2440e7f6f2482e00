/*
 * type_bytea.c: encrypted_bytea. Plaintext bytes are the bytes themselves.
 */
#include "types/type_info.h"

#include "utils/builtins.h"

static int
compare_bytes(StewardPlain *a, StewardPlain *b)
{
	int			result = memcmp(a->bytes, b->bytes, Min(a->len, b->len));

	if (result != 0)
		return result;
	return (a->len > b->len) - (a->len < b->len);
}

const StewardTypeInfo steward_bytea_info = {
	.code = STEWARD_TYPE_BYTEA,
	.name = "encrypted_bytea",
	.encrypt_function = "encrypt_bytea",
	.unique_class = "encrypted_bytea_unique_ops",
	.encode = steward_encode_varlena,
	.is_varlena = true,
	.input = byteain,
	.output = byteaout,
	.open = steward_open_varlena,
	.compare = compare_bytes,
};

STEWARD_TYPE_FUNCTIONS(bytea)
STEWARD_AS_TEXT_FUNCTION(bytea)
STEWARD_CAST_FUNCTION(bytea, bytea, steward_encode_varlena)
STEWARD_PLAIN_FUNCTIONS(bytea, bytea, steward_encode_varlena)
