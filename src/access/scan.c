/*
 * scan.c: which rows a read sees.
 *
 * The function that gives the next row of a scan of a touched relation is replaced
 * by one that looks at what it gives. So rows are those that passed the conditions
 * of the scan, before joins, sorting, LIMIT and aggregates: a superset of what the
 * statement shows. PostgreSQL puts its own first call, which checks the stack and
 * chooses whether to time the node, around the function; it stays there.
 */
#include "base/compat.h"

#include "access/spool_json.h"
#include "access/read.h"
#include "audit/codec.h"
#include "audit/codec_resolve.h"
#include "audit/codec_show.h"
#include "audit/settings.h"
#include "base/guc.h"
#include "catalog/pg_type_d.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "nodes/execnodes.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* A column of the key in the row that a scan gives. */
typedef struct KeyColumn
{
	AttrNumber	number;			/* there */
	Oid			type;
	const char *name;			/* JSON */
	const StewardCodec *codec;
} KeyColumn;

/* A row that is named: where in the read's keys. */
typedef struct StewardNamed
{
	uint32		hash;
	int			at;
	int			len;
} StewardNamed;

/* Keys of a relation may take so much of a record; further rows are left off. */
#define MAX_KEYS_BYTES (4 * 1024 * 1024)

typedef struct Watched
{
	PlanState  *node;			/* the key of the hash */
	ExecProcNodeMtd next;
	StewardRead *read;
	int			touched;		/* which of the read's */
	int			key_count;		/* 0: rows are counted */
	KeyColumn  *keys;
	Relation	relation;
	bool		working;		/* on its next row */
	struct Watched *sibling;	/* of the same read */
} Watched;

static HTAB *watched = NULL;
static Watched *last = NULL;	/* scans mostly come in runs */

static inline bool
is_integer(Oid type)
{
	return type == INT4OID || type == INT8OID || type == INT2OID;
}

static void
put_integer(StringInfo out, Oid type, Datum value)
{
	steward_spool_json_integer(out, type == INT2OID ? DatumGetInt16(value) :
							   type == INT4OID ? DatumGetInt32(value) : DatumGetInt64(value));
}

static void
put_jsonb(StringInfo out, JsonbValue *value)
{
	Jsonb	   *jsonb = JsonbValueToJsonb(value);
	char	   *text = JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));

	appendStringInfoString(out, pg_server_to_any(text, strlen(text), PG_UTF8));
}

/* The bytes of a value without their length, as the codec wrote them. */
static StewardSlice
slice_of(const StewardCodec *codec, StringInfo bytes)
{
	StewardSlice slice = {(unsigned char *) bytes->data, bytes->len, GetDatabaseEncoding()};

	if (codec->width != STEWARD_COUNTED)
		return slice;
	while (slice.length > 0 && (*slice.data & 0x80) != 0)
	{
		slice.data++;
		slice.length--;
	}
	slice.data++;
	slice.length--;
	return slice;
}

/* What has no Datum that can be shown goes through the codec's bytes. */
static void
put_coded(StringInfo out, const StewardCodec *codec, Datum value)
{
	int			level = codec->settings ? steward_settings_enter() : 0;
	JsonbParseState *state = NULL;
	StringInfoData bytes;
	Jsonb	   *list;
	char	   *text;

	initStringInfo(&bytes);
	codec->put(codec, &bytes, value);
	if (codec->settings)
		steward_settings_leave(level);
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	steward_push_value(&state, WJB_ELEM, codec, slice_of(codec, &bytes));
	list = JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
	text = JsonbToCString(NULL, &list->root, VARSIZE(list));
	text = pg_server_to_any(text, strlen(text), PG_UTF8);
	/* without the brackets */
	appendBinaryStringInfo(out, text + 1, strlen(text) - 2);
}

/* By the audit's codec, as jsonb shows it. */
static void
put_shown(StringInfo out, const StewardCodec *codec, Datum value)
{
	JsonbValue	shown;

	if (codec->kind != STEWARD_SCALAR || codec->scalar->fidelity == STEWARD_AS_TEXT)
	{
		put_coded(out, codec, value);
		return;
	}
	codec->scalar->show(&shown, value);
	if (shown.type == jbvString)
		steward_spool_json_text(out, shown.val.string.val, shown.val.string.len);
	else
		put_jsonb(out, &shown);
}

