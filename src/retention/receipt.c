/*
 * receipt.c: the leaves of destroyed rows, and the receipts of a run; see receipt.h.
 */
#include "retention/receipt.h"

#include "access/sysattr.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "nodes/bitmapset.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "crypto/bytes.h"
#include "crypto/sha256.h"
#include "retention/policy.h"
#include "retention/receipt_tree.h"
#include "retention/statement.h"

#define LEAF_TAG "pg_steward/receipt/1"

/* ---- leaves ---- */

/*
 * A column of row t, as it is made text. The statement runs in the time zone of the
 * policy, which can be altered, so instants are made local times of UTC.
 */
static char *
column_value(Relation rel, AttrNumber number)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), number - 1);
	const char *name = quote_identifier(NameStr(attribute->attname));

	if (getBaseType(attribute->atttypid) == TIMESTAMPTZOID)
		return psprintf("pg_catalog.timezone('UTC', t.%s)", name);
	return psprintf("t.%s", name);
}

/* All columns, as one row; what is generated says nothing that the others do not. */
static char *
whole_row(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	StringInfoData row;

	initStringInfo(&row);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (!attribute->attisdropped && attribute->attgenerated == '\0')
			appendStringInfo(&row, "%s%s", row.len == 0 ? "" : ", ",
							 column_value(rel, attribute->attnum));
	}
	return psprintf("ROW(%s)", row.data);
}

/*
 * The columns of a key as texts, by each type's own output, not its cast to text, which somebody can define. Hashed
 * here: to call a function of SQL for each takes longer than the hash.
 */
static void
describe_columns(Relation rel, const Bitmapset *columns, StewardReceiptKey *key)
{
	StringInfoData names;
	StringInfoData values;
	StringInfoData texts;
	int			member = -1;

	initStringInfo(&names);
	initStringInfo(&values);
	initStringInfo(&texts);
	while ((member = bms_next_member(columns, member)) >= 0)
	{
		AttrNumber	number = member + FirstLowInvalidHeapAttributeNumber;

		key->columns++;
		appendStringInfo(&names, ", k%d", key->columns);
		appendStringInfo(&values, ", pg_catalog.concat(%s)", column_value(rel, number));
		appendStringInfo(&texts, "%sg.k%d", key->columns == 1 ? "" : ", ", key->columns);
	}
	key->names = names.data;
	key->values = values.data;
	key->leaves = psprintf(key->columns == 1 ?
						   "COALESCE(pg_catalog.array_agg(%s), '{}'::pg_catalog.text[])" :
						   "COALESCE(pg_catalog.array_agg(ARRAY[%s]), '{}'::pg_catalog.text[])",
						   texts.data);
}

/* Hashed by the statement: all rows of a batch may be more than fits into one value. */
static void
describe_whole_row(Relation rel, int parameter, StewardReceiptKey *key)
{
	/* Bytes of SQL_ASCII can be in no other encoding. */
	const char *encoding = GetDatabaseEncoding() == PG_SQL_ASCII ? "SQL_ASCII" : "UTF8";

	key->names = pstrdup(", k1");
	key->values = psprintf(", pg_catalog.convert_to(pg_catalog.concat(%s), '%s')",
						   whole_row(rel), encoding);
	key->leaves = psprintf("COALESCE(pg_catalog.string_agg(pg_catalog.sha256($%d"
						   " OPERATOR(pg_catalog.||) pg_catalog.int4send(pg_catalog.octet_length(g.k1))"
						   " OPERATOR(pg_catalog.||) g.k1), ''::pg_catalog.bytea), ''::pg_catalog.bytea)",
						   parameter);
}

void
steward_receipt_key(Relation rel, Datum head, int parameter, StewardReceiptKey *key)
{
	Oid			constraint;
	Bitmapset  *columns = get_primary_key_attnos(RelationGetRelid(rel), true, &constraint);

	key->columns = 0;
	key->head = head;
	if (columns != NULL)
		describe_columns(rel, columns, key);
	else
		describe_whole_row(rel, parameter, key);
}

