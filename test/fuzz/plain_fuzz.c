/*
 * plain_fuzz.c: any bytes as the plaintext of a numeric or a jsonb. What is made
 * canonical stays what it is, once more and in its place in the order.
 */
#include "fuzz.h"

#include "crypto/plain_json.h"
#include "crypto/plain_numeric.h"

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	return steward_crypto_init();
}

static void
try_numeric(const uint8_t *bytes, size_t len)
{
	StewardNumericHeader header;
	unsigned char *copy;
	unsigned char *again;
	int64_t		number;

	if (!steward_numeric_parse(&header, bytes, len))
		return;
	copy = malloc(len);
	again = malloc(len);
	memcpy(copy, bytes, len);
	steward_numeric_canonicalise(copy, len);
	MUST(steward_numeric_parse(&header, copy, len));
	MUST(steward_numeric_compare(copy, len, bytes, len) == 0);
	memcpy(again, copy, len);
	steward_numeric_canonicalise(again, len);
	MUST(memcmp(copy, again, len) == 0);
	(void) steward_numeric_to_int64(&number, copy, len);
	free(again);
	free(copy);
}

static void
try_json(const uint8_t *bytes, size_t len)
{
	unsigned char *copy = malloc(len + 1);
	size_t		shorter;

	memcpy(copy, bytes, len);
	(void) steward_json_has_wide_key(copy, len);
	shorter = steward_json_canonicalise(copy, len);
	MUST(shorter <= len);
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	try_numeric(bytes, len);
	try_json(bytes, len);
	return 0;
}
