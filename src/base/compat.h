/*
 * compat.h: what differs between PostgreSQL 15, 16, 17 and 18.
 *
 * Every file of the extension includes this first, in place of postgres.h; no
 * other file looks at PG_VERSION_NUM.
 */
#ifndef STEWARD_BASE_COMPAT_H
#define STEWARD_BASE_COMPAT_H

#include "pg_config.h"

#if PG_VERSION_NUM < 150000
#error "pg_steward needs PostgreSQL 15 or newer"
#endif

/* 15 exports every symbol of a module and so leaves this empty. */
#if PG_VERSION_NUM < 160000
#define PGDLLEXPORT __attribute__((visibility("default")))
#endif

#include "postgres.h"

#include "fmgr.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* The version of the library, and of the extension's objects that it knows. */
#define STEWARD_VERSION "1.0"

/* 18 shows an extension's name and version; see PG_MODULE_MAGIC_EXT. */
#if PG_VERSION_NUM >= 180000
#define STEWARD_MODULE_MAGIC(module, release) \
	PG_MODULE_MAGIC_EXT(.name = module, .version = release)
#else
#define STEWARD_MODULE_MAGIC(module, release) PG_MODULE_MAGIC
#endif

/* 17 moved the statistics target out of the attribute. */
#if PG_VERSION_NUM >= 170000
#define STEWARD_STATISTICS_TARGET(stats) ((stats)->attstattarget)
#else
#define STEWARD_STATISTICS_TARGET(stats) ((stats)->attr->attstattarget)
#endif

/* 17 also made the column of pg_attribute a nullable int2. */
#if PG_VERSION_NUM >= 170000
#define STEWARD_STATISTICS_TARGET_VALUE(datum) ((int) DatumGetInt16(datum))
#else
#define STEWARD_STATISTICS_TARGET_VALUE(datum) ((int) DatumGetInt32(datum))
#endif

/* 17 has JSON_VALUE and its like, which give a value of any type. */
#if PG_VERSION_NUM >= 170000
#define STEWARD_IS_JSON_EXPR(node) IsA(node, JsonExpr)
#else
#define STEWARD_IS_JSON_EXPR(node) false
#endif

/* 18 asks who waits. */
#if PG_VERSION_NUM >= 180000
#define STEWARD_ANALYZE_DELAY_POINT() vacuum_delay_point(true)
#else
#define STEWARD_ANALYZE_DELAY_POINT() vacuum_delay_point()
#endif

/* Likewise where VACUUM waits; commands/vacuum.h is the caller's to include. */
#if PG_VERSION_NUM >= 180000
#define STEWARD_VACUUM_DELAY_POINT() vacuum_delay_point(false)
#else
#define STEWARD_VACUUM_DELAY_POINT() vacuum_delay_point()
#endif

/* 16 extends a relation and locks the page in one; before, the caller does. */
#if PG_VERSION_NUM >= 160000
#define STEWARD_EXTEND_LOCKED(rel) \
	ExtendBufferedRel(BMR_REL(rel), MAIN_FORKNUM, NULL, EB_LOCK_FIRST)
#endif

/* 18 shows in EXPLAIN how often an index was searched. */
#if PG_VERSION_NUM >= 180000
#define STEWARD_COUNT_INDEX_SEARCH(scan) \
	do { if ((scan)->instrument) (scan)->instrument->nsearches++; } while (0)
#else
#define STEWARD_COUNT_INDEX_SEARCH(scan) ((void) 0)
#endif

/* Where the format of generic WAL records was looked up; see blind/wal.c. */
#if PG_VERSION_NUM < 190000
#define STEWARD_KNOWS_GENERIC_RECORDS
#endif

/*
 * Until 16 rows may go although an old snapshot sees them; who reads an index with it
 * has to notice. storage/bufmgr.h is the caller's to include.
 */
#if PG_VERSION_NUM >= 170000
#define STEWARD_TEST_OLD_SNAPSHOT(snapshot, rel, page) ((void) 0)
#else
#define STEWARD_TEST_OLD_SNAPSHOT(snapshot, rel, page) \
	TestForOldSnapshot(snapshot, rel, page)
#endif

/* 18 searches btrees by later columns alone, skipping through the first. */
#if PG_VERSION_NUM >= 180000
#define STEWARD_SCANS_SKIP true
#else
#define STEWARD_SCANS_SKIP false
#endif

