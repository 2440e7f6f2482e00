-- Retention policies: what is stored of them. Only C writes here, as the owner of the extension.

CREATE TABLE steward.policy_definition (
    name text PRIMARY KEY CHECK (name <> ''),
    relation regclass NOT NULL,
    age text NOT NULL,
    keep interval NOT NULL,
    filter text,
    action text NOT NULL CHECK (action IN ('delete', 'anonymize', 'archive', 'drop_partition', 'shred')),
    columns jsonb CHECK ((columns IS NULL) = (action <> 'anonymize')),
    archive regclass CHECK ((archive IS NULL) = (action <> 'archive')),
    schedule text,
    time_zone text NOT NULL,
    created_by name NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_by name,
    changed_at timestamptz
);
REVOKE ALL ON steward.policy_definition FROM PUBLIC;
COMMENT ON TABLE steward.policy_definition IS 'retention policies: which rows of which table expire, and what happens to them';
COMMENT ON COLUMN steward.policy_definition.name IS 'name of the policy';
COMMENT ON COLUMN steward.policy_definition.relation IS 'table it is for';
COMMENT ON COLUMN steward.policy_definition.age IS 'what says how old a row is: an expression over its columns, of type date, timestamp or timestamptz';
COMMENT ON COLUMN steward.policy_definition.keep IS 'how long a row is kept, counted in the calendar of time_zone';
COMMENT ON COLUMN steward.policy_definition.filter IS 'condition on the columns of the rows that the policy is for; NULL: all';
COMMENT ON COLUMN steward.policy_definition.action IS 'what happens to expired rows';
COMMENT ON COLUMN steward.policy_definition.columns IS 'of action anonymize: the strategy of each column that is overwritten';
COMMENT ON COLUMN steward.policy_definition.archive IS 'of action archive: the table that rows are moved to';
COMMENT ON COLUMN steward.policy_definition.schedule IS 'when it runs by itself: five fields of cron, or an interval; NULL: when it is called';
COMMENT ON COLUMN steward.policy_definition.time_zone IS 'whose calendar counts';
COMMENT ON COLUMN steward.policy_definition.created_by IS 'who made it';
COMMENT ON COLUMN steward.policy_definition.created_at IS 'when it was made';
COMMENT ON COLUMN steward.policy_definition.changed_by IS 'who changed it last';
COMMENT ON COLUMN steward.policy_definition.changed_at IS 'when that was';

CREATE TABLE steward.policy_child (
    policy text NOT NULL REFERENCES steward.policy_definition ON DELETE CASCADE,
    child regclass NOT NULL,
    "constraint" name NOT NULL,
    action text NOT NULL CHECK (action IN ('cascade', 'restrict', 'set null')),
    PRIMARY KEY (policy, child, "constraint")
);
REVOKE ALL ON steward.policy_child FROM PUBLIC;
COMMENT ON TABLE steward.policy_child IS 'foreign keys that lead to the rows of a policy, and what becomes of the rows that refer; others restrict';
COMMENT ON COLUMN steward.policy_child.policy IS 'name of the policy';
COMMENT ON COLUMN steward.policy_child.child IS 'table that has the foreign key';
COMMENT ON COLUMN steward.policy_child."constraint" IS 'name of the foreign key';
COMMENT ON COLUMN steward.policy_child.action IS 'cascade: they go too; set null: they lose the reference; restrict: they keep what they refer to';

CREATE TABLE steward.policy_state (
    policy text PRIMARY KEY REFERENCES steward.policy_definition ON DELETE CASCADE,
    anchor timestamptz NOT NULL DEFAULT now(),
    last_planned timestamptz,
    next_run timestamptz,
    paused_at timestamptz,
    paused_by name,
    failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    retry_at timestamptz,
    quarantined_at timestamptz,
    sqlstate text
);
REVOKE ALL ON steward.policy_state FROM PUBLIC;
COMMENT ON TABLE steward.policy_state IS 'when each policy runs next, and whether it may';
COMMENT ON COLUMN steward.policy_state.policy IS 'name of the policy';
COMMENT ON COLUMN steward.policy_state.anchor IS 'where intervals of its schedule are counted from: when it was made or changed';
COMMENT ON COLUMN steward.policy_state.last_planned IS 'the time of its schedule that it was last run for; NULL when it never was';
COMMENT ON COLUMN steward.policy_state.next_run IS 'the next time of its schedule; NULL without one';
COMMENT ON COLUMN steward.policy_state.paused_at IS 'since when it is paused; NULL when it is not';
COMMENT ON COLUMN steward.policy_state.paused_by IS 'who paused it';
COMMENT ON COLUMN steward.policy_state.failures IS 'scheduled runs that failed since the last run that did not';
COMMENT ON COLUMN steward.policy_state.retry_at IS 'when a run that failed is tried again';
COMMENT ON COLUMN steward.policy_state.quarantined_at IS 'since when it has failed so often that it is not run by itself any more; NULL when it has not';
COMMENT ON COLUMN steward.policy_state.sqlstate IS 'the error of the last scheduled run; NULL when there was none, or a run succeeded since';

