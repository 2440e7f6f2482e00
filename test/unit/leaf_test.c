/*
 * leaf_test.c: the bytes of leaves and rows, and proofs as files.
 */
#include "crypto/leaf.h"
#include "crypto/proof_text.h"

#include "tap.h"

static void
put_be(unsigned char *out, uint64_t value, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--, value >>= 8)
		out[i] = (unsigned char) value;
}

static void
test_record(void)
{
	unsigned char leaf[STEWARD_LEAF_RECORD_HEAD_BYTES + 5];
	unsigned char head[STEWARD_LEAF_RECORD_HEAD_BYTES];
	unsigned char expected[STEWARD_HASH_BYTES];
	unsigned char prefixed[1 + sizeof leaf];
	StewardLeafRecord record = {
		.incarnation = 2, .xid = 0x100000003, .seq = 4, .started_at = -7, .changed_at = -5,
		.written_at = 6, .op = 'U', .payload = (const unsigned char *) "hello",
		.payload_len = 5
	};
	StewardLeafRecord parsed;
	StewardLeafOpening opening;
	StewardHash hash;
	int			accepted = 0;

	fill_sequence(record.context.bytes, 32, 10);
	fill_sequence(record.schema.bytes, 32, 50);
	leaf[0] = 1;
	put_be(leaf + 1, 2, 4);
	put_be(leaf + 5, 0x100000003, 8);
	put_be(leaf + 13, 4, 4);
	put_be(leaf + 17, (uint64_t) -7, 8);
	put_be(leaf + 25, (uint64_t) -5, 8);
	put_be(leaf + 33, 6, 8);
	leaf[41] = 'U';
	fill_sequence(leaf + 42, 32, 10);
	fill_sequence(leaf + 74, 32, 50);
	put_be(leaf + 106, 5, 4);
	memcpy(leaf + 110, "hello", 5);

	steward_leaf_record_head(head, &record);
	tap_bytes(head, leaf, sizeof head, "the leaf of a record");
	prefixed[0] = 0;
	memcpy(prefixed + 1, leaf, sizeof leaf);
	(void) crypto_hash_sha256(expected, prefixed, sizeof prefixed);
	steward_leaf_record_hash(&hash, &record);
	tap_bytes(hash.bytes, expected, sizeof expected, "and its hash");
	tap_ok(steward_leaf_record_parse(&parsed, leaf, sizeof leaf) &&
		   parsed.incarnation == 2 && parsed.xid == 0x100000003 && parsed.seq == 4 &&
		   parsed.started_at == -7 && parsed.changed_at == -5 && parsed.written_at == 6 && parsed.op == 'U' &&
		   steward_hash_equals(&parsed.context, &record.context) &&
		   steward_hash_equals(&parsed.schema, &record.schema) &&
		   parsed.payload == leaf + 110 && parsed.payload_len == 5, "it is read back");
	for (size_t len = 0; len < sizeof leaf; len++)
	{
		Guarded		copy = guard_copy(leaf, len);

		accepted += steward_leaf_record_parse(&parsed, copy.bytes, len);
		guard_free(&copy);
	}
	leaf[109]--;
	accepted += steward_leaf_record_parse(&parsed, leaf, sizeof leaf);
	leaf[109]++;
	accepted += steward_leaf_opening_parse(&opening, leaf, sizeof leaf);
	leaf[0] = 3;
	accepted += steward_leaf_record_parse(&parsed, leaf, sizeof leaf);
	tap_ok(accepted == 0, "no other length or kind is");
}

static void
test_opening(void)
{
	static const char note[] = "a signed checkpoint";
	unsigned char leaf[STEWARD_LEAF_OPENING_HEAD_BYTES + sizeof note - 1];
	StewardLeafOpening opening = {.incarnation = 7, .parent = note, .parent_len = sizeof note - 1};
	StewardLeafOpening parsed;
	StewardHash hash;
	StewardHash expected;

	fill_sequence(opening.identity.bytes, 32, 90);
	leaf[0] = 2;
	put_be(leaf + 1, 7, 4);
	fill_sequence(leaf + 5, 32, 90);
	put_be(leaf + 37, sizeof note - 1, 4);
	memcpy(leaf + 41, note, sizeof note - 1);
	steward_leaf_opening_hash(&hash, &opening);
	steward_merkle_leaf(&expected, leaf, sizeof leaf);
	tap_bytes(hash.bytes, expected.bytes, sizeof expected, "the opening of an incarnation");
	tap_ok(steward_leaf_opening_parse(&parsed, leaf, sizeof leaf) &&
		   parsed.incarnation == 7 && parsed.parent == (char *) leaf + 41 &&
		   parsed.parent_len == sizeof note - 1, "it is read back");
	opening.parent = NULL;
	opening.parent_len = 0;
	steward_leaf_opening_head(leaf, &opening);
	tap_ok(steward_leaf_opening_parse(&parsed, leaf, 41) && parsed.parent == NULL &&
		   !steward_leaf_opening_parse(&parsed, leaf, 42) &&
		   !steward_leaf_opening_parse(&parsed, leaf, 40), "one without a parent");
}

