/*
 * verify_head.c: headers of blocks, checkpoints, keys and certificates.
 */
#include "ledger/verify.h"

#include "catalog/pg_type_d.h"
#include "crypto/checkpoint.h"
#include "executor/spi.h"
#include "ledger/certificate.h"
#include "ledger/log.h"
#include "ledger/signer.h"
#include "ledger/tree.h"
#include "ledger/values.h"
#include "ledger/xids.h"
#include "miscadmin.h"

#define FETCH_ROWS 1000

void
steward_verify_header(StewardFindings *findings, const StewardBlock *block,
					  const StewardBlock *before)
{
	StewardPlace place = {block->incarnation, block->number, -1, 0, 0};
	StewardHash digest = {{0}};
	StewardHash root;
	StewardXids now;
	StewardXids then;

	steward_xids_parse(&now, block->snapshot);
	steward_xids_parse(&then, before == NULL ? STEWARD_XIDS_NONE : before->snapshot);
	if (before != NULL)
		steward_block_digest(&digest, before);
	steward_frontier_root(&root, &block->frontier);
	if (memcmp(&digest, &block->previous, sizeof digest) != 0)
		steward_finding(findings, STEWARD_FOUND_BLOCK, &place,
						"The header of the block before this one is not the one that was sealed.");
	if (block->first_leaf != (before == NULL ? 0 : STEWARD_BLOCK_END(before)) ||
		memcmp(&root, &block->root, sizeof root) != 0 || now.xmax < then.xmax)
		steward_finding(findings, STEWARD_FOUND_BLOCK, &place,
						"The header of this block contradicts itself or the one before.");
}

void
steward_verify_keys(StewardFindings *findings, int32 unused, int64 unused_number)
{
	StewardSigner *signers;
	int			count = steward_signers(&signers);

	for (int i = 0; i < count; i++)
		if (!signers[i].endorsed)
			steward_finding(findings, STEWARD_FOUND_KEY, &STEWARD_NOWHERE,
							"Key %d of ledger_key is not endorsed by the key before it.",
							signers[i].id);
}

/* ---- checkpoints ---- */

/* Compares a head, rightly signed, with the log as it is here. */
static void
check_head(StewardFindings *findings, StewardPlace *place, const StewardCheckpoint *head)
{
	StewardBlock block;
	StewardTree *tree;
	StewardHash root;
	bool		known;

	if (!steward_block_newest(place->incarnation, &block) ||
		head->size > (uint64) STEWARD_BLOCK_END(&block))
	{
		steward_finding(findings, STEWARD_FOUND_CHECKPOINT, place,
						"The checkpoint has " UINT64_FORMAT " leaves, the log here fewer: it was taken back to an earlier state, or blocks were removed.",
						head->size);
		return;
	}
	known = head->size > 0 &&
		steward_block_of_leaf(place->incarnation, (int64) head->size - 1, &block) &&
		(uint64) STEWARD_BLOCK_END(&block) == head->size;
	if (known)
		root = block.root;
	else
	{
		tree = palloc(sizeof(StewardTree));
		steward_tree_begin(tree, place->incarnation);
		known = steward_tree_root(tree, head->size, &root);
	}
	if (!known || memcmp(&root, &head->root, sizeof root) != 0)
		steward_finding(findings, STEWARD_FOUND_CHECKPOINT, place,
						"The first " UINT64_FORMAT " leaves of the log here have another root than the checkpoint.",
						head->size);
}

static const StewardSigner *
find_signer(const StewardSigner *signers, int count, int32 id)
{
	for (int i = 0; i < count; i++)
		if (signers[i].id == id)
			return &signers[i];
	return NULL;
}

static void
check_stored(StewardFindings *findings, StewardPlace *place, const StewardSigner *signer,
			 const StewardSlot *note)
{
	StewardNoteKey key;
	StewardCheckpoint head;
	StewardNoteStatus status;
	StewardBlock block;

	if (signer == NULL)
	{
		steward_finding(findings, STEWARD_FOUND_KEY, place,
						"The key that signed the checkpoint of this block is missing in ledger_key.");
		return;
	}
	steward_signer_key(&key, signer, place->incarnation);
	status = steward_checkpoint_open(&head, (const char *) note->data, note->length, &key);
	if (status != STEWARD_NOTE_OK)
		steward_finding(findings, STEWARD_FOUND_SIGNATURE, place,
						"The stored checkpoint of this block does not verify: %s.",
						steward_note_status_text(status));
	else if (!steward_block_read(place->incarnation, place->block, &block))
		steward_finding(findings, STEWARD_FOUND_BLOCK_MISSING, place,
						"A checkpoint of this block was signed, but the block is missing.");
	else if (head.size != (uint64) STEWARD_BLOCK_END(&block) ||
			 memcmp(&head.root, &block.root, sizeof(StewardHash)) != 0)
		steward_finding(findings, STEWARD_FOUND_CHECKPOINT, place,
						"The stored checkpoint of this block has another size or root than the block.");
}

