/*
 * conversion.h: turning a plaintext column into an encrypted one, and back.
 *
 * Terms
 *	 conversion	one column of one table on its way, in either direction
 *	 at once	by ALTER TABLE ... TYPE, in one transaction under one lock
 *	 online		by a shadow column, in many transactions
 *	 source		the column that is converted
 *	 shadow		the column that is filled beside it and takes its place
 *	 step		one row's shadow made from its source, by the trigger
 *	 carried	said of what belongs to the column and is there afterwards too
 *
 * Who calls is asked for rights; what then touches the table runs as its owner
 * (steward_become).
 */
#ifndef STEWARD_COLUMNS_CONVERSION_H
#define STEWARD_COLUMNS_CONVERSION_H

#include "base/compat.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "storage/block.h"
#include "utils/relcache.h"

typedef struct StewardConversion
{
	Oid			relid;
	Oid			owner;			/* of the table */
	bool		encrypt;		/* the direction */
	bool		online;
	char	   *column;			/* name of the source */
	AttrNumber	source;
	AttrNumber	shadow;			/* 0 as long as there is none */
	Oid			source_type;
	int32		source_typmod;
	Oid			target_type;
	int32		target_typmod;
	char	   *target_sql;		/* the target type as SQL has it */
	uint32		key_id;
	List	   *indexes;		/* oids of those to be made anew */
	List	   *views;			/* oids of views, each after those it reads */
} StewardConversion;

/* ---- conversion_target.c: the table, the column and the types ---- */

/*
 * Raises ERRCODE_UNDEFINED_TABLE when there is no such relation and
 * ERRCODE_INSUFFICIENT_PRIVILEGE unless the current user owns it.
 */
extern void steward_conversion_check_owner(Oid relid);

/*
 * Describes a conversion of a column of a relation that the caller has locked.
 * For encryption key is the name of a key, for decryption type is the plain type
 * wanted, or NULL for the usual one. Raises when the relation or the column is of
 * a kind that cannot be converted, when there is no type for it, when the key
 * does not exist and, for decryption, when the current user may not decrypt.
 */
extern void steward_conversion_describe(StewardConversion *conversion,
										Relation rel, const char *column,
										const char *key, const char *type);

/* Says, as WARNINGs, what the target type or a subscriber does not keep. */
extern void steward_conversion_warn(const StewardConversion *conversion,
									Relation rel);

/* The plain type that values of an encrypted type decrypt to, and how. */
extern Oid	steward_conversion_decrypt_function(Oid encrypted_type);

/* "schema"."table", for SQL; in the current context. */
extern char *steward_conversion_table(Oid relid);

/*
 * Runs a statement as the current user, who must be the owner of the table.
 * SPI is connected to for it. Raises when it fails.
 */
extern void steward_conversion_execute(const char *format, ...) pg_attribute_printf(1, 2);

/* ---- conversion_depend.c: what depends on the column ---- */

/*
 * Fills indexes and views with what is to be made anew. Raises
 * ERRCODE_FEATURE_NOT_SUPPORTED, naming it, for what cannot be carried.
 */
extern void steward_conversion_check_dependents(StewardConversion *conversion,
												Relation rel);

/* ---- conversion_index.c ---- */

/* What an index has besides its definition, to be given to its successor. */
typedef struct StewardIndex StewardIndex;

extern StewardIndex *steward_index_read(Oid index);
extern void steward_index_write(const StewardIndex *index, Oid table, Oid successor);

/* Name of the index, for CREATE INDEX. */
extern const char *steward_index_name(const StewardIndex *index);

/* Raises as above unless this index can be made anew. */
extern void steward_conversion_check_index(const StewardConversion *conversion,
										   Oid index);

/*
 * CREATE INDEX for an index as it is to be afterwards, over attribute number
 * column in the place of the source; name NULL leaves it to PostgreSQL. The
 * text stays right when the source is dropped or changes its type.
 */