/* Every row has one encoding: moving a boundary, or NULL for nothing, shows. */
static void
test_rows(void)
{
	static const unsigned char bytes[] = "steward-row/1:audit_context\n"
	"\0\0\0\4\xff\xff\xff\xfe" "\0\0\0\10\0\0\0\1\0\0\0\2" "\0\0\0\2hi" "\xff\xff\xff\xff" "\0\0\0";
	StewardSha256 row;
	StewardHash digest;
	StewardHash expected;
	StewardHash other;

	steward_row_begin(&row, "audit_context");
	steward_row_int32(&row, -2);
	steward_row_int64(&row, 0x100000002);
	steward_row_text(&row, "hi");
	steward_row_text(&row, NULL);
	steward_row_bytes(&row, "", 0);
	steward_row_end(&row, &digest);
	steward_sha256(&expected, bytes, sizeof bytes);
	tap_bytes(digest.bytes, expected.bytes, sizeof expected, "the digest of a row");

	steward_row_begin(&row, "t");
	steward_row_text(&row, "ab");
	steward_row_text(&row, "c");
	steward_row_end(&row, &digest);
	steward_row_begin(&row, "t");
	steward_row_text(&row, "a");
	steward_row_text(&row, "bc");
	steward_row_end(&row, &other);
	tap_ok(!steward_hash_equals(&digest, &other), "fields do not run together");
	steward_row_begin(&row, "t");
	steward_row_text(&row, "");
	steward_row_end(&row, &digest);
	steward_row_begin(&row, "t");
	steward_row_null(&row);
	steward_row_end(&row, &other);
	tap_ok(!steward_hash_equals(&digest, &other), "NULL is not the empty text");
}

#define HASH "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"

