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

#define PG_TRY() if (1)
#define PG_CATCH() else
#define PG_FINALLY()
#define PG_END_TRY()