/* A text of the server as a part of a leaf. */
static void
hash_text(StewardSha256 *leaf, const char *text, int length)
{
	unsigned char size[4];
	char	   *utf8 = unconstify(char *, text);

	if (GetDatabaseEncoding() != PG_SQL_ASCII)
		utf8 = pg_server_to_any(text, length, PG_UTF8);
	if (utf8 != text)
		length = strlen(utf8);
	steward_store_be32(size, length);
	steward_sha256_update(leaf, size, sizeof(size));
	steward_sha256_update(leaf, utf8, length);
	if (utf8 != text)
		pfree(utf8);
}

/* The leaves of rows, from the texts of their keys one after the other. */
static void
add_texts(StringInfo leaves, const StewardReceiptKey *key, ArrayType *texts)
{
	bytea	   *head = DatumGetByteaPP(key->head);
	StewardSha256 begun;
	Datum	   *elements;
	int			count;

	steward_sha256_init(&begun);
	steward_sha256_update(&begun, VARDATA_ANY(head), VARSIZE_ANY_EXHDR(head));
	deconstruct_array(texts, TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &count);
	for (int i = 0; i < count; i += key->columns)
	{
		StewardSha256 leaf = begun;
		StewardHash hash;

		for (int j = i; j < i + key->columns; j++)
		{
			text	   *one = DatumGetTextPP(elements[j]);

			hash_text(&leaf, VARDATA_ANY(one), VARSIZE_ANY_EXHDR(one));
		}
		steward_sha256_final(&leaf, &hash);
		appendBinaryStringInfo(leaves, (const char *) hash.bytes, STEWARD_HASH_BYTES);
	}
	pfree(elements);
}

void
steward_receipt_put(StringInfo leaf, const char *text)
{
	unsigned char length[4];
	const char *utf8 = text;

	if (GetDatabaseEncoding() != PG_SQL_ASCII)
		utf8 = pg_server_to_any(text, strlen(text), PG_UTF8);
	steward_store_be32(length, strlen(utf8));
	appendBinaryStringInfo(leaf, (const char *) length, sizeof(length));
	appendStringInfoString(leaf, utf8);
}

static Datum
bytes_datum(const void *bytes, size_t length)
{
	bytea	   *datum = palloc(VARHDRSZ + length);

	SET_VARSIZE(datum, VARHDRSZ + length);
	memcpy(VARDATA(datum), bytes, length);
	return PointerGetDatum(datum);
}

Datum
steward_receipt_head(const unsigned char *salt, const char *action, const char *schema,
					 const char *table)
{
	StringInfoData head;

	initStringInfo(&head);
	appendStringInfoString(&head, LEAF_TAG);
	appendBinaryStringInfo(&head, (const char *) salt, STEWARD_RECEIPT_SALT_BYTES);
	steward_receipt_put(&head, action);
	steward_receipt_put(&head, schema);
	steward_receipt_put(&head, table);
	return bytes_datum(head.data, head.len);
}

Datum
steward_receipt_head_of(const unsigned char *salt, const char *action, Relation rel)
{
	return steward_receipt_head(salt, action,
								get_namespace_name(RelationGetNamespace(rel)),
								RelationGetRelationName(rel));
}

void
steward_receipt_put_bytes(StringInfo leaf, Datum bytes)
{
	bytea	   *these = DatumGetByteaPP(bytes);

	appendBinaryStringInfo(leaf, VARDATA_ANY(these), VARSIZE_ANY_EXHDR(these));
}

void
steward_receipt_add(StringInfo leaves, const StewardReceiptKey *key, Datum value)
{
	if (key->columns > 0)
		add_texts(leaves, key, DatumGetArrayTypeP(value));
	else
		steward_receipt_put_bytes(leaves, value);
}

