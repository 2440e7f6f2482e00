/*
 * prove.c: steward.prove and steward.prove_consistency, which give proofs to check
 * offline, and steward.export_ledger, which gives all leaves.
 */
#include "base/compat.h"

#include "base/argument.h"
#include "crypto/proof_text.h"
#include "crypto/scan.h"
#include "funcapi.h"
#include "ledger/checkpoint.h"
#include "ledger/error.h"
#include "ledger/log.h"
#include "ledger/session.h"
#include "ledger/signer.h"
#include "ledger/tree.h"
#include "ledger/values.h"
#include "ledger/walk.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"
#include "utils/xid8.h"

/* The bytes of a leaf; allocated unless it is an opening. */
static unsigned char *
leaf_bytes(const StewardLeaf *leaf, size_t *length)
{
	unsigned char *bytes;

	*length = leaf->length;
	if (leaf->record == NULL)
		return unconstify(unsigned char *, leaf->bytes);
	*length = STEWARD_LEAF_RECORD_HEAD_BYTES + (size_t) leaf->record->payload_len;
	bytes = MemoryContextAllocHuge(CurrentMemoryContext, *length);
	steward_leaf_record_head(bytes, leaf->record);
	memcpy(bytes + STEWARD_LEAF_RECORD_HEAD_BYTES, leaf->record->payload,
		   leaf->record->payload_len);
	return bytes;
}

/* ---- one record ---- */

typedef struct Wanted
{
	uint64		xid;
	int32		seq;
	MemoryContext context;
	bool		found;
	uint64		index;
	unsigned char *bytes;
	size_t		length;
} Wanted;

static bool
look_for(void *arg, const StewardLeaf *leaf)
{
	Wanted	   *wanted = arg;
	MemoryContext caller;

	if (leaf->record == NULL || leaf->record->xid != wanted->xid ||
		(int32) leaf->record->seq != wanted->seq)
		return true;
	caller = MemoryContextSwitchTo(wanted->context);
	wanted->bytes = leaf_bytes(leaf, &wanted->length);
	MemoryContextSwitchTo(caller);
	wanted->index = leaf->index;
	wanted->found = true;
	return false;
}

static pg_attribute_noreturn() void
raise_unsealed(const Wanted *wanted)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("the ledger has no record %d of transaction " UINT64_FORMAT,
					wanted->seq, wanted->xid),
			 errhint("It may not be sealed yet, or pruned; steward.audit_record shows which records there are.")));
}

static void
find_record(StewardTree *tree, Wanted *wanted)
{
	StewardBlock block;

	if (!steward_block_of_xid(tree->incarnation, wanted->xid, &block))
		raise_unsealed(wanted);
	(void) steward_tree_walk(tree, Max(steward_walk_floor(tree->incarnation), (uint64) block.first_leaf),
							 STEWARD_BLOCK_END(&block), look_for, wanted);
	if (!wanted->found)
		raise_unsealed(wanted);
}

/* The newest block that is committed, and its checkpoint. */
static char *
newest_checkpoint(int32 incarnation, StewardBlock *block)
{
	StewardSigner signer;

	steward_signer_need(&signer);
	if (!steward_block_newest_committed(incarnation, block))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("incarnation %d has no sealed block", incarnation),
				 errhint("steward.audit_incarnation shows which incarnations there are.")));
	return steward_checkpoint_note(block);
}

static void
append_inclusion(StringInfo out, const Wanted *wanted, const StewardProof *proof,
				 const char *checkpoint)
{
	char		text[STEWARD_PROOF_TEXT_BYTES];

	appendStringInfoString(out, STEWARD_PROOF_HEADER);
	enlargeStringInfo(out, steward_proof_extra_size(wanted->length));
	out->len += steward_proof_extra_format(out->data + out->len, wanted->bytes,
										   wanted->length);
	(void) steward_proof_text_format(text, STEWARD_PROOF_INCLUSION, wanted->index, proof);
	appendStringInfoString(out, text);
	appendStringInfoString(out, checkpoint);
}

STEWARD_FUNCTION(steward_prove)
{
	static const char *const names[] = {"incarnation", "xid", "seq"};
	StewardSession session;
	StewardTree *tree = palloc(sizeof(StewardTree));
	StewardBlock newest;
	Wanted		wanted = {0};
	StewardProof proof;
	StringInfoData out;
	char	   *checkpoint;
	Datum		result;

	steward_require_arguments(fcinfo, lengthof(names), names);
	steward_session_begin_reading(&session);
	checkpoint = newest_checkpoint(PG_GETARG_INT32(0), &newest);
	steward_tree_begin(tree, PG_GETARG_INT32(0));
	wanted.xid = U64FromFullTransactionId(PG_GETARG_FULLTRANSACTIONID(1));
	wanted.seq = PG_GETARG_INT32(2);
	wanted.context = CurrentMemoryContext;
	find_record(tree, &wanted);
	if (!steward_proof_inclusion(&proof, wanted.index, STEWARD_BLOCK_END(&newest),
								 steward_tree_subtree, tree))
		steward_ledger_corrupted("hashes that the proof needs are missing");
	initStringInfo(&out);
	append_inclusion(&out, &wanted, &proof, checkpoint);
	result = steward_session_text(&session, out.data, out.len);
	steward_session_end(&session);
	PG_RETURN_DATUM(result);
}

/* ---- that the log was only appended to ---- */

