# tour.sh: the steps of the quickstart; sourced by it.

tour() {
    tour_shop
    tour_encrypt
    tour_find
    tour_rights
    tour_dump
    tour_audit
    tour_retention
}

tour_shop() {
    title "The sample shop: generated people, orders and sessions"
    type_sql "SELECT (SELECT count(*) FROM customer) AS customers, (SELECT count(*) FROM orders) AS orders,
    (SELECT count(*) FROM session) AS sessions;"
    type_sql "SELECT * FROM customer WHERE id = 42;"
    claim_shown "the e-mail address is there for all to read" 'ben\.birke@example\.org'
    # So that the search of step 5 is known to find what is there.
    type_shell "pg_dump shop > before.sql; grep -c '@example\\.org' before.sql"
    claim_shown "and a dump has all 2,000 of them" '^2000$'
}

tour_encrypt() {
    title "Encrypt two columns"
    type_sql "CREATE EXTENSION pg_steward;"
    type_sql "SELECT steward.create_key('pii');"
    type_sql "ALTER TABLE customer
    ALTER email TYPE steward.encrypted_text('pii/customer.email')
        USING email::steward.encrypted_text('pii/customer.email'),
    ALTER phone TYPE steward.encrypted_text('pii/customer.phone')
        USING phone::steward.encrypted_text('pii/customer.phone');"
    type_sql "SELECT id, name, email FROM customer WHERE id = 42;"
    claim_shown "what is read is ciphertext" 'stw1:'
    claim_not_shown "and no plaintext" 'example\.org'
    type_sql "SELECT id, name, email::text, phone::text FROM customer WHERE id = 42;"
    claim_shown "the plaintext comes to those who ask for it by name" 'ben\.birke@example\.org'
    claim "every address and number came through" \
        "SELECT count(*) FILTER (WHERE email::text LIKE '%_._%@example.org'), count(*) FILTER (WHERE phone::text LIKE '+49 %'), count(phone) FROM customer" \
        '2000|1800|1800'
}

tour_find() {
    title "Find a customer by the encrypted e-mail address, through an index"
    type_sql "CREATE UNIQUE INDEX customer_email ON customer (email steward.encrypted_unique_ops);"
    type_sql "SELECT id, name, city FROM customer WHERE email = 'ben.birke@example.org';"
    claim_shown "the customer is found" '42 \| Ben Birke'
    type_sql "EXPLAIN (COSTS OFF) SELECT id, name, city FROM customer WHERE email = 'ben.birke@example.org';"
    claim_shown "through the index" 'customer_email'
    claim_not_shown "and the plan does not show what was looked for" 'ben\.birke'
    type_refused "INSERT INTO customer VALUES (9999, 'Somebody Else', 'ben.birke@example.org', NULL, 'Berlin', now());"
    claim_shown "and the address stays unique" 'duplicate key'
    claim_not_shown "with an error that does not show it" 'ben\.birke'
}

tour_rights() {
    title "Whoever has no right to decrypt, cannot"
    type_sql "CREATE ROLE support;
GRANT SELECT ON customer TO support;"
    type_refused "SET ROLE support;
SELECT name, email::text FROM customer WHERE id = 42;"
    claim_not_shown "support does not see the address" 'example\.org'
    type_sql "SELECT steward.grant_key('pii', 'support', 'decrypt');
SET ROLE support;
SELECT name, email::text FROM customer WHERE id = 42;"
    claim_shown "until it is granted" 'ben\.birke@example\.org'
}

tour_dump() {
    title "A dump holds no plaintext"
    type_shell "pg_dump shop > after.sql; grep -c '@example\\.org\\|+49 ' after.sql || true"
    claim_shown "no address and no number is in it" '^0$'
    type_shell "grep -P '^42\\tBen' after.sql"
    claim_shown "a customer is in it as ciphertext" 'stw1:.*stw1:'
}

tour_audit() {
    title "Every change leaves a trail"
    type_sql "SELECT steward.enable_audit('customer');"
    type_sql "UPDATE customer SET city = 'Kassel', phone = '+49 30 23125 999' WHERE id = 42;"
    type_sql "SELECT operation, key, old ->> 'city' AS old_city, new ->> 'city' AS new_city, session_role
FROM steward.audit_trail WHERE operation = 'UPDATE';"
    claim_shown "what was changed, and by whom" 'UPDATE +\| .*42.* \| Frankfurt +\| Kassel +\| postgres'
    type_sql "SELECT left(new ->> 'phone', 40) AS new_phone FROM steward.audit_trail WHERE operation = 'UPDATE';"
    claim_shown "encrypted columns are ciphertext there as well" 'stw1:'
    type_refused "DELETE FROM steward.audit_log;"
    claim "and the trail cannot be cut" "SELECT count(*) FROM steward.audit_trail WHERE operation = 'UPDATE'" 1
}

tour_retention() {
    title "Sessions go when they have expired"
    type_sql "CREATE INDEX ON session (last_seen);"
    type_sql "SELECT steward.create_policy('old sessions', 'session', 'last_seen', '42 days');"
    claim "about a third has expired" "SELECT count(*) BETWEEN 900 AND 1100 FROM session WHERE last_seen < now() - interval '42 days'" t
    type_sql "CALL steward.run_policy('old sessions');"
    type_sql "SELECT policy, rows, batches, skipped, state FROM steward.policy_run;"
    claim_shown "the run was complete" 'complete'
    type_sql "SELECT count(*) AS left, min(last_seen) > now() - interval '43 days' AS all_recent FROM session;"
    claim "no session is older, and none is missing" \
        "SELECT (SELECT rows FROM steward.policy_run) + count(*), min(last_seen) > now() - interval '42 days 1 hour' FROM session" '3000|t'
}
