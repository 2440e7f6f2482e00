/*
 * leakage.c: leakage_report: what an index tells whoever reads its file.
 *
 * One pass over the leaves in the order of their keys, so equal tags come one after the
 * other and nothing has to be remembered but the last one. Sizes of classes of equal
 * values are told here, as a search or pg_stats would: so the table's owner, or a
 * role that may read all statistics, and only with the right that a search of the index
 * asks for.
 */
#include "base/compat.h"

#include <math.h>

#include "access/genam.h"
#include "base/argument.h"
#include "base/catalog.h"
#include "blind/meta.h"
#include "blind/multi.h"
#include "blind/relation.h"
#include "blind/search.h"
#include "blind/tag.h"
#include "blind/validate.h"
#include "catalog/pg_authid.h"
#include "funcapi.h"
#include "keys/keys.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* Entries whose tags begin alike: as many bits as the columns up to one have. */
typedef struct Prefix
{
	int			bits;
	int			shift;
	uint64		classes;		/* how many different ones */
	uint64		current;		/* entries of the last one */
	uint64		largest;
	uint64		alone;			/* classes of one entry */
} Prefix;

typedef struct Leakage
{
	Relation	index;
	StewardBlindMeta meta;
	uint64		entries;		/* all but these: */
	uint64		present;		/* where values have several tags: of all */
	StewardBlindTag presence;
	StewardBlindTag last;
	Prefix		prefixes[INDEX_MAX_KEYS];
	ReturnSetInfo *result;
} Leakage;

/* ---- counting ---- */

static void
end_class(Prefix *prefix)
{
	prefix->largest = Max(prefix->largest, prefix->current);
	prefix->alone += prefix->current == 1;
}

static void
count_entry(Leakage *leakage, StewardBlindTag tag)
{
	if (leakage->meta.multi && tag == leakage->presence)
	{
		leakage->present++;
		return;
	}
	for (int i = 0; i < leakage->meta.columns; i++)
	{
		Prefix	   *prefix = &leakage->prefixes[i];

		if (leakage->entries == 0 || tag >> prefix->shift != leakage->last >> prefix->shift)
		{
			if (leakage->entries > 0)
				end_class(prefix);
			prefix->current = 0;
			prefix->classes++;
		}
		prefix->current++;
	}
	leakage->last = tag;
	leakage->entries++;
}

/* The first leaf. */
static Buffer
first_leaf(Relation index)
{
	StewardBlindEntry begin = {0, 0};

	return steward_blind_find(index, &begin, 0, BUFFER_LOCK_SHARE);
}

static void
count_entries(Leakage *leakage)
{
	StewardBlindEntry *entries = palloc(STEWARD_BLIND_MAX_ENTRIES * sizeof *entries);
	PGAlignedBlock copy;
	Page		page = (Page) copy.data;
	Buffer		buffer = first_leaf(leakage->index);
	BlockNumber block;
	StewardBlindEntry high;

	for (;;)
	{
		int			count;

		memcpy(page, BufferGetPage(buffer), BLCKSZ);
		block = BufferGetBlockNumber(buffer);
		UnlockReleaseBuffer(buffer);
		CHECK_FOR_INTERRUPTS();
		count = steward_blind_leaf_entries(leakage->index, block, page, entries);
		for (int i = 0; i < count; i++)
			count_entry(leakage, entries[i].tag);
		if (!steward_blind_high_key(page, &high))
			break;
		buffer = steward_blind_read(leakage->index, STEWARD_BLIND_SPECIAL(page)->right, 0,
									BUFFER_LOCK_SHARE);
		steward_blind_require_right(leakage->index, buffer, &high);
	}
	for (int i = 0; leakage->entries > 0 && i < leakage->meta.columns; i++)
		end_class(&leakage->prefixes[i]);
	pfree(entries);
}

static void
begin_prefixes(Leakage *leakage)
{
	int			total = steward_blind_tag_bits(&leakage->meta);
	int			bits = 0;
	StewardBlindTagger tagger;

	if (leakage->meta.multi)
	{
		steward_blind_tagger_begin(&tagger, leakage->index, &leakage->meta);
		leakage->presence = steward_blind_presence_tag(&tagger);
	}
	for (int i = 0; i < leakage->meta.columns; i++)
	{
		bits += leakage->meta.bits[i];
		leakage->prefixes[i].bits = bits;
		leakage->prefixes[i].shift = total - bits;
	}
}

/* ---- saying ---- */

enum
{
	ROW_ASPECT,
	ROW_VALUE,
	ROW_MEANING,
	ROW_COLUMNS
};

/* A row; value may be NULL. */
static void
say(Leakage *leakage, const char *aspect, const char *value, const char *meaning)
{
	Datum		values[ROW_COLUMNS] = {0};
	bool		nulls[ROW_COLUMNS] = {false};

	values[ROW_ASPECT] = CStringGetTextDatum(aspect);
	nulls[ROW_VALUE] = value == NULL;
	if (value != NULL)
		values[ROW_VALUE] = CStringGetTextDatum(value);
	values[ROW_MEANING] = CStringGetTextDatum(meaning);
	tuplestore_putvalues(leakage->result->setResult, leakage->result->setDesc, values, nulls);
}

/* "a", or "a, b" for columns up to one. */
static char *
names_up_to(Relation index, int column)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i <= column; i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "",
						 quote_identifier(NameStr(TupleDescAttr(RelationGetDescr(index), i)->attname)));
	return names.data;
}