extern char *steward_conversion_index_sql(const StewardConversion *conversion,
										  Oid index, AttrNumber column,
										  const char *name, bool concurrently);

/*
 * The usable index over the shadow, not one of those that are taken, that is
 * what this one is to become; or InvalidOid.
 */
extern Oid	steward_conversion_find_index(const StewardConversion *conversion,
										  Oid index, List *taken);

/* ---- conversion_rights.c ---- */

/*
 * Raises ERRCODE_INSUFFICIENT_PRIVILEGE unless those who are to make and to name
 * the indexes of an online conversion that have no successor yet may do so.
 * Dependents were checked.
 */
extern void steward_conversion_check_rights(const StewardConversion *conversion,
											bool build_indexes);

/* ---- conversion_property.c: what an object carries in the catalogs ---- */

typedef struct StewardProperties StewardProperties;

/* Reads comment, security labels and privileges of a relation or a column. */
extern StewardProperties *steward_properties_read(Oid relid, AttrNumber attnum);

/* Gives them to another one, which has none yet but perhaps privileges. */
extern void steward_properties_write(const StewardProperties *properties,
									 Oid relid, AttrNumber attnum);

/* Appends WITH (…) when the relation has storage parameters or options. */
extern void steward_conversion_write_options(StringInfo sql, Oid relid);

/* ---- conversion_attribute.c: what a column has in its own row ---- */

typedef struct StewardAttribute StewardAttribute;

/*
 * Reads NOT NULL, default, statistics target, storage, compression, options, comment, labels
 * and privileges of the source. Raises ERRCODE_FEATURE_NOT_SUPPORTED for a
 * default that the target type cannot have.
 */
extern StewardAttribute *steward_attribute_read(const StewardConversion *conversion);

extern bool steward_attribute_not_null(const StewardAttribute *attribute);

/* Sets and removes the default, to see whether the column takes it. */
extern void steward_attribute_try_default(const StewardAttribute *attribute,
										  const StewardConversion *conversion,
										  AttrNumber column);

/*
 * Gives a column, as the owner of the table, the default, storage, compression and, with
 * all, what else the source had but for NOT NULL.
 */
extern void steward_attribute_write(const StewardAttribute *attribute,
									const StewardConversion *conversion,
									AttrNumber column, bool all);

/* ---- conversion_view.c ---- */

typedef struct StewardView StewardView;

/*
 * Raises ERRCODE_FEATURE_NOT_SUPPORTED unless the view can be dropped and made
 * anew by the current user; appends it, after those it reads, to the list.
 */
extern void steward_conversion_check_view(StewardConversion *conversion, Oid view);

/*
 * Drops the views of a conversion and returns what is needed to make them
 * anew; makes them anew, with all that they had. Raises
 * ERRCODE_FEATURE_NOT_SUPPORTED when a view would do more with the converted
 * column than show it and test it for NULL. Takes their locks.
 */
extern List *steward_conversion_drop_views(const StewardConversion *conversion);
extern void steward_conversion_make_views(List *views);

/* ---- conversion_trigger.c: the trigger that keeps the shadow in step ---- */

#define STEWARD_STEP_TRIGGER "~~~steward_column_step"
#define STEWARD_SHADOW_CHECK "steward_shadow_not_null"

/*
 * Finds the conversion's trigger of a relation: sets source, shadow, encrypt
 * and the types. False when there is none. Raises
 * ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE when the trigger was altered.
 */
extern bool steward_conversion_find_trigger(StewardConversion *conversion,
											Relation rel);

/*
 * The same for cleaning up: names of the trigger and of the shadow, as far as
 * the table still tells; each NULL when it does not. Raises nothing.
 */
extern void steward_conversion_find_remains(Relation rel, char **trigger,
											char **shadow);

/* What changes whenever somebody alters the trigger, even for a moment. */
typedef struct StewardTriggerStamp
{
	Oid			oid;
	TransactionId xmin;
} StewardTriggerStamp;

