/*
 * proof_fuzz.c: any bytes as proof files, as an export and as a leaf, and as
 * numbers and hashes of a proof that is verified.
 *
 * The first byte chooses: 0 an inclusion proof, 1 a consistency proof, 2 lines of
 * an export, 3 a leaf, 4 a frontier, others numbers and hashes.
 */
#include "crypto/leaf.h"
#include "crypto/proof.h"
#include "tools/verify.h"

#include "fuzz.h"

static FILE *nowhere;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	nowhere = fopen("/dev/null", "w");
	return nowhere == NULL ? -1 : steward_crypto_init();
}

/* A proof that was read is written again as it was. */
static void
try_proof(StewardProofKind kind, const char *bytes, size_t len)
{
	StewardProofText text;
	char		again[STEWARD_PROOF_TEXT_BYTES];
	size_t		again_len;
	size_t		before;

	if (!steward_proof_text_parse(&text, kind, bytes, len))
		return;
	again_len = steward_proof_text_format(again, kind, text.number, &text.proof);
	MUST(again_len < sizeof again);
	before = (size_t) (text.checkpoint - bytes);
	MUST(before + text.checkpoint_len == len && again_len <= before);
	MUST(memcmp(bytes + before - again_len, again, again_len) == 0);
	if (text.extra != NULL)
	{
		unsigned char *leaf = malloc(steward_proof_extra_max(&text) + 1);
		size_t		leaf_len;
		char	   *line;

		MUST(steward_proof_extra(leaf, &leaf_len, &text));
		line = malloc(steward_proof_extra_size(leaf_len));
		MUST(steward_proof_extra_format(line, leaf, leaf_len) == text.extra_len + 7);
		MUST(memcmp(line + 6, text.extra, text.extra_len) == 0);
		free(line);
		free(leaf);
	}
}

static void
try_export(const char *bytes, size_t len)
{
	StewardExport export;
	StewardHash root;

	steward_export_begin(&export, NULL);
	while (len > 0)
	{
		const char *newline = memchr(bytes, '\n', len);
		size_t		line_len = newline != NULL ? (size_t) (newline - bytes) : len;
		char	   *line = malloc(line_len + 1);
		uint64_t	size = export.tree.size;

		memcpy(line, bytes, line_len);
		MUST(steward_export_line(&export, line, line_len) ? export.tree.size == size + 1 :
			 export.tree.size == size);
		free(line);
		bytes += line_len + (newline != NULL);
		len -= line_len + (newline != NULL);
	}
	steward_frontier_root(&root, &export.tree);
}

static void
try_leaf(const unsigned char *leaf, size_t len)
{
	StewardLeafRecord record;
	StewardLeafOpening opening;
	unsigned char head[STEWARD_LEAF_RECORD_HEAD_BYTES];
	bool		is_record = steward_leaf_record_parse(&record, leaf, len);
	bool		is_opening = steward_leaf_opening_parse(&opening, leaf, len);

	MUST(!(is_record && is_opening));
	if (is_record)
	{
		steward_leaf_record_head(head, &record);
		MUST(memcmp(head, leaf, sizeof head) == 0);
		MUST(record.payload + record.payload_len == leaf + len);
	}
	if (is_opening)
	{
		steward_leaf_opening_head(head, &opening);
		MUST(memcmp(head, leaf, STEWARD_LEAF_OPENING_HEAD_BYTES) == 0);
		MUST((opening.parent == NULL) == (opening.parent_len == 0));
	}
	steward_describe_leaf(nowhere, leaf, len);
}

static void
try_frontier(const unsigned char *bytes, size_t len)
{
	StewardFrontier frontier;
	StewardHash root;
	unsigned char again[STEWARD_FRONTIER_MAX_BYTES];
	uint64_t	size;

	if (len < sizeof size)
		return;
	memcpy(&size, bytes, sizeof size);
	if (!steward_frontier_unpack(&frontier, size, bytes + sizeof size, len - sizeof size))
	{
		MUST(frontier.size == 0 && frontier.count == 0);
		return;
	}
	MUST(steward_frontier_pack(again, &frontier) == len - sizeof size);
	MUST(memcmp(again, bytes + sizeof size, len - sizeof size) == 0);
	steward_frontier_root(&root, &frontier);
	for (unsigned int level = 0; level < 64; level++)
		(void) steward_frontier_add(&frontier, level, &root, NULL, NULL);
}

/* No proof that is made up leads to a root that is fixed. */
static void
try_numbers(const unsigned char *bytes, size_t len)
{
	StewardHash root;
	StewardHash leaf;
	StewardProof proof;
	uint64_t	numbers[2];

	if (len < sizeof numbers)
		return;
	memcpy(numbers, bytes, sizeof numbers);
	bytes += sizeof numbers;
	len -= sizeof numbers;
	proof.count = (unsigned int) (len / sizeof root);
	if (proof.count > STEWARD_PROOF_MAX_HASHES)
		proof.count = STEWARD_PROOF_MAX_HASHES;
	memcpy(proof.hashes, bytes, proof.count * sizeof root);
	memset(&root, 'r', sizeof root);
	memset(&leaf, 'l', sizeof leaf);
	MUST(!steward_proof_shows_inclusion(&proof, numbers[0], numbers[1], &leaf, &root));
	MUST(!steward_proof_shows_consistency(&proof, numbers[0], numbers[1], &leaf, &root));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	unsigned char *copy;

	if (len == 0)
		return 0;
	copy = malloc(len);			/* exactly as long: the sanitizer guards its end */
	memcpy(copy, bytes + 1, --len);
	switch (bytes[0])
	{
		case 0:
		case 1:
			try_proof((StewardProofKind) bytes[0], (const char *) copy, len);
			break;
		case 2:
			try_export((const char *) copy, len);
			break;
		case 3:
			try_leaf(copy, len);
			break;
		case 4:
			try_frontier(copy, len);
			break;
		default:
			try_numbers(copy, len);
	}
	free(copy);
	return 0;
}
