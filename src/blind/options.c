/*
 * options.c: storage parameters of blind indexes; see options.h.
 */
#include "blind/options.h"

#include "access/reloptions.h"
#include "blind/meta.h"
#include "blind/range.h"
#include "blind/validate.h"
#include "utils/lsyscache.h"

/* Leaves of an exact index are larger than there is reason to leave room for. */
#define FILLFACTOR 92
#define FILLFACTOR_EXACT 98

typedef struct Options
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	int			tag_bits;
	int			fillfactor;
	int			range_tags;
} Options;

#define NOT_GIVEN 0				/* of each option */

static relopt_kind kind;

void
steward_blind_options_init(void)
{
	kind = add_reloption_kind();
	add_int_reloption(kind, "tag_bits",
					  "Bits of each column's tag: fewer mean more false candidates for a search, and for whoever reads the index.",
					  NOT_GIVEN, 8, 64, AccessExclusiveLock);
	add_int_reloption(kind, "fillfactor",
					  "How full leaves are when the index is built, in percent, on average.",
					  NOT_GIVEN, 55, 100, ShareUpdateExclusiveLock);
	add_int_reloption(kind, "range_tags",
					  "Tags of each value in an index for ranges: fewer take less space and tell less, but ranges need more look-ups.",
					  NOT_GIVEN, STEWARD_BLIND_TAGS_MIN, STEWARD_BLIND_TAGS_MAX,
					  AccessExclusiveLock);
}

bytea *
steward_blind_options(Datum reloptions, bool validate)
{
	static const relopt_parse_elt table[] = {
		{"tag_bits", RELOPT_TYPE_INT, offsetof(Options, tag_bits)},
		{"fillfactor", RELOPT_TYPE_INT, offsetof(Options, fillfactor)},
		{"range_tags", RELOPT_TYPE_INT, offsetof(Options, range_tags)},
	};

	return (bytea *) build_reloptions(reloptions, validate, kind, sizeof(Options),
									  table, lengthof(table));
}

static Options
options_of(Relation index)
{
	static const Options none = {0};

	return index->rd_options == NULL ? none : *(const Options *) index->rd_options;
}

int
steward_blind_option_tag_bits(Relation index)
{
	int			bits = options_of(index).tag_bits;

	return bits == NOT_GIVEN ? STEWARD_BLIND_DEFAULT_BITS : bits;
}

int
steward_blind_option_range_tags(Relation index)
{
	int			tags = options_of(index).range_tags;

	return tags == NOT_GIVEN ? STEWARD_BLIND_TAGS_DEFAULT : tags;
}

int
steward_blind_option_fillfactor(Relation index)
{
	int			fillfactor = options_of(index).fillfactor;

	if (fillfactor != NOT_GIVEN)
		return fillfactor;
	return index->rd_index->indisunique || index->rd_index->indisexclusion ?
		FILLFACTOR_EXACT : FILLFACTOR;
}

/* ---- options without effect ---- */

static void
tell(Relation index, const char *option, const char *why)
{
	ereport(NOTICE,
			(errmsg("option \"%s\" of index \"%s\" has no effect",
					option, RelationGetRelationName(index)),
			 errdetail_internal("%s", why)));
}

bool
steward_blind_option_is_for_ranges(Relation index)
{
	return OidIsValid(get_opfamily_member(index->rd_opfamily[0], index->rd_opcintype[0],
										  index->rd_opcintype[0], STEWARD_BLIND_LESS));
}

void
steward_blind_options_tell(Relation index, bool exact)
{
	Options		options = options_of(index);

	if (exact && options.tag_bits != NOT_GIVEN)
		tell(index, "tag_bits", "Where tags decide which values are equal, they have 96 bits or more.");
	if (options.range_tags != NOT_GIVEN && !steward_blind_option_is_for_ranges(index))
		tell(index, "range_tags", "It is for operator classes for ranges.");
}