/* The block that ends at a size, for its checkpoint. */
static char *
checkpoint_at(int32 incarnation, int64 size, StewardBlock *block)
{
	char	   *newest = newest_checkpoint(incarnation, block);

	if (size == STEWARD_BLOCK_END(block))
		return newest;
	if (size <= 0 || size > STEWARD_BLOCK_END(block) ||
		!steward_block_of_leaf(incarnation, size - 1, block) ||
		STEWARD_BLOCK_END(block) != size)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no block of the ledger ends at " INT64_FORMAT " leaves", size),
				 errhint("Take the size of a checkpoint.")));
	return steward_checkpoint_note(block);
}

/*
 * Of leaves that were pruned there are the hashes of subtrees of 256 and more: a tree
 * that ends between them cannot be continued by a proof.
 */
static void
refuse_pruned_size(int32 incarnation, int64 size)
{
	uint64		boundary = steward_walk_boundary(incarnation);

	if ((uint64) size % STEWARD_TILE_WIDTH == 0 || (uint64) size >= steward_walk_floor(incarnation))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("no proof can be made of " INT64_FORMAT " leaves", size),
			 errdetail("Records before leaf " UINT64_FORMAT " were pruned.", boundary),
			 errhint("Proofs can be made from checkpoints of that size or more; an export that was kept of the pruned records is verified against older ones.")));
}

STEWARD_FUNCTION(steward_prove_consistency)
{
	StewardSession session;
	StewardTree *tree = palloc(sizeof(StewardTree));
	StewardBlock block;
	StewardProof proof;
	StringInfoData out;
	char		text[STEWARD_PROOF_TEXT_BYTES];
	char	   *checkpoint;
	int32		incarnation;
	int64		old_size;
	Datum		result;

	steward_require_argument(fcinfo, 0, "old_size");
	old_size = PG_GETARG_INT64(0);
	steward_session_begin_reading(&session);
	incarnation = PG_ARGISNULL(2) ? steward_log_default() : PG_GETARG_INT32(2);
	checkpoint = PG_ARGISNULL(1) ? newest_checkpoint(incarnation, &block) :
		checkpoint_at(incarnation, PG_GETARG_INT64(1), &block);
	if (old_size < 0 || old_size > STEWARD_BLOCK_END(&block))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a log of " INT64_FORMAT " leaves cannot continue one of " INT64_FORMAT,
						STEWARD_BLOCK_END(&block), old_size)));
	refuse_pruned_size(incarnation, old_size);
	refuse_pruned_size(incarnation, STEWARD_BLOCK_END(&block));
	steward_tree_begin(tree, incarnation);
	if (!steward_proof_consistency(&proof, old_size, STEWARD_BLOCK_END(&block),
								   steward_tree_subtree, tree))
		steward_ledger_corrupted("hashes that the proof needs are missing");
	initStringInfo(&out);
	(void) steward_proof_text_format(text, STEWARD_PROOF_CONSISTENCY, old_size, &proof);
	appendStringInfoString(&out, text);
	appendStringInfoString(&out, checkpoint);
	result = steward_session_text(&session, out.data, out.len);
	steward_session_end(&session);
	PG_RETURN_DATUM(result);
}

/* ---- all leaves ---- */

typedef struct Export
{
	ReturnSetInfo *result;
} Export;

static bool
export_leaf(void *arg, const StewardLeaf *leaf)
{
	Export	   *export = arg;
	bool		is_hash = leaf->record == NULL && leaf->bytes == NULL;
	size_t		length;
	const unsigned char *bytes = is_hash ? leaf->hash.bytes : leaf_bytes(leaf, &length);
	Datum		values[2];
	bool		nulls[2] = {false};
	text	   *line;
	char	   *end;

	if (is_hash)
		length = STEWARD_HASH_BYTES;
	line = MemoryContextAllocHuge(CurrentMemoryContext,
								  VARHDRSZ + STEWARD_BASE64_CHARS(length) + 8);
	end = VARDATA(line);
	if (is_hash)
		end = steward_put_word(end, "hash ");
	end = steward_put_base64(end, bytes, length);
	if (!AllocSizeIsValid(end - (char *) line))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a leaf of the ledger is too large to be exported")));
	SET_VARSIZE(line, end - (char *) line);
	values[0] = Int64GetDatum((int64) leaf->index);
	values[1] = PointerGetDatum(line);
	tuplestore_putvalues(export->result->setResult, export->result->setDesc, values, nulls);
	return true;
}

STEWARD_FUNCTION(steward_export_ledger)
{
	StewardSession session;
	StewardTree *tree = palloc(sizeof(StewardTree));
	StewardBlock newest;
	Export		export = {(ReturnSetInfo *) fcinfo->resultinfo};
	int32		incarnation;
	uint64		first;
	uint64		end;

	InitMaterializedSRF(fcinfo, 0);
	steward_session_begin_reading(&session);
	incarnation = PG_ARGISNULL(0) ? steward_log_default() : PG_GETARG_INT32(0);
	if (incarnation != 0 && steward_block_newest_committed(incarnation, &newest))
	{
		first = PG_ARGISNULL(1) ? steward_walk_boundary(incarnation) : (uint64) PG_GETARG_INT64(1);
		end = STEWARD_BLOCK_END(&newest);
		if (!PG_ARGISNULL(2))
			end = Min(end, (uint64) PG_GETARG_INT64(2));
		steward_tree_begin(tree, incarnation);
		if (first < end && !steward_tree_walk(tree, first, end, export_leaf, &export))
			steward_ledger_corrupted("records that were sealed are missing");
	}
	steward_session_end(&session);
	PG_RETURN_NULL();
}
