/*
 * certificate.c: what a prune signed; see certificate.h.
 */
#include "ledger/certificate.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "ledger/signer.h"
#include "miscadmin.h"

#define FETCH_ROWS 1000

bool
steward_certificate_open(StewardPrune *prune, int32 incarnation, const StewardSlot *note)
{
	StewardSigner *signers;
	int			count = steward_signers(&signers);

	for (int i = count - 1; i >= 0; i--)
	{
		StewardNoteKey key;

		steward_signer_key(&key, &signers[i], incarnation);
		if (steward_prune_open(prune, (const char *) note->data, note->length, &key) ==
			STEWARD_NOTE_OK)
			return true;
	}
	return false;
}

void
steward_certificate_places(int32 incarnation, uint64 from, StewardPlaces *places)
{
	Oid			types[2] = {INT4OID, INT8OID};
	Datum		values[2] = {Int32GetDatum(incarnation), Int64GetDatum((int64) from)};
	Portal		portal;
	uint64		fetched;

	portal = SPI_cursor_open_with_args(NULL,
									   "SELECT k.leaf FROM steward.ledger_pruned_leaf AS k"
									   " WHERE k.incarnation OPERATOR(pg_catalog.=) $1"
									   " AND k.leaf OPERATOR(pg_catalog.>=) $2"
									   " ORDER BY k.leaf USING OPERATOR(pg_catalog.<)",
									   2, types, values, NULL, true, 0);
	do
	{
		SPITupleTable *rows;
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		rows = SPI_tuptable;
		fetched = SPI_processed;
		for (uint64 i = 0; i < fetched; i++)
			steward_places_add(places, (uint64) DatumGetInt64(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull)));
		SPI_freetuptable(rows);
	} while (fetched == FETCH_ROWS);
	SPI_cursor_close(portal);
}

/* The newest certificate of a log; false: there is none. */
static bool
read_newest(int32 incarnation, StewardSlot *note)
{
	Oid			types[1] = {INT4OID};
	Datum		values[1] = {Int32GetDatum(incarnation)};
	bool		isnull;

	if (SPI_execute_with_args("SELECT p.certificate FROM steward.ledger_prune AS p"
							  " WHERE p.incarnation OPERATOR(pg_catalog.=) $1"
							  " ORDER BY p.boundary USING OPERATOR(pg_catalog.>), p.segment USING OPERATOR(pg_catalog.>)"
							  " LIMIT 1",
							  1, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_with_args failed");
	if (SPI_processed == 0)
		return false;
	*note = steward_value_bytes(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	return true;
}

bool
steward_certificate_fits(int32 incarnation)
{
	StewardPrune prune = {0};
	StewardPlaces places;
	StewardHash digest;
	StewardSlot note;
	bool		pruned = read_newest(incarnation, &note);

	if (pruned && !steward_certificate_open(&prune, incarnation, &note))
		return false;
	steward_places_begin(&places);
	steward_certificate_places(incarnation, pruned ? prune.boundary.size : 0, &places);
	steward_places_end(&places, &digest);
	if (!pruned)
		return places.count == 0;
	return places.count == prune.removed && steward_hash_equals(&digest, &prune.places);
}
