/*
 * proof_text.c: proofs as files; see proof_text.h.
 */
#include "crypto/proof_text.h"

#include <string.h>

#include "crypto/bytes.h"
#include "crypto/scan.h"

#define EXTRA "extra "

static const char *const keywords[] = {
	[STEWARD_PROOF_INCLUSION] = "index ",
	[STEWARD_PROOF_CONSISTENCY] = "old "
};

/* Takes lines of hashes off the text up to the empty line, and that too. */
static bool
read_hashes(StewardScan *rest, StewardProof *proof)
{
	StewardScan line;

	proof->count = 0;
	while (steward_scan_line(rest, &line))
	{
		if (line.len == 0)
			return true;
		if (proof->count == STEWARD_PROOF_MAX_HASHES ||
			!steward_scan_hash(&line, &proof->hashes[proof->count]))
			return false;
		proof->count++;
	}
	return false;
}

bool
steward_proof_text_parse(StewardProofText *text, StewardProofKind kind,
						 const char *bytes, size_t len)
{
	StewardScan rest = {bytes, len};
	StewardScan line;

	memset(text, 0, sizeof *text);
	if (kind == STEWARD_PROOF_INCLUSION &&
		!steward_scan_skip(&rest, STEWARD_PROOF_HEADER))
		return false;
	if (!steward_scan_line(&rest, &line))
		return false;
	if (kind == STEWARD_PROOF_INCLUSION && steward_scan_skip(&line, EXTRA))
	{
		text->extra = line.start;
		text->extra_len = line.len;
		if (!steward_scan_is_base64(&line) || !steward_scan_line(&rest, &line))
			return false;
	}
	if (!steward_scan_skip(&line, keywords[kind]) ||
		!steward_scan_number(&line, &text->number) ||
		!read_hashes(&rest, &text->proof))
		return false;
	text->checkpoint = rest.start;
	text->checkpoint_len = rest.len;
	return true;
}

size_t
steward_proof_extra_max(const StewardProofText *text)
{
	return text->extra_len / 4 * 3;
}

bool
steward_proof_extra(unsigned char *out, size_t *out_len,
					const StewardProofText *text)
{
	*out_len = 0;
	if (text->extra == NULL || !steward_is_ascii(text->extra, text->extra_len))
		return false;
	if (sodium_base642bin(out, steward_proof_extra_max(text), text->extra,
						  text->extra_len, NULL, out_len, NULL,
						  sodium_base64_VARIANT_ORIGINAL) == 0)
		return true;
	*out_len = 0;
	return false;
}

size_t
steward_proof_extra_size(size_t leaf_len)
{
	return strlen(EXTRA) + STEWARD_BASE64_CHARS(leaf_len) + 2;
}

size_t
steward_proof_extra_format(char *out, const void *leaf, size_t len)
{
	char	   *end = steward_put_word(out, EXTRA);

	end = steward_put_base64(end, leaf, len);
	*end++ = '\n';
	*end = '\0';
	return (size_t) (end - out);
}

size_t
steward_proof_text_format(char out[STEWARD_PROOF_TEXT_BYTES],
						  StewardProofKind kind, uint64_t number,
						  const StewardProof *proof)
{
	char	   *end = steward_put_word(out, keywords[kind]);

	end = steward_put_number(end, number);
	*end++ = '\n';
	for (unsigned int i = 0; i < proof->count; i++)
	{
		end = steward_put_base64(end, proof->hashes[i].bytes, STEWARD_HASH_BYTES);
		*end++ = '\n';
	}
	*end++ = '\n';
	*end = '\0';
	return (size_t) (end - out);
}