static void
put_key(const Watched *scan, TupleTableSlot *row, StringInfo out)
{
	appendStringInfoCharMacro(out, '{');
	for (int i = 0; i < scan->key_count; i++)
	{
		const KeyColumn *key = &scan->keys[i];
		bool		isnull;
		Datum		value = slot_getattr(row, key->number, &isnull);

		if (i > 0)
			appendStringInfoCharMacro(out, ',');
		appendStringInfoString(out, key->name);
		appendStringInfoCharMacro(out, ':');
		if (isnull)
			steward_spool_json_put(out, "null");
		else if (is_integer(key->type))
			put_integer(out, key->type, value);
		else
			put_shown(out, key->codec, value);
	}
	appendStringInfoCharMacro(out, '}');
}

static bool
is_known(StewardTouched *touched, const StewardNamed *row)
{
	const char *keys = touched->keys.data;

	for (int i = touched->key_count - 1; i >= 0; i--)
	{
		const StewardNamed *known = &touched->named[i];

		if (known->hash == row->hash && known->len == row->len &&
			memcmp(keys + known->at, keys + row->at, row->len) == 0)
			return true;
	}
	return false;
}

/* Keeps the key of a row, once. In the read's memory. */
static void
add_key(const Watched *scan, StewardTouched *touched, TupleTableSlot *row)
{
	StringInfo	keys = &touched->keys;
	int			before = keys->len;
	StewardNamed named;

	if (keys->data == NULL)
	{
		initStringInfo(keys);
		touched->named = palloc(sizeof(StewardNamed) * touched->key_limit);
	}
	if (before > 0)
		appendStringInfoCharMacro(keys, ',');
	named.at = keys->len;
	put_key(scan, row, keys);
	named.len = keys->len - named.at;
	named.hash = hash_bytes((unsigned char *) keys->data + named.at, named.len);
	touched->left_off = keys->len > MAX_KEYS_BYTES;
	if (touched->left_off || is_known(touched, &named))
	{
		keys->len = before;
		keys->data[before] = '\0';
	}
	else
		touched->named[touched->key_count++] = named;
}

/* Names a row, unless it cannot be, or as many are named as are wanted. */
static void
name_row(const Watched *scan, TupleTableSlot *row)
{
	StewardTouched *touched = &scan->read->touched[scan->touched];
	MemoryContext old;

	if (touched->left_off)
		return;
	if (scan->key_count == 0 || touched->key_count >= touched->key_limit)
	{
		touched->left_off = true;
		return;
	}
	old = MemoryContextSwitchTo(scan->read->context);
	add_key(scan, touched, row);
	MemoryContextSwitchTo(old);
}

static TupleTableSlot *
next_row(PlanState *node)
{
	TupleTableSlot *result;
	Watched    *scan = last;

	if (unlikely(scan == NULL || scan->node != node))
	{
		scan = hash_search(watched, &node, HASH_FIND, NULL);
		if (scan == NULL)
			elog(ERROR, "scan is not watched");
		last = scan;
	}
	scan->working = true;
	result = scan->next(node);
	scan->working = false;
	if (!TupIsNull(result))
	{
		scan->read->touched[scan->touched].rows++;
		name_row(scan, ((ScanState *) node)->ss_ScanTupleSlot);
	}
	return result;
}

void
steward_read_name_failed(StewardRead *read)
{
	for (Watched *scan = read->scans; scan != NULL; scan = scan->sibling)
	{
		TupleTableSlot *row = ((ScanState *) scan->node)->ss_ScanTupleSlot;

		if (scan->working && row != NULL && !TupIsNull(row) &&
			read->touched[scan->touched].read)
			name_row(scan, row);
	}
}

void
steward_read_name_shown(StewardRead *read)
{
	for (int i = 0; i < read->touched_count; i++)
	{
		StewardTouched *touched = &read->touched[i];

		touched->rows = 0;
		touched->key_count = 0;
		touched->left_off = false;
		if (touched->keys.data != NULL)
			resetStringInfo(&touched->keys);
	}
	for (Watched *scan = read->scans; scan != NULL; scan = scan->sibling)
	{
		TupleTableSlot *row = ((ScanState *) scan->node)->ss_ScanTupleSlot;

		if (row == NULL || TupIsNull(row) || !read->touched[scan->touched].written)
			continue;
		read->touched[scan->touched].rows++;
		name_row(scan, row);
	}
	/* Its trigger came after the scan: it is not known which. */
	for (int i = 0; i < read->touched_count; i++)
		read->touched[i].left_off |= read->touched[i].rows == 0;
}

/* ---- which scans ---- */

/* The touched relation that a scanned one belongs to, or -1. */
static int
touched_of(StewardRead *read, Oid relid)
{
	const StewardAccessRule *rule;

	for (int i = 0; i < read->touched_count; i++)
		if (read->touched[i].rule->relid == relid)
			return i;
	rule = steward_access_rule(relid);
	for (int i = 0; rule != NULL && i < read->touched_count; i++)
		if (read->touched[i].rule->relid == rule->origin ||
			read->touched[i].rule->origin == rule->origin)
			return i;
	return -1;
}