/* 18 writes pg_noreturn, which comes before the declaration; so do we. */
#if PG_VERSION_NUM >= 180000
#define pg_attribute_noreturn() pg_noreturn
#endif

/*
 * Can an access method of our own make unique indexes? Before 18 any INSERT ... ON
 * CONFLICT takes an index that is unique for a btree.
 */
#if PG_VERSION_NUM >= 180000
#define STEWARD_BLIND_UNIQUE true
#else
#define STEWARD_BLIND_UNIQUE false
#endif

/*
 * 17 lets access methods of others build in parallel, and tells them so by the
 * number of workers in IndexInfo; before, it is always 0 for ours.
 */
#if PG_VERSION_NUM >= 170000
#define STEWARD_SET_BUILDS_PARALLEL(am) ((am)->amcanbuildparallel = true)
#else
#define STEWARD_SET_BUILDS_PARALLEL(am) ((void) (am))
#endif

/*
 * 18 asks an access method which of its strategies are comparisons that it knows, and
 * the other way round; access/amapi.h is the caller's to include.
 */
#if PG_VERSION_NUM >= 180000
#define StewardComparison CompareType
#define STEWARD_COMPARE_NONE COMPARE_INVALID
#define STEWARD_COMPARE_EQUAL COMPARE_EQ
#define STEWARD_TELL_COMPARISONS(am, comparison_of, strategy_of) \
	((am)->amtranslatestrategy = (comparison_of), (am)->amtranslatecmptype = (strategy_of))
#else
#define StewardComparison int
#define STEWARD_COMPARE_NONE 0
#define STEWARD_COMPARE_EQUAL 1
#define STEWARD_TELL_COMPARISONS(am, comparison_of, strategy_of) \
	((void) (am), (void) (comparison_of), (void) (strategy_of))
#endif

/* 17 estimates the length of an array by statistics; optimizer or selfuncs.h. */
#if PG_VERSION_NUM >= 170000
#define STEWARD_ARRAY_LENGTH(root, node) estimate_array_length(root, node)
#else
#define STEWARD_ARRAY_LENGTH(root, node) estimate_array_length(node)
#endif

/* 16 made ownership checks one function. */
#if PG_VERSION_NUM >= 160000
#define STEWARD_OWNS_RELATION(relid, role) \
	object_ownercheck(RelationRelationId, relid, role)
#else
#define STEWARD_OWNS_RELATION(relid, role) pg_class_ownercheck(relid, role)
#endif

#if PG_VERSION_NUM >= 160000
#define STEWARD_OWNS_DATABASE(database, role) \
	object_ownercheck(DatabaseRelationId, database, role)
#else
#define STEWARD_OWNS_DATABASE(database, role) pg_database_ownercheck(database, role)
#endif

/* Likewise checks of privileges; utils/acl.h is the caller's to include. */
#if PG_VERSION_NUM >= 160000
#define STEWARD_MAY_EXECUTE(function, role) \
	(object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE) == ACLCHECK_OK)
#else
#define STEWARD_MAY_EXECUTE(function, role) \
	(pg_proc_aclcheck(function, role, ACL_EXECUTE) == ACLCHECK_OK)
#endif

#if PG_VERSION_NUM >= 160000
#define STEWARD_MAY_CREATE_IN(class_id, object, role) \
	(object_aclcheck(class_id, object, role, ACL_CREATE) == ACLCHECK_OK)
#else
#define STEWARD_MAY_CREATE_IN(class_id, object, role) \
	(((class_id) == NamespaceRelationId ? \
	  pg_namespace_aclcheck(object, role, ACL_CREATE) : \
	  pg_tablespace_aclcheck(object, role, ACL_CREATE)) == ACLCHECK_OK)
#endif

/* 17 knows infinite intervals; utils/timestamp.h is the caller's to include. */
#if PG_VERSION_NUM >= 170000
#define STEWARD_INTERVAL_IS_INFINITE(interval) INTERVAL_NOT_FINITE(interval)
#else
#define STEWARD_INTERVAL_IS_INFINITE(interval) ((void) (interval), false)
#endif

/* 18 took a parameter away from the executor's hook: its head, and a call. */
#if PG_VERSION_NUM >= 180000
#define STEWARD_EXECUTOR_RUN(name) \
	name(QueryDesc *query, ScanDirection direction, uint64 count)
