/*
 * foreign_check.h: constraints of domains that others own.
 */
#ifndef STEWARD_AUDIT_FOREIGN_CHECK_H
#define STEWARD_AUDIT_FOREIGN_CHECK_H

#include "base/compat.h"

/*
 * Before the input function of a type is called for somebody who only looks: raises
 * ERRCODE_FEATURE_NOT_SUPPORTED when that would check constraints of a domain within
 * it, whose functions would run as the current user though another role owns the
 * domain. A superuser's are trusted.
 */
extern void steward_refuse_foreign_checks(Oid type);

#endif							/* STEWARD_AUDIT_FOREIGN_CHECK_H */