void
steward_verify_checkpoints(StewardFindings *findings, int32 incarnation, int64 since)
{
	Oid			types[2] = {INT4OID, INT8OID};
	Datum		values[2] = {Int32GetDatum(incarnation), Int64GetDatum(since)};
	StewardSigner *signers;
	int			count = steward_signers(&signers);
	Portal		portal;
	uint64		fetched;

	portal = SPI_cursor_open_with_args(NULL,
									   "SELECT c.number, c.key, c.note FROM steward.ledger_checkpoint AS c"
									   " WHERE c.incarnation OPERATOR(pg_catalog.=) $1"
									   " AND c.number OPERATOR(pg_catalog.>) $2",
									   2, types, values, NULL, true, 0);
	do
	{
		SPITupleTable *rows;

		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		rows = SPI_tuptable;
		fetched = SPI_processed;
		for (uint64 i = 0; i < fetched; i++)
		{
			StewardPlace place = {incarnation, 0, -1, 0, 0};
			bool		isnull;
			int32		id = DatumGetInt32(SPI_getbinval(rows->vals[i], rows->tupdesc, 2, &isnull));
			StewardSlot note = steward_value_bytes(SPI_getbinval(rows->vals[i], rows->tupdesc, 3, &isnull));

			CHECK_FOR_INTERRUPTS();
			place.block = DatumGetInt64(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull));
			check_stored(findings, &place, find_signer(signers, count, id), &note);
		}
		SPI_freetuptable(rows);
	} while (fetched == FETCH_ROWS);
	SPI_cursor_close(portal);
}

/*
 * Verifies a checkpoint by the keys of a log. True: it is of this log, and what is
 * wrong with it has been told.
 */
static bool
check_of_log(StewardFindings *findings, int32 incarnation, const char *note)
{
	StewardPlace place = {incarnation, 0, -1, 0, 0};
	StewardNoteStatus worst = STEWARD_NOTE_MALFORMED;
	StewardSigner *signers;
	int			count = steward_signers(&signers);
	bool		is_ours = false;

	for (int i = count - 1; i >= 0; i--)
	{
		StewardNoteKey key;
		StewardCheckpoint head;
		StewardNoteStatus status;
		size_t		length;

		steward_signer_key(&key, &signers[i], incarnation);
		length = strlen(key.name);
		if (strncmp(note, key.name, length) != 0 || note[length] != '\n')
			continue;
		is_ours = true;
		status = steward_checkpoint_open(&head, note, strlen(note), &key);
		if (status == STEWARD_NOTE_OK)
		{
			check_head(findings, &place, &head);
			return true;
		}
		if (worst == STEWARD_NOTE_MALFORMED || status == STEWARD_NOTE_FORGED)
			worst = status;
	}
	if (is_ours)
		steward_finding(findings, worst == STEWARD_NOTE_UNSIGNED ? STEWARD_FOUND_KEY : STEWARD_FOUND_SIGNATURE,
						&place, "The checkpoint that was given does not verify: %s.",
						steward_note_status_text(worst));
	return is_ours;
}

void
steward_verify_exported(StewardFindings *findings, const char *note)
{
	List	   *logs = steward_logs_all();
	ListCell   *cell;

	foreach(cell, logs)
		if (check_of_log(findings, lfirst_int(cell), note))
		return;
	steward_finding(findings, STEWARD_FOUND_CHECKPOINT, &STEWARD_NOWHERE,
					"The checkpoint that was given is of no log of this ledger.");
}

/* ---- how a log began ---- */

/* The parent's head, in a note or in an unsigned text, as log.c stores it. */
static bool
parse_parent(StewardCheckpoint *head, const char *parent)
{
	const char *end = strstr(parent, "\n\n");

	return steward_checkpoint_parse(head, parent,
									end == NULL ? strlen(parent) : end + 1 - parent);
}

void
steward_verify_opening(StewardFindings *findings, int32 incarnation)
{
	StewardPlace place = {incarnation, 1, 0, 0, 0};
	StewardHash hash;
	StewardCheckpoint head;
	const char *number;
	char	   *parent;

	if (!steward_log_opening(incarnation, &hash, NULL, NULL, &parent) || parent == NULL)
		return;
	if (!parse_parent(&head, parent))
	{
		steward_finding(findings, STEWARD_FOUND_CHECKPOINT, &place,
						"The checkpoint of the parent, with which the log begins, is malformed.");
		return;
	}
	number = memrchr(head.origin, '/', head.origin_len);
	place.incarnation = number == NULL ? 0 : (int32) strtol(number + 1, NULL, 10);
	check_head(findings, &place, &head);
}