#define STEWARD_EXECUTOR_RUN_CALL(function) (function) (query, direction, count)
#else
#define STEWARD_EXECUTOR_RUN(name) \
	name(QueryDesc *query, ScanDirection direction, uint64 count, bool once)
#define STEWARD_EXECUTOR_RUN_CALL(function) \
	(function) (query, direction, count, once)
#endif

/*
 * 16 tells apart which indexes an update must insert into; executor.h and
 * tableam.h are the caller's to include.
 */
#if PG_VERSION_NUM >= 160000
#define StewardUpdateIndexes TU_UpdateIndexes
#define STEWARD_INDEXES_CHANGE(indexes) ((indexes) != TU_None)
#define STEWARD_INSERT_INDEX_TUPLES(result, slot, estate, indexes) \
	ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL, \
						  (indexes) == TU_Summarizing)
#else
#define StewardUpdateIndexes bool
#define STEWARD_INDEXES_CHANGE(indexes) (indexes)
#define STEWARD_INSERT_INDEX_TUPLES(result, slot, estate, indexes) \
	ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL)
#endif

/* 16 lets the caller have soft errors; parser/parse_type.h is the caller's. */
#if PG_VERSION_NUM >= 160000
#define STEWARD_PARSE_TYPE(text, type, typmod) \
	((void) parseTypeString(text, type, typmod, NULL))
#else
#define STEWARD_PARSE_TYPE(text, type, typmod) \
	parseTypeString(text, type, typmod, false)
#endif

/*
 * Are all unique indexes of a table content with a row, and making its index
 * entries while they are, as INSERT ... ON CONFLICT does; executor/executor.h is
 * the caller's to include. 16 and 18 added a parameter each.
 */
#if PG_VERSION_NUM >= 180000
#define STEWARD_CHECK_INDEXES(result, slot, estate, other) \
	ExecCheckIndexConstraints(result, slot, estate, other, &(slot)->tts_tid, NIL)
#else
#define STEWARD_CHECK_INDEXES(result, slot, estate, other) \
	ExecCheckIndexConstraints(result, slot, estate, other, NIL)
#endif
#if PG_VERSION_NUM >= 160000
#define STEWARD_INSERT_INDEXES(result, slot, estate, conflict) \
	ExecInsertIndexTuples(result, slot, estate, false, true, conflict, NIL, false)
#else
#define STEWARD_INSERT_INDEXES(result, slot, estate, conflict) \
	ExecInsertIndexTuples(result, slot, estate, false, true, conflict, NIL)
#endif

/*
 * A range of bounds; utils/rangetypes.h is the caller's to include.
 * 16 lets the caller have soft errors.
 */
#if PG_VERSION_NUM >= 160000
#define STEWARD_RANGE_OF(type, lower, upper, empty) \
	range_serialize(type, lower, upper, empty, NULL)
#else
#define STEWARD_RANGE_OF(type, lower, upper, empty) \
	range_serialize(type, lower, upper, empty)
#endif

/*
 * The process that a virtual transaction is of, or NULL; storage/procarray.h and
 * storage/sinvaladt.h are the caller's to include. 17 counts processes anew.
 */
#if PG_VERSION_NUM >= 170000
#define STEWARD_VXID_PROC(vxid) ProcNumberGetProc((vxid).procNumber)
#else
#define STEWARD_VXID_PROC(vxid) BackendIdGetProc((vxid).backendId)
#endif

/* 16 made the options of GRANT role a list; nodes/makefuncs.h is the caller's. */
#if PG_VERSION_NUM >= 160000
#define STEWARD_GRANT_ROLE_OPTIONS(grant) ((grant)->opt)
#else
#define STEWARD_GRANT_ROLE_OPTIONS(grant) \
	((grant)->admin_opt ? \
	 list_make1(makeDefElem("admin", (Node *) makeBoolean(true), -1)) : NIL)
#endif

/* 17 brought a privilege, and an action of ALTER TABLE; none has the value -1. */
#if PG_VERSION_NUM >= 170000
#define STEWARD_ACL_MAINTAIN ACL_MAINTAIN
#define STEWARD_AT_SET_EXPRESSION AT_SetExpression
#else
#define STEWARD_ACL_MAINTAIN 0
#define STEWARD_AT_SET_EXPRESSION (-1)
#endif