CREATE TABLE steward.policy_run_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    policy text NOT NULL,
    relation regclass NOT NULL,
    action text NOT NULL DEFAULT 'delete',
    cutoff timestamptz,
    started_by name,
    planned timestamptz,
    retries integer NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    batch_at timestamptz,
    finished_at timestamptz,
    rows bigint NOT NULL DEFAULT 0,
    children bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    wal bigint NOT NULL DEFAULT 0,
    batches bigint NOT NULL DEFAULT 0,
    waits bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    held bigint NOT NULL DEFAULT 0,
    restricted bigint NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'running'
        CHECK (state IN ('running', 'waiting', 'complete', 'incomplete', 'failed', 'interrupted')),
    sqlstate text,
    error text,
    root bytea,
    salt bytea,
    frontier bytea,
    cursor text
);
CREATE INDEX policy_run_log_running ON steward.policy_run_log (policy) WHERE state IN ('running', 'waiting');
REVOKE ALL ON steward.policy_run_log FROM PUBLIC;
COMMENT ON TABLE steward.policy_run_log IS 'what each run of a retention policy did; a batch and its counters commit together';
COMMENT ON SEQUENCE steward.policy_run_log_id_seq IS 'numbers of steward.policy_run_log';
COMMENT ON INDEX steward.policy_run_log_running IS 'runs that have not ended';
COMMENT ON COLUMN steward.policy_run_log.id IS 'number of the run';
COMMENT ON COLUMN steward.policy_run_log.policy IS 'name of the policy';
COMMENT ON COLUMN steward.policy_run_log.relation IS 'table that it was for';
COMMENT ON COLUMN steward.policy_run_log.action IS 'what happened to the rows';
COMMENT ON COLUMN steward.policy_run_log.cutoff IS 'rows older than this had expired when the run began; NULL: it failed before';
COMMENT ON COLUMN steward.policy_run_log.started_by IS 'who called it; NULL: it ran by itself';
COMMENT ON COLUMN steward.policy_run_log.planned IS 'the time of its schedule that it was for; NULL: it was called';
COMMENT ON COLUMN steward.policy_run_log.retries IS 'runs of the schedule that had failed before it in a row';
COMMENT ON COLUMN steward.policy_run_log.started_at IS 'when the run began';
COMMENT ON COLUMN steward.policy_run_log.batch_at IS 'when its last batch was done';
COMMENT ON COLUMN steward.policy_run_log.finished_at IS 'when it ended';
COMMENT ON COLUMN steward.policy_run_log.rows IS 'rows of the table that were deleted, overwritten or moved, and committed; of action shred, here and in held and skipped, subjects';
COMMENT ON COLUMN steward.policy_run_log.children IS 'rows of other tables, and of the table itself, that were deleted or changed because they refer to those';
COMMENT ON COLUMN steward.policy_run_log.bytes IS 'size of all these rows, as they were stored';
COMMENT ON COLUMN steward.policy_run_log.wal IS 'write-ahead log that the session of the run wrote for its batches, in bytes';
COMMENT ON COLUMN steward.policy_run_log.batches IS 'how many batches did something';
COMMENT ON COLUMN steward.policy_run_log.waits IS 'how long it waited for locks and for others to come on, in milliseconds';
COMMENT ON COLUMN steward.policy_run_log.skipped IS 'expired rows that were left because somebody held a lock on them or a trigger kept them';
COMMENT ON COLUMN steward.policy_run_log.held IS 'expired rows that were left because of a legal hold on them or on rows that refer to them';
COMMENT ON COLUMN steward.policy_run_log.restricted IS 'expired rows that were left because rows refer to them by a foreign key that restricts';
COMMENT ON COLUMN steward.policy_run_log.state IS 'complete only when no expired row was left but held ones; waiting: it gave way to other work and is gone on with; running without a session means that the server stopped, and the next run says interrupted';
COMMENT ON COLUMN steward.policy_run_log.sqlstate IS 'the error that ended it';
COMMENT ON COLUMN steward.policy_run_log.error IS 'what that error was about: a table, column or constraint, never a value';
COMMENT ON COLUMN steward.policy_run_log.root IS 'Merkle root over the receipts of its batches; NULL: nothing was destroyed';
COMMENT ON COLUMN steward.policy_run_log.salt IS 'what the keys of its rows are hashed with; whoever knows it can confirm a guess of a key';
COMMENT ON COLUMN steward.policy_run_log.frontier IS 'hashes of the tree of its batches that the next one needs (docs/formats.md)';
COMMENT ON COLUMN steward.policy_run_log.cursor IS 'where a run that waits goes on: a leaf, and how far in it';