void
steward_receipt_add_texts(StringInfo leaves, const unsigned char *salt, const char *action,
						  const char *schema, const char *table, int count,
						  const char *const *texts)
{
	StringInfoData leaf;
	StewardHash hash;

	initStringInfo(&leaf);
	steward_receipt_put_bytes(&leaf, steward_receipt_head(salt, action, schema, table));
	for (int i = 0; i < count; i++)
		steward_receipt_put(&leaf, texts[i]);
	steward_sha256(&hash, leaf.data, leaf.len);
	pfree(leaf.data);
	if (leaves->data == NULL)
		initStringInfo(leaves);
	appendBinaryStringInfo(leaves, (const char *) hash.bytes, STEWARD_HASH_BYTES);
}

/* ---- of a run ---- */

static void
raise_unfit(int64 run)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("the receipts of run %lld do not fit its batches", (long long) run),
			 errhint("See steward.verify_receipt. Alter the policy, which lets it begin another run.")));
}

void
steward_receipts_read(int64 run, StewardReceipts *receipts)
{
	Oid			type = INT8OID;
	Datum		value = Int64GetDatum(run);
	bytea	   *salt;
	bytea	   *frontier;

	steward_policy_sql("SELECT COALESCE(l.salt, ''::pg_catalog.bytea),"
					   " COALESCE(l.frontier, ''::pg_catalog.bytea), l.batches"
					   " FROM steward.policy_run_log AS l WHERE l.id OPERATOR(pg_catalog.=) $1",
					   SPI_OK_SELECT, 1, &type, &value, NULL);
	if (SPI_processed != 1)
		raise_unfit(run);
	salt = DatumGetByteaPP(steward_result(0, 1));
	frontier = DatumGetByteaPP(steward_result(0, 2));
	if (VARSIZE_ANY_EXHDR(salt) != STEWARD_RECEIPT_SALT_BYTES ||
		!steward_frontier_unpack(&receipts->batches, DatumGetInt64(steward_result(0, 3)),
								 (const unsigned char *) VARDATA_ANY(frontier),
								 VARSIZE_ANY_EXHDR(frontier)))
		raise_unfit(run);
	memcpy(receipts->salt, VARDATA_ANY(salt), STEWARD_RECEIPT_SALT_BYTES);
	SPI_freetuptable(SPI_tuptable);
}

void
steward_receipts_batch(int64 run, StewardReceipts *receipts, int64 rows,
					   StringInfo leaves, StewardHash *root)
{
	size_t		count = leaves->len / STEWARD_HASH_BYTES;
	Oid			types[] = {INT8OID, INT8OID, INT8OID, BYTEAOID};
	Datum		values[4];

	steward_receipt_batch_root(root, (StewardHash *) leaves->data, count);
	if (!steward_receipt_append(&receipts->batches, rows, root))
		elog(ERROR, "too many batches in one run");
	values[0] = Int64GetDatum(run);
	values[1] = Int64GetDatum((int64) receipts->batches.size);
	values[2] = Int64GetDatum(rows);
	values[3] = bytes_datum(root->bytes, STEWARD_HASH_BYTES);
	steward_policy_sql("INSERT INTO steward.policy_receipt (run, batch, rows, root)"
					   " VALUES ($1, $2, $3, $4)",
					   SPI_OK_INSERT, lengthof(types), types, values, NULL);
}

Datum
steward_receipts_root(const StewardReceipts *receipts)
{
	StewardHash root;

	steward_frontier_root(&root, &receipts->batches);
	return bytes_datum(root.bytes, STEWARD_HASH_BYTES);
}

Datum
steward_receipts_frontier(const StewardReceipts *receipts)
{
	unsigned char frontier[STEWARD_FRONTIER_MAX_BYTES];
	size_t		length = steward_frontier_pack(frontier, &receipts->batches);

	return bytes_datum(frontier, length);
}