/* 16 lets foreign tables have triggers on TRUNCATE. */
#if PG_VERSION_NUM >= 160000
#define STEWARD_FOREIGN_TRUNCATE_TRIGGERS true
#else
#define STEWARD_FOREIGN_TRUNCATE_TRIGGERS false
#endif

/* Until 15 a subcommand of ALTER TABLE that also changes heirs had another type. */
#if PG_VERSION_NUM >= 160000
#define STEWARD_AT_SUBTYPE(command) ((command)->subtype)
#else
#define STEWARD_AT_SUBTYPE(command) \
	((command)->subtype == AT_AddColumnRecurse ? AT_AddColumn : \
	 (command)->subtype == AT_DropColumnRecurse ? AT_DropColumn : \
	 (command)->subtype == AT_AddConstraintRecurse ? AT_AddConstraint : \
	 (command)->subtype == AT_ValidateConstraintRecurse ? AT_ValidateConstraint : \
	 (command)->subtype == AT_DropConstraintRecurse ? AT_DropConstraint : \
	 (command)->subtype)
#endif

/*
 * What a statement needs rights for: entries with relid, requiredPerms and
 * selectedCols. 16 gave them a list and a node of their own; in 15 they are those
 * of relations in the range table. nodes/plannodes.h and executor/executor.h are
 * the caller's to include.
 */
#if PG_VERSION_NUM >= 160000
#define StewardReadEntry RTEPermissionInfo
#define STEWARD_IS_READ_ENTRY(entry) true
#define STEWARD_SET_READ_ENTRY(entry) ((entry)->type = T_RTEPermissionInfo)
#define STEWARD_READ_ENTRIES(planned) ((planned)->permInfos)
#define STEWARD_QUERY_ENTRIES(query) ((query)->rteperminfos)
#define STEWARD_CHECK_PERMISSIONS(name) \
	name(List *rtes, List *entries, bool raise)
#define STEWARD_CHECK_PERMISSIONS_CALL(function) (function) (rtes, entries, raise)
#else
#define StewardReadEntry RangeTblEntry
#define STEWARD_IS_READ_ENTRY(entry) ((entry)->rtekind == RTE_RELATION)
#define STEWARD_SET_READ_ENTRY(entry) \
	((entry)->type = T_RangeTblEntry, (entry)->rtekind = RTE_RELATION)
#define STEWARD_READ_ENTRIES(planned) ((planned)->rtable)
#define STEWARD_QUERY_ENTRIES(query) ((query)->rtable)
#define STEWARD_CHECK_PERMISSIONS(name) name(List *entries, bool raise)
#define STEWARD_CHECK_PERMISSIONS_CALL(function) (function) (entries, raise)
#endif
#define STEWARD_CHECKED_ENTRIES entries

/* The entry of a relation in the range table, or NULL when it has none. */
#if PG_VERSION_NUM >= 160000
#define STEWARD_READ_ENTRY_OF(planned, rte) \
	((rte)->perminfoindex == 0 ? NULL : \
	 list_nth_node(RTEPermissionInfo, (planned)->permInfos, (rte)->perminfoindex - 1))
#else
#define STEWARD_READ_ENTRY_OF(planned, rte) \
	((rte)->requiredPerms == 0 ? NULL : (rte))
#endif

/* This process's number in its virtual transaction ids; storage/proc.h. */
#if PG_VERSION_NUM >= 170000
#define STEWARD_VXID_NUMBER() ((int) MyProcNumber)
#define STEWARD_VXID_LOCAL() (MyProc->vxid.lxid)
#else
#define STEWARD_VXID_NUMBER() ((int) MyBackendId)
#define STEWARD_VXID_LOCAL() (MyProc->lxid)
#endif

/* 17 gives an output plugin the decoded tuple itself; NULL when there is none. */
#if PG_VERSION_NUM >= 170000
#define STEWARD_DECODED_TUPLE(change) (change)
#else
#define STEWARD_DECODED_TUPLE(change) ((change) != NULL ? &(change)->tuple : NULL)
#endif

/* 17 can switch event triggers off; commands/event_trigger.h. */
#if PG_VERSION_NUM >= 170000
#define STEWARD_EVENT_TRIGGERS_OFF (!event_triggers)
#else
#define STEWARD_EVENT_TRIGGERS_OFF false
#endif