/* ---- certificates ---- */

/* Tells of a difference once. */
typedef struct PrunedTiles
{
	StewardTileReader reader;
	bool		differ;
} PrunedTiles;

static void
compare_tile(void *context, unsigned int level, uint64_t index, const StewardHash *hash)
{
	PrunedTiles *tiles = context;
	StewardHash stored;

	/* Those of the lowest level are what is computed from. */
	if (!steward_tile_keeps(level) || level == STEWARD_TILE_HEIGHT)
		return;
	if (!steward_tile_read(&tiles->reader, level / STEWARD_TILE_HEIGHT, index, &stored) ||
		memcmp(&stored, hash, sizeof stored) != 0)
		tiles->differ = true;
}

/*
 * Where records are gone, all that is left of the tree are tiles: each level must
 * follow from the one below, and the frontier of the certificate from them.
 */
static bool
pruned_tiles_fit(int32 incarnation, const StewardFrontier *boundary)
{
	PrunedTiles upper = {.differ = false};
	StewardTileReader lowest;
	StewardFrontier frontier;
	uint64		count = boundary->size / STEWARD_TILE_WIDTH;

	steward_tile_reader_begin(&upper.reader, incarnation);
	steward_tile_reader_begin(&lowest, incarnation);
	steward_frontier_init(&frontier);
	for (uint64 i = 0; i < count && !upper.differ; i++)
	{
		StewardHash hash;

		CHECK_FOR_INTERRUPTS();
		if (!steward_tile_read(&lowest, 1, i, &hash) ||
			!steward_frontier_add(&frontier, STEWARD_TILE_HEIGHT, &hash, compare_tile, &upper))
			return false;
	}
	return !upper.differ &&
		memcmp(frontier.hashes, boundary->hashes, frontier.count * sizeof(StewardHash)) == 0;
}

static void
check_prune(StewardFindings *findings, int32 incarnation, uint64 boundary, uint32 segment,
			const StewardSlot *note)
{
	StewardPlace place = {incarnation, 0, (int64) boundary, 0, 0};
	StewardCheckpoint head = {0};
	StewardPrune prune;

	if (!steward_certificate_open(&prune, incarnation, note) ||
		prune.boundary.size != boundary || prune.segment != segment)
	{
		steward_finding(findings, STEWARD_FOUND_SIGNATURE, &place,
						"The certificate of a prune does not verify.");
		return;
	}
	head.size = prune.size;
	head.root = prune.root;
	check_head(findings, &place, &head);
	if (!pruned_tiles_fit(incarnation, &prune.boundary))
		steward_finding(findings, STEWARD_FOUND_TILE, &place,
						"Hashes in ledger_tile before leaf " UINT64_FORMAT " are missing or not those of the prune certificate.",
						boundary);
}

void
steward_verify_prunes(StewardFindings *findings, int32 incarnation)
{
	StewardPlace place = {incarnation, 0, -1, 0, 0};
	Oid			types[1] = {INT4OID};
	Datum		values[1] = {Int32GetDatum(incarnation)};
	SPITupleTable *rows;
	uint64		count;

	if (SPI_execute_with_args("SELECT p.boundary, p.segment, p.certificate FROM steward.ledger_prune AS p"
							  " WHERE p.incarnation OPERATOR(pg_catalog.=) $1"
							  " ORDER BY p.boundary USING OPERATOR(pg_catalog.<)",
							  1, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_with_args failed");
	rows = SPI_tuptable;
	count = SPI_processed;
	for (uint64 i = 0; i < count; i++)
	{
		bool		isnull;
		int64		boundary = DatumGetInt64(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull));
		int32		segment = DatumGetInt32(SPI_getbinval(rows->vals[i], rows->tupdesc, 2, &isnull));
		StewardSlot note = steward_value_bytes(SPI_getbinval(rows->vals[i], rows->tupdesc, 3, &isnull));

		check_prune(findings, incarnation, (uint64) boundary, (uint32) segment, &note);
	}
	SPI_freetuptable(rows);
	if (!steward_certificate_fits(incarnation))
		steward_finding(findings, STEWARD_FOUND_MISSING, &place,
						"Hashes in ledger_pruned_leaf stand for other records than the newest prune certificate counts.");
}
