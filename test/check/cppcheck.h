/*
 * cppcheck.h: what lint tells cppcheck about the server's macros, in place of
 * the server's headers: it must not depend on a version of them.
 */
#define PG_FUNCTION_ARGS void *fcinfo
#define PGDLLEXPORT
#define PG_MODULE_MAGIC extern int steward_module_magic
#define PG_MODULE_MAGIC_EXT(...) extern int steward_module_magic
#define PG_FUNCTION_INFO_V1(name) extern int name##_finfo
#define pg_attribute_noreturn() __attribute__((noreturn))
#define pg_noreturn __attribute__((noreturn))

#define ERROR 21
#define FATAL 22
#define PANIC 23
#define ereport(level, rest) \
	do \
	{ \
		if ((level) >= ERROR) \
			abort(); \
	} while (0)
#define elog(level, ...) ereport(level, 0)
#define Assert(condition) ((void) 0)

#define PG_TRY()
#define PG_CATCH()
#define PG_FINALLY()
#define PG_END_TRY()

#define foreach(cell, list) for (cell = steward_first(list); cell; cell = steward_next(cell))
#define forboth(cell1, list1, cell2, list2) \
	for (cell1 = steward_first(list1), cell2 = steward_first(list2); cell1 && cell2; \
		 cell1 = steward_next(cell1), cell2 = steward_next(cell2))
#define dlist_foreach(iter, list) for (iter.cur = steward_first(list); iter.cur; iter.cur = steward_next(iter.cur))
#define slist_foreach(iter, list) dlist_foreach(iter, list)
#define dlist_foreach_modify(iter, list) dlist_foreach(iter, list)
#define slist_foreach_modify(iter, list) dlist_foreach(iter, list)