/* 16 renamed the name of a relation's file, and aligns memory for the disk. */
#if PG_VERSION_NUM >= 160000
#define STEWARD_RELATION_FILE(rel) (&(rel)->rd_locator)
#else
#define STEWARD_RELATION_FILE(rel) (&(rel)->rd_node)
#define PGIOAlignedBlock PGAlignedBlock
#endif

/* 17 has storage/bulk_write.h. */
#if PG_VERSION_NUM >= 170000
#define STEWARD_BULK_WRITE
#endif

/*
 * Is a character of the server's encoding a letter or a digit? 18 asks it as one. They
 * are declared in tsearch/ts_locale.h, which wants the headers of ICU.
 */
#if PG_VERSION_NUM >= 180000
extern int	t_isalnum(const char *ptr);
#define STEWARD_IS_WORD_CHARACTER(character) t_isalnum(character)
#else
extern int	t_isalpha(const char *ptr);
extern int	t_isdigit(const char *ptr);
#define STEWARD_IS_WORD_CHARACTER(character) (t_isalpha(character) || t_isdigit(character))
#endif

/* Asks the processor for memory that is read soon: a hint, of which nothing depends. */
#if defined(__GNUC__)
#define STEWARD_PREFETCH(address) __builtin_prefetch(address)
#else
#define STEWARD_PREFETCH(address) ((void) 0)
#endif

/*
 * Has a replication slot lost what it was for? Until 15 all that could happen is that
 * it has no restart_lsn any more. replication/slot.h is the caller's to include.
 */
#if PG_VERSION_NUM >= 160000
#define STEWARD_SLOT_IS_LOST(slot) ((slot)->data.invalidated != RS_INVAL_NONE)
#else
#define STEWARD_SLOT_IS_LOST(slot) XLogRecPtrIsInvalid((slot)->data.restart_lsn)
#endif

/* 18 has foreign keys over a period of time. */
#if PG_VERSION_NUM >= 180000
#define STEWARD_IS_TEMPORAL_KEY(constraint) ((constraint)->conperiod)
#else
#define STEWARD_IS_TEMPORAL_KEY(constraint) ((void) (constraint), false)
#endif

/* 16 lets the caller have soft errors; utils/regproc.h is the caller's to include. */
#if PG_VERSION_NUM >= 160000
#define STEWARD_NAMES_OF(text) stringToQualifiedNameList(text, NULL)
#else
#define STEWARD_NAMES_OF(text) stringToQualifiedNameList(text)
#endif

/*
 * May a role connect to a database; utils/acl.h and catalog/pg_database.h are the caller's to
 * include.
 */
#if PG_VERSION_NUM >= 160000
#define STEWARD_MAY_CONNECT(database, role) \
	(object_aclcheck(DatabaseRelationId, database, role, ACL_CONNECT) == ACLCHECK_OK)
#else
#define STEWARD_MAY_CONNECT(database, role) \
	(pg_database_aclcheck(database, role, ACL_CONNECT) == ACLCHECK_OK)
#endif

/* 17 lets a background worker be a role that may not log in. */
#if PG_VERSION_NUM >= 170000
#define STEWARD_SESSION_WITHOUT_LOGIN true
#define STEWARD_SESSION_FLAGS BGWORKER_BYPASS_ROLELOGINCHECK
#else
#define STEWARD_SESSION_WITHOUT_LOGIN false
#define STEWARD_SESSION_FLAGS 0
#endif

/* Runs a command at top level to its end; 18 took a parameter away. tcop/pquery.h. */
#if PG_VERSION_NUM >= 180000
#define STEWARD_PORTAL_RUN(portal, dest, completion) \
	PortalRun(portal, FETCH_ALL, true, dest, dest, completion)
#else
#define STEWARD_PORTAL_RUN(portal, dest, completion) \
	PortalRun(portal, FETCH_ALL, true, true, dest, dest, completion)
#endif

/* Defines a function that SQL calls: exported, with its version-1 record. */
#define STEWARD_FUNCTION(name) \
	extern PGDLLEXPORT Datum name(PG_FUNCTION_ARGS); \
	PG_FUNCTION_INFO_V1(name); \
	Datum name(PG_FUNCTION_ARGS)

#endif							/* STEWARD_BASE_COMPAT_H */