static char *
share_of(uint64 part, uint64 whole)
{
	return psprintf(UINT64_FORMAT " (%.2f %%)", part, whole == 0 ? 0.0 : 100.0 * part / whole);
}

/*
 * Other rows that a search for one value comes to. A value that is there once stands for
 * those that are sought; the others fall on its tag by chance.
 */
static char *
false_candidates(const Leakage *leakage, const Prefix *prefix)
{
	return psprintf("%.3g", ldexp((double) leakage->entries, -prefix->bits));
}

static void
say_classes(Leakage *leakage, int column)
{
	const Prefix *prefix = &leakage->prefixes[column];
	const char *names = names_up_to(leakage->index, column);

	say(leakage, psprintf("tag bits of %s", names), psprintf("%d", prefix->bits),
		"Bits of a tag that tell values, or their parts, apart. Equal ones have equal tags; different ones too, now and then, and the oftener the fewer bits.");
	say(leakage, psprintf("distinct tags of %s", names),
		psprintf(UINT64_FORMAT, prefix->classes),
		leakage->meta.multi ? "How many different parts values have, and NULL, less those that share a tag."
		: "Classes of rows that look alike. It is the number of different values, NULL among them, less those that share a tag.");
	say(leakage, psprintf("largest class of %s", names),
		share_of(prefix->largest, leakage->entries),
		"Entries with the most frequent tag. Who knows how frequent values or their parts are elsewhere, NULL too, takes this one for the most frequent.");
	say(leakage, psprintf("classes of one row of %s", names),
		share_of(prefix->alone, prefix->classes),
		"Tags that no other row has. Of these the index tells that what they stand for is rare, and nothing else.");
	say(leakage, psprintf("expected false candidates of a search for %s", names),
		false_candidates(leakage, prefix),
		"Rows that a search for one tag reads and drops. To whoever has the file a row is as uncertain: fewer bits give more of both.");
}

/* What classes there are besides equality say more, each of several tags a value. */
static void
say_class_of_operators(Leakage *leakage, int column)
{
	const char *name = NameStr(TupleDescAttr(RelationGetDescr(leakage->index), column)->attname);
	bool		several = OidIsValid(index_getprocid(leakage->index, column + 1,
													 STEWARD_BLIND_VALUE_TAGS_PROC));

	say(leakage, psprintf("tags for each value of %s", quote_identifier(name)),
		several ? psprintf("%.1f", leakage->present == 0 ? 0.0 :
						   (double) leakage->entries / leakage->present) : "1",
		several ? "Tags stand for parts of the value, so the file tells which rows have parts in common, and how many a value has. With frequencies of such parts elsewhere much of a value can be guessed: far more than by an index for equality."
		: "A tag stands for the whole value: of two rows the file tells whether they are equal, and nothing of order or likeness.");
}

static void
say_attacker(Leakage *leakage)
{
	say(leakage, "learned from the file: equality", NULL,
		"Which rows are likely to have equal values, and how many rows each class has. Rows are known by their place in the table, so other columns that are not encrypted tell more of each class.");
	say(leakage, "learned from the file: changes", NULL,
		"Which entries came last, and, of two copies of the file, which rows came, went or changed.");
	say(leakage, "not learned from the file", NULL,
		"Values, their order, and whether a guess is right: tags are made with a secret that the database has wrapped only, under a root key that is elsewhere. Nor equality with rows of another index, or of this one before a REINDEX: each has a salt of its own.");
	say(leakage, "with the key's index secret", NULL,
		"Whoever has the file and the unwrapped secret can test guesses, as fast as a tag is computed. See steward.rotate_index_secret.");
	if (leakage->meta.columns > 1)
		say(leakage, "of several columns", NULL,
			"The tag of a column is made of the columns before it too: the file tells which rows are equal in the first columns, and nothing of a later column alone.");
	if (leakage->meta.exact)
		say(leakage, "tags decide", psprintf("%d", steward_blind_tag_bits(&leakage->meta)),
			"For a constraint tags are so long that different values never share one: classes are exact. And whoever may INSERT learns from the constraint's error that a value is there.");
}

/* ---- who may ---- */

static void
check_owner(Oid heap)
{
	if (!STEWARD_OWNS_RELATION(heap, GetUserId()) &&
		!has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(heap)),
					   get_rel_name(heap));
}

STEWARD_FUNCTION(steward_leakage_report)
{
	Leakage		leakage = {0};
	Relation	heap;

	steward_require_argument(fcinfo, 0, "index");
	InitMaterializedSRF(fcinfo, 0);
	leakage.result = (ReturnSetInfo *) fcinfo->resultinfo;
	leakage.index = steward_blind_relation_open(PG_GETARG_OID(0), &heap, check_owner);
	steward_blind_relation_require_pages(leakage.index);
	leakage.meta = *steward_blind_meta_refresh(leakage.index);
	for (int i = 0; i < leakage.meta.columns; i++)
		steward_blind_require(leakage.index, i, STEWARD_RIGHT_DECRYPT |
							  (leakage.meta.multi ? 0 : STEWARD_RIGHT_SEARCH));
	begin_prefixes(&leakage);
	count_entries(&leakage);
	say(&leakage, "entries", psprintf(UINT64_FORMAT, leakage.entries + leakage.present),
		"Entries of the index: of rows, and of dead ones that VACUUM has not removed yet.");
	for (int i = 0; i < leakage.meta.columns; i++)
	{
		say_class_of_operators(&leakage, i);
		say_classes(&leakage, i);
	}
	say_attacker(&leakage);
	steward_blind_relation_close(leakage.index, heap);
	PG_RETURN_VOID();
}