CREATE TABLE steward.policy_receipt (
    run bigint NOT NULL REFERENCES steward.policy_run_log ON DELETE CASCADE,
    batch bigint NOT NULL,
    rows bigint NOT NULL,
    root bytea NOT NULL,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (run, batch)
);
REVOKE ALL ON steward.policy_receipt FROM PUBLIC;
COMMENT ON TABLE steward.policy_receipt IS 'one row a batch of a run, committed with it: what it destroyed, as a hash';
COMMENT ON COLUMN steward.policy_receipt.run IS 'number of the run';
COMMENT ON COLUMN steward.policy_receipt.batch IS 'number of the batch in the run, from 1';
COMMENT ON COLUMN steward.policy_receipt.rows IS 'rows that it destroyed, children too';
COMMENT ON COLUMN steward.policy_receipt.root IS 'Merkle root over the salted hashes of the keys of these rows';
COMMENT ON COLUMN steward.policy_receipt.xid IS 'the transaction that destroyed them, as in steward.audit_trail';

CREATE TABLE steward.policy_detached (
    relation regclass PRIMARY KEY,
    policy text NOT NULL REFERENCES steward.policy_definition ON DELETE CASCADE,
    bounds text NOT NULL,
    endless boolean NOT NULL,
    remembered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    detached_at timestamptz
);
REVOKE ALL ON steward.policy_detached FROM PUBLIC;
COMMENT ON TABLE steward.policy_detached IS 'partitions that a run is about to drop; the next run drops what is still there, or attaches it again';
COMMENT ON COLUMN steward.policy_detached.relation IS 'the partition';
COMMENT ON COLUMN steward.policy_detached.policy IS 'name of the policy, whose table it is a partition of';
COMMENT ON COLUMN steward.policy_detached.bounds IS 'its bounds, as ATTACH PARTITION takes them';
COMMENT ON COLUMN steward.policy_detached.endless IS 'it has no lower bound, so that it may have rows of age -infinity';
COMMENT ON COLUMN steward.policy_detached.remembered_at IS 'when the run came to it';
COMMENT ON COLUMN steward.policy_detached.detached_at IS 'when a run detached it, in the same transaction; NULL: it has not';

-- pg_restore --jobs loads tables of an extension in any order. So what goes with a policy, or with a run, goes with it by a foreign
-- key, but that it is there is not checked for each new row.
ALTER TABLE steward.policy_child DISABLE TRIGGER ALL;
ALTER TABLE steward.policy_state DISABLE TRIGGER ALL;
ALTER TABLE steward.policy_receipt DISABLE TRIGGER ALL;
ALTER TABLE steward.policy_detached DISABLE TRIGGER ALL;

-- A policy whose table is gone would be dumped as a bare number, which another
-- table may have in the database it is restored into; so would its archive.
SELECT pg_catalog.pg_extension_config_dump('steward.policy_definition',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) relation)
       AND (archive IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) archive))');
SELECT pg_catalog.pg_extension_config_dump('steward.policy_child',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) child)
       AND policy OPERATOR(pg_catalog.=) ANY (SELECT p.name FROM steward.policy_definition AS p
         WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) p.relation)
           AND (p.archive IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) p.archive)))');
SELECT pg_catalog.pg_extension_config_dump('steward.policy_state',
    'WHERE policy OPERATOR(pg_catalog.=) ANY (SELECT p.name FROM steward.policy_definition AS p
         WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) p.relation)
           AND (p.archive IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) p.archive)))');
SELECT pg_catalog.pg_extension_config_dump('steward.policy_detached',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) relation)
       AND policy OPERATOR(pg_catalog.=) ANY (SELECT p.name FROM steward.policy_definition AS p
         WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) p.relation)
           AND (p.archive IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) p.archive)))');
SELECT pg_catalog.pg_extension_config_dump('steward.policy_run_log',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) relation)');
SELECT pg_catalog.pg_extension_config_dump('steward.policy_run_log_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('steward.policy_receipt',
    'WHERE run OPERATOR(pg_catalog.=) ANY (SELECT l.id FROM steward.policy_run_log AS l
         WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) l.relation))');

-- Years, months and days are counted in the calendar of the zone, the rest of
-- an interval is time that really passes.
CREATE FUNCTION steward.policy_cutoff(keep interval, time_zone text, moment timestamptz DEFAULT now())
RETURNS timestamptz
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN pg_catalog.timezone(time_zone, pg_catalog.timezone(time_zone, moment)
        OPERATOR(pg_catalog.-) pg_catalog.make_interval(
            years => extract(year FROM keep)::int,
            months => extract(month FROM keep)::int,
            days => extract(day FROM keep)::int))
    OPERATOR(pg_catalog.-) pg_catalog.make_interval(
        hours => extract(hour FROM keep)::int,
        mins => extract(minute FROM keep)::int,
        secs => extract(second FROM keep)::double precision);
COMMENT ON FUNCTION steward.policy_cutoff IS 'the moment before which a row has expired, when rows are kept for an interval in the calendar of a time zone';
