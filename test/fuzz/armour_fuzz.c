/*
 * armour_fuzz.c: any text as armour, on to the parser and to opening; and any
 * bytes into armour and back.
 */
#include "crypto/armour.h"

#include "fuzz.h"

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	return steward_crypto_init();
}

static void
must_come_back(const uint8_t *bytes, size_t len)
{
	char	   *text = malloc(steward_armour_size(len));
	size_t		text_len = steward_armour_size(len) - 1;
	unsigned char *back = malloc(steward_armour_decoded_max(text_len));
	size_t		back_len;

	steward_armour_encode(text, bytes, len);
	MUST(strlen(text) == text_len);
	MUST(steward_armour_is_claimed(text, text_len));
	MUST(steward_armour_decode(back, &back_len, text, text_len));
	MUST(back_len == len && (len == 0 || memcmp(back, bytes, len) == 0));
	free(text);
	free(back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *text = (const char *) bytes;
	unsigned char *decoded = malloc(steward_armour_decoded_max(len));
	size_t		decoded_len = 1;

	if (steward_armour_decode(decoded, &decoded_len, text, len))
	{
		char	   *again = malloc(steward_armour_size(decoded_len));

		MUST(steward_armour_is_claimed(text, len));
		MUST(decoded_len <= steward_armour_decoded_max(len));
		MUST(steward_armour_size(decoded_len) == len + 1);
		steward_armour_encode(again, decoded, decoded_len);
		MUST(memcmp(again, text, len) == 0);
		free(again);
		must_parse_well(decoded, decoded_len);
	}
	else
		MUST(decoded_len == 0);
	free(decoded);
	must_come_back(bytes, len);
	return 0;
}
