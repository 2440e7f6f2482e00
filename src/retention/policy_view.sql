-- Retention policies, for people. Whoever is granted SELECT on a view sees in it the policies of tables
-- that are his own; those whose table is gone are the extension owner's.

-- Whose a policy is: the table's owner's.
CREATE FUNCTION steward.policy_visible(relation regclass) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN pg_catalog.pg_has_role(COALESCE(
    (SELECT c.relowner FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) relation),
    (SELECT e.extowner FROM pg_catalog.pg_extension AS e WHERE e.extname OPERATOR(pg_catalog.=) 'pg_steward')), 'USAGE');
COMMENT ON FUNCTION steward.policy_visible IS 'may the current user see the policies of this table';

CREATE VIEW steward.policy WITH (security_barrier) AS
SELECT p.name, p.relation, p.age, p.keep, steward.policy_cutoff(p.keep, p.time_zone) AS cutoff, p.filter, p.action, p.columns,
       p.archive, (SELECT pg_catalog.jsonb_object_agg(e.child, e.constraints)
                     FROM (SELECT c.child::pg_catalog.text AS child,
                                  pg_catalog.jsonb_object_agg(c."constraint", c.action) AS constraints
                             FROM steward.policy_child AS c
                            WHERE c.policy OPERATOR(pg_catalog.=) p.name
                            GROUP BY c.child) AS e) AS children,
       p.schedule, p.time_zone, s.next_run, s.paused_at, s.paused_by, s.failures, s.retry_at, s.quarantined_at, s.sqlstate,
       p.created_by, p.created_at, p.changed_by, p.changed_at
  FROM steward.policy_definition AS p
  LEFT JOIN steward.policy_state AS s ON s.policy OPERATOR(pg_catalog.=) p.name
 WHERE steward.policy_visible(p.relation);
REVOKE ALL ON steward.policy FROM PUBLIC;
COMMENT ON VIEW steward.policy IS 'retention policies of tables that the current user owns: which rows expire, what happens to them, when the policy runs';
COMMENT ON COLUMN steward.policy.name IS 'name of the policy';
COMMENT ON COLUMN steward.policy.relation IS 'table it is for';
COMMENT ON COLUMN steward.policy.age IS 'what says how old a row is';
COMMENT ON COLUMN steward.policy.keep IS 'how long a row is kept, counted in the calendar of time_zone';
COMMENT ON COLUMN steward.policy.cutoff IS 'rows older than this have expired now';
COMMENT ON COLUMN steward.policy.filter IS 'condition on the rows that the policy is for; NULL: all';
COMMENT ON COLUMN steward.policy.action IS 'what happens to expired rows';
COMMENT ON COLUMN steward.policy.columns IS 'of action anonymize: the strategy of each column that is overwritten';
COMMENT ON COLUMN steward.policy.archive IS 'of action archive: the table that rows are moved to';
COMMENT ON COLUMN steward.policy.children IS 'declared foreign keys, by table and name, and what becomes of the rows that refer; others restrict';
COMMENT ON COLUMN steward.policy.schedule IS 'when it runs by itself; NULL: when it is called';
COMMENT ON COLUMN steward.policy.time_zone IS 'whose calendar counts';
COMMENT ON COLUMN steward.policy.next_run IS 'the next time of its schedule';
COMMENT ON COLUMN steward.policy.paused_at IS 'since when it is paused';
COMMENT ON COLUMN steward.policy.paused_by IS 'who paused it';
COMMENT ON COLUMN steward.policy.failures IS 'scheduled runs that failed since the last run that did not';
COMMENT ON COLUMN steward.policy.retry_at IS 'when a run that failed is tried again';
COMMENT ON COLUMN steward.policy.quarantined_at IS 'since when it has failed so often that it is not run by itself any more';
COMMENT ON COLUMN steward.policy.sqlstate IS 'the error of the last scheduled run; NULL when there was none, or a run succeeded since';
COMMENT ON COLUMN steward.policy.created_by IS 'who made it';
COMMENT ON COLUMN steward.policy.created_at IS 'when it was made';
COMMENT ON COLUMN steward.policy.changed_by IS 'who changed it last';
COMMENT ON COLUMN steward.policy.changed_at IS 'when that was';

CREATE VIEW steward.policy_run WITH (security_barrier) AS
SELECT l.id, l.policy, l.relation, l.action, l.cutoff, l.started_by, l.planned, l.retries, l.started_at, l.finished_at,
       l.finished_at OPERATOR(pg_catalog.-) l.started_at AS duration, l.rows, l.children, l.bytes, l.wal, l.batches,
       l.waits, l.skipped, l.held, l.restricted, l.state, l.sqlstate, l.error, l.root
  FROM steward.policy_run_log AS l
 WHERE steward.policy_visible(l.relation);
