/*
 * redact.h: values that are recorded as omitted, hashed or encrypted.
 *
 * A redacted column has a codec that holds that of its type: omit(text),
 * hash(vint4), encrypt(jsonb). What they write:
 *
 *	 omit		nothing
 *	 hash		16 bytes, steward_tag_audit of the inner codec and its bytes
 *	 encrypt	a value of steward.encrypted_text: the text of the value; of a table
 *				that is bound to subjects also under the row's subject, and nothing
 *				when that was erased
 */
#ifndef STEWARD_AUDIT_REDACT_H
#define STEWARD_AUDIT_REDACT_H

#include "base/compat.h"

#include "audit/codec.h"
#include "audit/schema.h"
#include "audit/setting.h"

/* The codec of a redacted column, in the current context. */
extern const StewardCodec *steward_redact_codec(const StewardColumnSetting *redaction,
												const StewardCodec *inner);

/* To be called before the values of a row are put, when the schema has a binder. */
extern void steward_redact_row(const StewardAuditSchema *schema,
							   TupleTableSlot *row);

/* A redacted value as jsonb, and as text. */
extern void steward_redact_push(JsonbParseState **state, JsonbIteratorToken token,
								const StewardCodec *codec, StewardSlice slice);
extern char *steward_redact_text(const StewardCodec *codec, StewardSlice slice);

#endif							/* STEWARD_AUDIT_REDACT_H */
