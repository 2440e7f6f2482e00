/*
 * analyze.c: statistics of encrypted columns.
 *
 * ANALYZE may keep how many values are null, how wide they are and how many
 * differ; no value, no frequency of a value and no order. Distinct values are
 * counted by keyed hash; not at all without the keys, nor for a table whose owner
 * may not search under them: in a table of one's own, of one stolen value and a
 * guess, their number would tell whether they are equal.
 */
#include "types/type_info.h"

#include <math.h>

#include "access/detoast.h"
#include "base/procedure.h"
#include "commands/vacuum.h"
#include "common/hashfn.h"
#include "crypto/tag.h"
#include "keys/keys.h"
#include "utils/memutils.h"

/* Values wider than this are not opened. */
#define WIDTH_THRESHOLD 1024

static int
compare_hashes(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return x < y ? -1 : x > y ? 1 : 0;
}

/*
 * Number of distinct values in the table, from a sample of its rows: the
 * estimator of Haas and Stokes (1998, "Duj1"), as PostgreSQL's own ANALYZE
 * uses. Returned in the form of stadistinct: negative is a fraction of the rows.
 */
static float4
estimate_distinct(uint64 *hashes, int count, double total_rows, double null_fraction)
{
	int			distinct = 0;
	int			once = 0;
	double		rows = total_rows * (1.0 - null_fraction);
	double		estimate;

	if (count == 0)
		return 0.0;
	qsort(hashes, count, sizeof(uint64), compare_hashes);
	for (int i = 0, run = 0; i < count; i += run)
	{
		for (run = 1; i + run < count && hashes[i + run] == hashes[i]; run++)
			 /* count the run */ ;
		distinct++;
		if (run == 1)
			once++;
	}
	if (once == count)
		return (float4) -(1.0 - null_fraction);
	if (once == 0)
		return (float4) distinct;
	estimate = (double) count * distinct /
		((double) count - once + (double) once * count / Max(rows, 1.0));
	estimate = Min(Max(estimate, distinct), Max(rows, distinct));
	if (total_rows > 0 && estimate > 0.1 * total_rows)
		return (float4) -(estimate / total_rows);
	return (float4) floor(estimate + 0.5);
}

/*
 * Hash of one value. Wide ones are taken to differ from all others, as
 * PostgreSQL's own ANALYZE does: fetching them would cost too much.
 */
static uint64
hash_value(const StewardTypeInfo *info, Datum value, int row)
{
	struct varlena *bytes;
	StewardDatum datum;
	StewardPlain plain;
	uint64		hash;

	if (toast_raw_datum_size(value) > WIDTH_THRESHOLD)
		return hash_combine64((uint64) row, UINT64CONST(0x9e3779b97f4a7c15));
	bytes = PG_DETOAST_DATUM_PACKED(value);
	steward_parse(info, &datum, bytes);
	/* The current user is the table's owner, whoever runs ANALYZE. */
	steward_key_require(datum.key_id,
						STEWARD_RIGHT_SEARCH | STEWARD_RIGHT_DECRYPT);
	if (!steward_open(&datum, &plain))
		plain = steward_plain_borrow(VARDATA_ANY(bytes),
									 VARSIZE_ANY_EXHDR(bytes));
	else if (info->canonicalise != NULL)
		info->canonicalise(&plain);
	hash = steward_tag_64(steward_tag_keys()->hash, plain.bytes, plain.len);
	steward_plain_free(&plain);
	if ((Pointer) bytes != DatumGetPointer(value))
		pfree(bytes);
	return hash;
}

typedef struct Sample
{
	VacAttrStats *stats;
	AnalyzeAttrFetchFunc fetch;
	int			rows;
	uint64	   *hashes;
	int			count;			/* of hashes */
} Sample;

static void
hash_rows(void *arg)
{
	Sample	   *sample = arg;

	for (int i = 0; i < sample->rows; i++)
	{
		bool		isnull;
		Datum		value = sample->fetch(sample->stats, i, &isnull);

		STEWARD_ANALYZE_DELAY_POINT();
		if (!isnull)
			sample->hashes[sample->count++] =
				hash_value(sample->stats->extra_data, value, i);
	}
}

/*
 * Hashes of the sample, or 0 values when one of them cannot be opened: a host
 * without a keyring must be able to ANALYZE, and so must an owner without rights.
 */
static int
hash_sample(Sample *sample)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "pg_steward sample",
												  ALLOCSET_DEFAULT_SIZES);
	ErrorData  *error = steward_attempt(hash_rows, sample, scratch);

	MemoryContextDelete(scratch);
	if (error == NULL)
		return sample->count;
	if (error->sqlerrcode != ERRCODE_CONFIG_FILE_ERROR &&
		error->sqlerrcode != ERRCODE_UNDEFINED_OBJECT &&
		error->sqlerrcode != ERRCODE_INSUFFICIENT_PRIVILEGE &&
		error->sqlerrcode != ERRCODE_DATA_CORRUPTED)
		ReThrowError(error);
	FreeErrorData(error);
	steward_plain_wipe_all();
	return 0;
}

static void
compute_statistics(VacAttrStats *stats, AnalyzeAttrFetchFunc fetch, int rows,
				   double total_rows)
{
	Sample		sample = {.stats = stats, .fetch = fetch, .rows = rows};
	double		width = 0;
	int			nulls = 0;
	int			count;

	if (rows <= 0)
		return;
	for (int i = 0; i < rows; i++)
	{
		bool		isnull;
		Datum		value = fetch(stats, i, &isnull);

		if (isnull)
			nulls++;
		else
			width += VARSIZE_ANY(DatumGetPointer(value));
	}
	stats->stats_valid = true;
	stats->stanullfrac = (float4) nulls / rows;
	stats->stawidth = nulls < rows ? (int32) (width / (rows - nulls)) : 0;
	stats->stadistinct = 0.0;	/* unknown */

	/* Arrays of encrypted values share this function; they stay uncounted. */
	if (stats->extra_data == NULL)
		return;
	sample.hashes = palloc(rows * sizeof(uint64));
	count = hash_sample(&sample);
	if (count > 0)
		stats->stadistinct = estimate_distinct(sample.hashes, count, total_rows,
											   stats->stanullfrac);
	pfree(sample.hashes);
}

STEWARD_FUNCTION(steward_typanalyze)
{
	VacAttrStats *stats = (VacAttrStats *) PG_GETARG_POINTER(0);

	if (STEWARD_STATISTICS_TARGET(stats) < 0)
		STEWARD_STATISTICS_TARGET(stats) = default_statistics_target;
	stats->compute_stats = compute_statistics;
	stats->minrows = 300 * STEWARD_STATISTICS_TARGET(stats);
	stats->extra_data = (void *) steward_type_info(stats->attrtypid);
	PG_RETURN_BOOL(true);
}
