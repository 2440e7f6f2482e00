/*
 * context_key.h: keys by which applications prove contexts.
 */
#ifndef STEWARD_AUDIT_CONTEXT_KEY_H
#define STEWARD_AUDIT_CONTEXT_KEY_H

#include "base/compat.h"

#include "crypto/context_mac.h"
#include "datatype/timestamp.h"

/*
 * Raises unless the MAC is one of the claim under the named context key, which is
 * not revoked, and the claim was issued lately: ERRCODE_UNDEFINED_OBJECT,
 * ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, and ERRCODE_CONFIG_FILE_ERROR without
 * a root.
 */
extern void steward_context_key_check(const char *name,
									  const StewardContextClaim *claim,
									  TimestampTz issued_at,
									  const unsigned char *mac, size_t mac_len);

#endif							/* STEWARD_AUDIT_CONTEXT_KEY_H */
