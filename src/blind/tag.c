/*
 * tag.c: tags of rows and of searched values; see tag.h.
 */
#include "blind/tag.h"

#include "access/genam.h"
#include "base/errors.h"
#include "blind/validate.h"
#include "keys/keys.h"
#include "types/guard.h"
#include "types/side.h"

#define LINK_KEY 0x8000			/* this and the column's number */

uint32
steward_blind_column_key(Relation index, int column)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(index), column);
	int32		key_typmod;

	if (!steward_guard_type_takes_key(att->atttypid, att->atttypmod, &key_typmod) ||
		key_typmod <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("column \"%s\" of index \"%s\" names no key",
						NameStr(att->attname), RelationGetRelationName(index)),
				 errdetail("Tags of a blind index are computed under the key of the indexed column."),
				 errhint("Name a key in the type of the column: steward.encrypted_text('key').")));
	return (uint32) key_typmod;
}

void
steward_blind_tagger_begin(StewardBlindTagger *tagger, Relation index,
						   const StewardBlindMeta *meta)
{
	if (meta->columns != IndexRelationGetNumberOfKeyAttributes(index))
		steward_blind_raise_corrupted(index, STEWARD_BLIND_META);
	tagger->meta = *meta;
	tagger->tag_bits = steward_blind_tag_bits(meta);
	for (int i = 0; i < meta->columns; i++)
		tagger->key_id[i] = steward_blind_column_key(index, i);
}

void
steward_blind_require(Relation index, int column, int rights)
{
	steward_key_require(steward_blind_column_key(index, column), rights);
}

/* ---- links ---- */

static const unsigned char *
key_of(const StewardBlindTagger *tagger, int column, int number)
{
	return steward_index_key(tagger->key_id[column], tagger->meta.generation[column],
							 tagger->meta.salt, number + 1);
}

StewardBlindLink
steward_blind_link(const StewardBlindTagger *tagger, int column,
				   const StewardBlindLink *before, StewardBlindKind kind,
				   const unsigned char *bytes, size_t len)
{
	StewardBlindLink digest = {{0}};
	StewardBlindLink link = {{0}};
	unsigned char message[1 + 2 * STEWARD_TAG128_BYTES];
	size_t		used = 0;

	if (kind != STEWARD_BLIND_NULL)
		steward_tag_128(digest.bytes, key_of(tagger, column, column), bytes, len);
	if (column == 0 && kind == STEWARD_BLIND_VALUE)
		return digest;
	message[used++] = kind;
	if (column > 0)
	{
		memcpy(message + used, before->bytes, sizeof before->bytes);
		used += sizeof before->bytes;
	}
	if (kind != STEWARD_BLIND_NULL)
	{
		memcpy(message + used, digest.bytes, sizeof digest.bytes);
		used += sizeof digest.bytes;
	}
	steward_tag_128(link.bytes, key_of(tagger, column, column + LINK_KEY),
					message, used);
	return link;
}

StewardBlindLink
steward_blind_value_link(const StewardBlindTagger *tagger, int column,
						 const StewardBlindLink *before, FmgrInfo *canonical,
						 Datum value, bool isnull, int rights)
{
	StewardPlaintextScope scope;
	StewardBlindLink link;
	StewardSide side;

	if (isnull)
		return steward_blind_link(tagger, column, before, STEWARD_BLIND_NULL, NULL, 0);
	steward_plaintext_begin(&scope);
	(void) FunctionCall2(canonical, value, PointerGetDatum(&side));
	if (rights != 0)
		steward_side_require(&side, rights);
	link = steward_blind_link(tagger, column, before,
							  side.erased ? STEWARD_BLIND_ERASED : STEWARD_BLIND_VALUE,
							  side.plain.bytes, side.plain.len);
	steward_side_release(&side);
	steward_plaintext_end(&scope);
	return link;
}

/* ---- tags ---- */

/* How far a column's bits are from the right end. */
static int
shift_of(const StewardBlindTagger *tagger, int column)
{
	int			shift = tagger->tag_bits;

	for (int i = 0; i <= column; i++)
		shift -= tagger->meta.bits[i];
	return shift;
}

StewardBlindTag
steward_blind_tag_put(const StewardBlindTagger *tagger, StewardBlindTag tag, int column,
					  const StewardBlindLink *link)
{
	StewardBlindTag part = 0;

	for (int i = 0; i < STEWARD_TAG128_BYTES; i++)
		part = part << 8 | link->bytes[i];
	part >>= sizeof(StewardBlindTag) * 8 - tagger->meta.bits[column];
	return tag | part << shift_of(tagger, column);
}

StewardBlindTag
steward_blind_tag_rest(const StewardBlindTagger *tagger, int column)
{
	return ((StewardBlindTag) 1 << shift_of(tagger, column)) - 1;
}

StewardBlindTag
steward_blind_row_tag(const StewardBlindTagger *tagger, Relation index,
					  const Datum *values, const bool *isnull)
{
	StewardBlindTag tag = 0;
	StewardBlindLink link;

	for (int i = 0; i < tagger->meta.columns; i++)
	{
		link = steward_blind_value_link(tagger, i, &link,
										index_getprocinfo(index, i + 1,
														  STEWARD_BLIND_CANONICAL_PROC),
										values[i], isnull[i], 0);
		tag = steward_blind_tag_put(tagger, tag, i, &link);
	}
	return tag;
}
