/*
 * datum_fuzz.c: any bytes as a datum.
 */
#include "fuzz.h"

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	return steward_crypto_init();
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	must_parse_well(bytes, len);
	return 0;
}