REVOKE ALL ON steward.policy_run FROM PUBLIC;
COMMENT ON VIEW steward.policy_run IS 'what each run of a retention policy did, of tables that the current user owns';
COMMENT ON COLUMN steward.policy_run.id IS 'number of the run';
COMMENT ON COLUMN steward.policy_run.policy IS 'name of the policy';
COMMENT ON COLUMN steward.policy_run.relation IS 'table that it was for';
COMMENT ON COLUMN steward.policy_run.action IS 'what happened to the rows';
COMMENT ON COLUMN steward.policy_run.cutoff IS 'rows older than this had expired when the run began; NULL: it failed before';
COMMENT ON COLUMN steward.policy_run.started_by IS 'who called it; NULL: it ran by itself';
COMMENT ON COLUMN steward.policy_run.planned IS 'the time of its schedule that it was for; NULL: it was called';
COMMENT ON COLUMN steward.policy_run.retries IS 'runs of the schedule that had failed before it in a row';
COMMENT ON COLUMN steward.policy_run.started_at IS 'when the run began';
COMMENT ON COLUMN steward.policy_run.finished_at IS 'when it ended';
COMMENT ON COLUMN steward.policy_run.duration IS 'how long it took';
COMMENT ON COLUMN steward.policy_run.rows IS 'rows of the table that were deleted, overwritten or moved, and committed; of action shred, here and in held and skipped, subjects';
COMMENT ON COLUMN steward.policy_run.children IS 'rows of other tables, and of the table itself, that were deleted or changed because they refer to those';
COMMENT ON COLUMN steward.policy_run.bytes IS 'size of all these rows, as they were stored';
COMMENT ON COLUMN steward.policy_run.wal IS 'write-ahead log that the session of the run wrote for its batches, in bytes';
COMMENT ON COLUMN steward.policy_run.batches IS 'how many batches did something';
COMMENT ON COLUMN steward.policy_run.waits IS 'how long it waited for locks and for others to come on, in milliseconds';
COMMENT ON COLUMN steward.policy_run.skipped IS 'expired rows that were left because somebody held a lock on them or a trigger kept them';
COMMENT ON COLUMN steward.policy_run.held IS 'expired rows that were left because of a legal hold on them or on rows that refer to them';
COMMENT ON COLUMN steward.policy_run.restricted IS 'expired rows that were left because rows refer to them by a foreign key that restricts';
COMMENT ON COLUMN steward.policy_run.state IS 'complete only when no expired row was left but held ones; waiting: it gave way to other work and is gone on with; running without a session means that the server stopped, and the next run says interrupted';
COMMENT ON COLUMN steward.policy_run.sqlstate IS 'the error that ended it';
COMMENT ON COLUMN steward.policy_run.error IS 'what that error was about: a table, column or constraint, never a value';
COMMENT ON COLUMN steward.policy_run.root IS 'Merkle root over the receipts of its batches';

CREATE VIEW steward.policy_progress WITH (security_barrier) AS
SELECT l.policy, l.id AS run, l.relation, l.action, b.pid, l.cutoff, l.started_at, l.batch_at, l.rows, l.children, l.batches, l.waits
  FROM steward.policy_run_log AS l
  LEFT JOIN LATERAL (
       SELECT k.pid
         FROM pg_catalog.pg_locks AS k, pg_catalog.hashtextextended(l.policy COLLATE pg_catalog."C", 0) AS h (number)
        WHERE k.locktype OPERATOR(pg_catalog.=) 'object' AND k.granted
          AND k.database OPERATOR(pg_catalog.=) (SELECT d.oid FROM pg_catalog.pg_database AS d
                WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
          AND k.classid OPERATOR(pg_catalog.=) 'steward.policy_definition'::pg_catalog.regclass::pg_catalog.oid
          AND k.objid::pg_catalog.int8 OPERATOR(pg_catalog.=) (h.number OPERATOR(pg_catalog.&) 4294967295)
          AND k.objsubid::pg_catalog.int4 OPERATOR(pg_catalog.=)
              ((h.number OPERATOR(pg_catalog.>>) 32) OPERATOR(pg_catalog.&) 65535)::pg_catalog.int4
        LIMIT 1) AS b ON true
 WHERE l.state OPERATOR(pg_catalog.=) ANY ('{running,waiting}'::pg_catalog.text[]) AND steward.policy_visible(l.relation);
REVOKE ALL ON steward.policy_progress FROM PUBLIC;
COMMENT ON VIEW steward.policy_progress IS 'how far runs of retention policies are that have not ended, of tables that the current user owns';
COMMENT ON COLUMN steward.policy_progress.policy IS 'name of the policy';
COMMENT ON COLUMN steward.policy_progress.run IS 'number of the run';
COMMENT ON COLUMN steward.policy_progress.relation IS 'table it is for';
COMMENT ON COLUMN steward.policy_progress.action IS 'what happens to the rows';
COMMENT ON COLUMN steward.policy_progress.pid IS 'the process that runs it; NULL: none does, it waits or the server stopped in the middle';
COMMENT ON COLUMN steward.policy_progress.cutoff IS 'rows older than this had expired when it began';
COMMENT ON COLUMN steward.policy_progress.started_at IS 'when it began';
COMMENT ON COLUMN steward.policy_progress.batch_at IS 'when its last batch was done';
COMMENT ON COLUMN steward.policy_progress.rows IS 'rows done so far';
COMMENT ON COLUMN steward.policy_progress.children IS 'rows of children done so far';
COMMENT ON COLUMN steward.policy_progress.batches IS 'batches so far';
COMMENT ON COLUMN steward.policy_progress.waits IS 'how long it waited for locks and for others to come on, in milliseconds';
