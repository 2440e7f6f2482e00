/*
 * certificate.h: what a prune signed, and whether what it left behind is that.
 *
 * A hash in ledger_pruned_leaf stands for a record that is gone. Without a
 * certificate that counts it, it would be a way to be rid of any record.
 */
#ifndef STEWARD_LEDGER_CERTIFICATE_H
#define STEWARD_LEDGER_CERTIFICATE_H

#include "base/compat.h"

#include "crypto/checkpoint.h"
#include "ledger/values.h"

/*
 * Opens a certificate, which any key of the ledger may have signed; false: none
 * did. The origin points into the note. SPI is connected.
 */
extern bool steward_certificate_open(StewardPrune *prune, int32 incarnation,
									 const StewardSlot *note);

/* Adds the leaves from here on whose hashes stand for records. SPI is connected. */
extern void steward_certificate_places(int32 incarnation, uint64 from,
									   StewardPlaces *places);

/*
 * Do hashes stand for those records alone that the newest certificate counts?
 * False also when that does not verify. SPI is connected.
 */
extern bool steward_certificate_fits(int32 incarnation);

#endif							/* STEWARD_LEDGER_CERTIFICATE_H */