static void
test_proof_forms(void)
{
	static const struct
	{
		StewardProofKind kind;
		const char *text;
		bool		good;
	}			cases[] = {
		{STEWARD_PROOF_INCLUSION, "c2sp.org/tlog-proof@v1\nindex 0\n\nrest", true},
		{STEWARD_PROOF_INCLUSION, "c2sp.org/tlog-proof@v1\nindex 12\n" HASH HASH "\n", true},
		{STEWARD_PROOF_INCLUSION, "c2sp.org/tlog-proof@v1\nextra AAAA\nindex 12\n" HASH "\nrest", true},
		{STEWARD_PROOF_INCLUSION, "c2sp.org/tlog-proof@v1\nextra \nindex 1\n\nrest", true},
		{STEWARD_PROOF_INCLUSION, "c2sp.org/tlog-proof@v1\nextra AAA\nindex 1\n\nrest", false},
		{STEWARD_PROOF_INCLUSION, "c2sp.org/tlog-proof@v1\nextra AAB=\nindex 1\n\nrest", false},
		{STEWARD_PROOF_INCLUSION, "c2sp.org/tlog-proof@v1\nextra =AAA\nindex 1\n\nrest", false},
		{STEWARD_PROOF_INCLUSION, "c2sp.org/tlog-proof@v1\nextra ====\nindex 1\n\nrest", false},
		{STEWARD_PROOF_INCLUSION, "c2sp.org/tlog-proof@v1\nextra A\x80==\nindex 1\n\nrest", false},
		{STEWARD_PROOF_INCLUSION, "c2sp.org/tlog-proof@v1\nindex 1\nextra AAAA\n\nrest", false},
		{STEWARD_PROOF_INCLUSION, "c2sp.org/tlog-proof@v2\nindex 1\n\nrest", false},
		{STEWARD_PROOF_INCLUSION, "c2sp.org/tlog-proof@v1\nindex 01\n\nrest", false},
		{STEWARD_PROOF_INCLUSION, "c2sp.org/tlog-proof@v1\nindex  1\n\nrest", false},
		{STEWARD_PROOF_INCLUSION, "c2sp.org/tlog-proof@v1\nindex 1\n" HASH, false},
		{STEWARD_PROOF_INCLUSION, "c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\nrest", false},
		{STEWARD_PROOF_INCLUSION, "c2sp.org/tlog-proof@v1\nold 1\n\nrest", false},
		{STEWARD_PROOF_INCLUSION, "c2sp.org/tlog-proof@v1\nindex 1", false},
		{STEWARD_PROOF_INCLUSION, "c2sp.org/tlog-proof@v1\n", false},
		{STEWARD_PROOF_INCLUSION, "", false},
		{STEWARD_PROOF_CONSISTENCY, "old 0\n\nrest", true},
		{STEWARD_PROOF_CONSISTENCY, "old 3\n" HASH HASH "\nrest", true},
		{STEWARD_PROOF_CONSISTENCY, "extra AAAA\nold 3\n\nrest", false},
		{STEWARD_PROOF_CONSISTENCY, "index 3\n\nrest", false},
		{STEWARD_PROOF_CONSISTENCY, "old 3\r\n\nrest", false},
		{STEWARD_PROOF_CONSISTENCY, "old 9223372036854775808\n\nrest", false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
	{
		Guarded		copy = guard_copy(cases[i].text, strlen(cases[i].text));
		StewardProofText proof;
		bool		good = steward_proof_text_parse(&proof, cases[i].kind,
													(const char *) copy.bytes,
													strlen(cases[i].text));

		guard_free(&copy);
		tap_ok(good == cases[i].good, "proof %zu is %s", i, good ? "read" : "refused");
	}
}

static void
test_proof_written(void)
{
	char		text[STEWARD_PROOF_TEXT_BYTES + 200];
	StewardProof proof;
	StewardProofText parsed;
	int			wrong = 0;

	randombytes_buf(proof.hashes, sizeof proof.hashes);
	for (proof.count = 0; proof.count <= STEWARD_PROOF_MAX_HASHES; proof.count++)
	{
		size_t		len = steward_proof_text_format(text, STEWARD_PROOF_CONSISTENCY,
													STEWARD_TREE_MAX_SIZE, &proof);

		wrong += len >= STEWARD_PROOF_TEXT_BYTES || len != strlen(text) ||
			!steward_proof_text_parse(&parsed, STEWARD_PROOF_CONSISTENCY, text, len) ||
			parsed.proof.count != proof.count || parsed.number != STEWARD_TREE_MAX_SIZE ||
			memcmp(parsed.proof.hashes, proof.hashes, proof.count * sizeof proof.hashes[0]) != 0;
	}
	tap_ok(wrong == 0, "proofs of all lengths are written and read");
	memcpy(text, "old 1\n", 7);
	for (unsigned int i = 0; i < STEWARD_PROOF_MAX_HASHES + 1; i++)
		memcpy(text + 6 + i * 45, HASH, 45);
	memcpy(text + 6 + (STEWARD_PROOF_MAX_HASHES + 1) * 45, "\n", 2);
	tap_ok(!steward_proof_text_parse(&parsed, STEWARD_PROOF_CONSISTENCY, text, strlen(text)),
		   "one hash too many");
	wrong = 0;
	for (size_t len = 0; len < 100; len++)
	{
		unsigned char leaf[100];
		unsigned char again[102];
		size_t		again_len;
		char	   *line = malloc(steward_proof_extra_size(len));

		randombytes_buf(leaf, sizeof leaf);
		wrong += steward_proof_extra_format(line, leaf, len) + 1 != steward_proof_extra_size(len);
		parsed.extra = line + 6;
		parsed.extra_len = strlen(line) - 7;
		wrong += !steward_proof_extra(again, &again_len, &parsed) || again_len != len ||
			memcmp(leaf, again, len) != 0;
		free(line);
	}
	tap_ok(wrong == 0, "leaves are written and read");
}

int
main(void)
{
	tap_begin();
	test_record();
	test_opening();
	test_rows();
	test_proof_forms();
	test_proof_written();
	return tap_end();
}