extern StewardTriggerStamp steward_conversion_trigger_stamp(Relation rel);

/* How the shadow of a row is made and compared; in the current context. */
typedef struct StewardStep StewardStep;
struct TupleTableSlot;

extern StewardStep *steward_step_make(const StewardConversion *conversion,
									  Relation rel);
extern void steward_step_free(StewardStep *step);

/* Is the shadow of this row what its source says? Opens encrypted values. */
extern bool steward_step_matches(StewardStep *step, struct TupleTableSlot *slot);

/*
 * The shadow that the source of this row gives, in memory of the step that the
 * next row takes back. Checks no right: see steward_conversion_decrypts.
 */
extern Datum steward_step_shadow(StewardStep *step, struct TupleTableSlot *slot,
								 bool *isnull);

/* ---- conversion_state.c: steward.column_conversion ---- */

typedef struct StewardConversionState
{
	bool		encrypt;
	char	   *column;
	char	   *shadow;			/* as it was called at the start */
	uint32		key_id;
	char	   *phase;
	int64		next_block;
	int64		rows_done;
} StewardConversionState;

/*
 * The lock that one conversion of a relation holds; false when somebody else
 * has it. A session's lock outlives transactions, not an error.
 */
extern bool steward_conversion_lock(Oid relid, bool session);
extern void steward_conversion_unlock(Oid relid);

/* Reads the state of a relation's conversion; NULL when there is none. */
extern StewardConversionState *steward_conversion_state(Oid relid);

/* Is this relation's column being decrypted from this key? Checks no right. */
extern bool steward_conversion_decrypts(Oid relid, uint32 key_id);

extern void steward_conversion_state_begin(const StewardConversion *conversion,
										   int64 rows);
extern void steward_conversion_state_phase(Oid relid, const char *phase);
extern void steward_conversion_state_progress(Oid relid, int64 next_block,
											  int64 rows);
extern void steward_conversion_state_end(Oid relid);

/* ---- conversion_batch.c: filling and verifying ---- */

typedef struct StewardBatch
{
	bool		verify;			/* compare values, not only look for NULL */
	bool		wait;			/* for rows that others have locked */
	BlockNumber next_block;
	BlockNumber end_block;
	int			size;			/* rows at most, about */
	int64		found;			/* rows not in step, of this sweep */
	int64		written;		/* of these, now in step */
} StewardBatch;

/*
 * Looks at the next blocks, steps the rows that are not in step and that nobody
 * else has locked, and moves next_block on. As the table's owner, in the
 * current transaction.
 */
extern void steward_conversion_batch(StewardConversion *conversion,
									 Relation rel, StewardBatch *batch);

/* ---- conversion_swap.c ---- */

/* Adds shadow and trigger; the caller has the exclusive lock and is the owner. */
extern void steward_conversion_prepare(StewardConversion *conversion);

/*
 * Does what the swap will do, but for indexes and NOT NULL, and undoes it, so that
 * what is in its way is raised before anything is filled. Prepared just now, by
 * the same caller; takes the locks of the views and gives them back.
 */
extern void steward_conversion_rehearse(StewardConversion *conversion);

/*
 * Lets the shadow take the place of the source. The relation is locked
 * exclusively; dependents were checked under that lock.
 */
extern void steward_conversion_swap(StewardConversion *conversion);

/*
 * Removes what of trigger and shadow there is; NULL names are passed over. The
 * caller is the owner and has the exclusive lock.
 */
extern void steward_conversion_remove(Oid relid, const char *trigger,
									  const char *shadow);

/* The NOTICE after the end: what is left of the plaintext, and where. */
/* Tells the audit trail of a conversion: "begun" or "ended". */
extern void steward_conversion_tell(const char *event,
									const StewardConversion *conversion,
									const char *state);

extern void steward_conversion_say_done(const StewardConversion *conversion);

#endif							/* STEWARD_COLUMNS_CONVERSION_H */
