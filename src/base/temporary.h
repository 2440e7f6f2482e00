/*
 * temporary.h: what was made in the session's temporary schema.
 *
 * In a security-restricted operation the server refuses temporary tables, and newer minor releases types, but not
 * functions, operators and the like in pg_temp. Types are found before all others by whoever names one without
 * its schema: a domain of somebody else's with a check would run his code as the session's user. The rest
 * would stay until the session ends, which for a worker is no business of a table's owner.
 */
#ifndef STEWARD_BASE_TEMPORARY_H
#define STEWARD_BASE_TEMPORARY_H

#include "base/compat.h"

/*
 * Has this transaction made an object there, by a command from this number on, that is there now? Free
 * where nobody has touched the schema in this transaction.
 */
extern bool steward_temporary_made(CommandId since);

#endif							/* STEWARD_BASE_TEMPORARY_H */