/* Where a column stands in the rows of a scan; 0 when it does not. */
static AttrNumber
place_of(PlanState *node, AttrNumber column)
{
	ScanState  *scan = (ScanState *) node;
	TupleDesc	rows = scan->ss_ScanTupleSlot->tts_tupleDescriptor;
	TupleDesc	table = RelationGetDescr(scan->ss_currentRelation);
	Relation	index;

	if (IsA(node, ForeignScanState) || IsA(node, CustomScanState))
		return 0;
	if (!IsA(node, IndexOnlyScanState))
		return column;
	index = ((IndexOnlyScanState *) node)->ioss_RelationDesc;
	for (int i = 0; index != NULL && i < index->rd_index->indnatts; i++)
		if (index->rd_index->indkey.values[i] == column &&
			TupleDescAttr(rows, i)->atttypid == TupleDescAttr(table, column - 1)->atttypid)
			return i + 1;
	return 0;
}

/* The scanned relation's key, if its rows have it. */
static void
set_keys(Watched *scan, const StewardAccessRule *rule)
{
	TupleDesc	desc = RelationGetDescr(scan->relation);

	scan->key_count = 0;
	if (rule == NULL)
		return;
	scan->keys = palloc(sizeof(KeyColumn) * Max(rule->key_count, 1));
	for (int i = 0; i < rule->key_count; i++)
	{
		KeyColumn  *key = &scan->keys[i];
		AttrNumber	place = place_of(scan->node, rule->keys[i]);

		if (place == 0)
			return;
		key->number = place;
		key->type = getBaseType(TupleDescAttr(desc, rule->keys[i] - 1)->atttypid);
		key->codec = is_integer(key->type) ? NULL : steward_codec_for_type(key->type);
		key->name = rule->column_names[rule->keys[i] - 1];
		/* Only its own generation stays as long as the read. */
		if (unlikely(rule->generation != scan->read->generation))
			key->name = MemoryContextStrdup(scan->read->context, key->name);
	}
	scan->key_count = rule->key_count;
}

static void
watch(StewardRead *read, ScanState *state)
{
	Relation	relation = state->ss_currentRelation;
	int			touched = touched_of(read, RelationGetRelid(relation));
	PlanState  *node = &state->ps;
	Watched    *scan;
	bool		found;

	if (touched < 0 || (read->check && !read->touched[touched].written))
		return;
	scan = hash_search(watched, &node, HASH_ENTER, &found);
	if (found)
		return;
	scan->next = node->ExecProcNodeReal;
	scan->working = false;
	scan->read = read;
	scan->touched = touched;
	scan->relation = relation;
	scan->sibling = read->scans;
	read->scans = scan;
	set_keys(scan, steward_access_rule(RelationGetRelid(relation)));
	read->touched[touched].scanned = true;
	if (read->check || !read->touched[touched].read)
		return;
	node->ExecProcNodeReal = next_row;
	/* The first call may have been made: then it goes past Real. */
	if (node->instrument == NULL && node->ExecProcNode == scan->next)
		node->ExecProcNode = next_row;
}

static bool
watch_tree(PlanState *node, void *arg)
{
	switch (nodeTag(node))
	{
		case T_SeqScanState:
		case T_SampleScanState:
		case T_IndexScanState:
		case T_IndexOnlyScanState:
		case T_BitmapHeapScanState:
		case T_TidScanState:
		case T_TidRangeScanState:
		case T_ForeignScanState:
		case T_CustomScanState:
			if (((ScanState *) node)->ss_currentRelation != NULL)
				watch(arg, (ScanState *) node);
			break;
		default:
			break;
	}
	return planstate_tree_walker(node, watch_tree, arg);
}

void
steward_read_watch_scans(StewardRead *read)
{
	MemoryContext old;

	if (watched == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(PlanState *), .entrysize = sizeof(Watched)};

		watched = hash_create("pg_steward watched scans", 16, &control,
							  HASH_ELEM | HASH_BLOBS);
	}
	old = MemoryContextSwitchTo(read->context);
	(void) watch_tree(read->query->planstate, read);
	MemoryContextSwitchTo(old);
}

void
steward_read_forget_scans(StewardRead *read)
{
	last = NULL;
	while (read->scans != NULL)
	{
		Watched    *scan = read->scans;

		read->scans = scan->sibling;
		hash_search(watched, &scan->node, HASH_REMOVE, NULL);
	}
}
