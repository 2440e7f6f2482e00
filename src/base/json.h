/*
 * json.h: a jsonb object, put together member by member.
 *
 * Everything is made in the memory context that is current at the call. A member
 * whose value is NULL or NIL is left out.
 */
#ifndef STEWARD_BASE_JSON_H
#define STEWARD_BASE_JSON_H

#include "base/compat.h"

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

typedef struct StewardJson
{
	JsonbParseState *state;
	JsonbValue *whole;			/* set when the outermost object is closed */
} StewardJson;

/* Begins an object. */
extern void steward_json_begin(StewardJson *json);

/* Add a member. */
extern void steward_json_text(StewardJson *json, const char *key,
							  const char *value);
extern void steward_json_number(StewardJson *json, const char *key, int64 value);
extern void steward_json_flag(StewardJson *json, const char *key, bool value);

/* Adds bytes, as hexadecimal text. */
extern void steward_json_bytes(StewardJson *json, const char *key,
							   const unsigned char *bytes, size_t length);

/* Adds an array of texts; the list holds char *. */
extern void steward_json_texts(StewardJson *json, const char *key,
							   const List *values);

/*
 * Members added between open and close belong to an object within; without a key
 * it is an element of the list that is open. Elements of a list are objects.
 */
extern void steward_json_open(StewardJson *json, const char *key);
extern void steward_json_close(StewardJson *json);
extern void steward_json_open_list(StewardJson *json, const char *key);
extern void steward_json_close_list(StewardJson *json);

/* Ends the object and returns it. */
extern Jsonb *steward_json_end(StewardJson *json);

#endif							/* STEWARD_BASE_JSON_H */
