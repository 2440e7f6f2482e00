-- The contract: every object of the extension, who may use it, and its comment.
-- Whatever changes here changes what users build on: say so in the changelog.
\set QUIET on
\set ON_ERROR_STOP on
BEGIN;

SELECT plan(15);

-- From 17 on the types of arrays and rows are members as well; they only follow.
CREATE TEMPORARY VIEW member AS
SELECT d.classid, d.objid
  FROM pg_depend AS d
  JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
 WHERE e.extname = 'pg_steward' AND d.deptype = 'e'
   AND NOT (d.classid = 'pg_type'::regclass
            AND EXISTS (SELECT FROM pg_type AS t WHERE t.oid = d.objid AND (t.typrelid <> 0 OR t.typcategory = 'A')));

-- What is said of <type> holds for each of these.
CREATE TEMPORARY VIEW encrypted_type AS
SELECT unnest(ARRAY['text', 'bytea', 'jsonb', 'bigint', 'numeric', 'date', 'timestamp with time zone']) AS plain,
       unnest(ARRAY['text', 'bytea', 'jsonb', 'bigint', 'numeric', 'date', 'timestamptz']) AS type;

-- Plaintext types that are encrypted by assignment, and those that compare.
CREATE TEMPORARY VIEW encrypts (type, source) AS VALUES
    ('text', 'text'), ('text', 'character'), ('text', 'name'),
    ('bytea', 'bytea'),
    ('jsonb', 'jsonb'), ('jsonb', 'json'),
    ('bigint', 'bigint'), ('bigint', 'integer'), ('bigint', 'smallint'), ('bigint', 'numeric'),
    ('numeric', 'numeric'), ('numeric', 'bigint'), ('numeric', 'integer'), ('numeric', 'smallint'), ('numeric', 'double precision'), ('numeric', 'real'),
    ('date', 'date'), ('date', 'timestamp without time zone'), ('date', 'timestamp with time zone'),
    ('timestamptz', 'timestamp with time zone'), ('timestamptz', 'timestamp without time zone'), ('timestamptz', 'date');
CREATE TEMPORARY VIEW compares (type, plain) AS
SELECT type, plain FROM encrypted_type
UNION ALL VALUES ('bigint', 'integer'), ('bigint', 'smallint'), ('bigint', 'numeric');

-- ---------------------------------------------------------------- objects --

SELECT set_eq($$
    SELECT p.oid::regprocedure::text, coalesce(pg_get_function_result(p.oid), ''),
           CASE WHEN has_function_privilege('public', p.oid, 'EXECUTE') THEN 'all' ELSE 'granted' END
      FROM pg_proc AS p
      JOIN member AS m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
$$, $$ VALUES
    ('steward.abort_column_conversion(regclass,interval)', 'void', 'granted'),
    ('steward.access_items(jsonb)', 'SETOF jsonb', 'all'),
    ('steward.access_rule_changed()', 'trigger', 'granted'),
    ('steward.acknowledge_fork(integer,text)', 'void', 'granted'),
    ('steward.adopt_revocation_journal()', 'void', 'granted'),
    ('steward.apply_revocations()', 'bigint', 'granted'),
    ('steward.as_of(anyelement,timestamp with time zone)', 'SETOF anyelement', 'granted'),
    ('steward.as_of_snapshot(anyelement,pg_snapshot)', 'SETOF anyelement', 'granted'),
    ('steward.audit_access(regclass,name[])', 'void', 'granted'),
    ('steward.audit_access_label(text)', 'void', 'granted'),
    ('steward.audit_column()', 'trigger', 'granted'),
    ('steward.audit_coverage(name)', 'SETOF record', 'granted'),
    ('steward.audit_ddl_command()', 'event_trigger', 'granted'),
    ('steward.audit_ddl_drop()', 'event_trigger', 'granted'),
    ('steward.audit_ddl_rewrite()', 'event_trigger', 'granted'),
    ('steward.audit_decode(integer,"char",bytea)', 'record', 'all'),
    ('steward.alter_policy(text,text,interval,text,text,text,jsonb,regclass,jsonb,text)', 'void', 'granted'),
    ('steward.audit_event(bytea)', 'jsonb', 'all'),
    ('steward.audit_feed(bigint,integer,integer)', 'SETOF record', 'granted'),
    ('steward.audit_guard()', 'trigger', 'granted'),
    ('steward.audit_image(anyelement,integer,"char",bytea,boolean,boolean)', 'anyelement', 'granted'),
    ('steward.audit_image_of_parts(anyelement,integer,"char",bytea[],boolean,boolean)', 'anyelement', 'granted'),
    ('steward.audit_key_hash(oid,jsonb)', 'bigint[]', 'all'),
    ('steward.audit_keys(bytea,integer,xid8)', 'bigint[]', 'all'),
    ('steward.audit_pending()', 'SETOF record', 'granted'),
    ('steward.audit_protect(regclass)', 'void', 'granted'),
    ('steward.audit_readable(oid,integer)', 'boolean', 'all'),
    ('steward.audit_records(bytea,integer,xid8)', 'SETOF record', 'all'),
    ('steward.audit_reveal(jsonb)', 'text', 'all'),
    ('steward.audit_role(regrole)', 'void', 'granted'),
    ('steward.audit_row()', 'trigger', 'all'),
    ('steward.audit_segment_guard()', 'event_trigger', 'granted'),
    ('steward.audit_setting_of(oid)', 'jsonb', 'all'),
    ('steward.audit_truncate()', 'trigger', 'granted'),
    ('steward.bind_row()', 'trigger', 'all'),
    ('steward.bind_subject(regclass,text,name)', 'void', 'granted'),
    ('steward.blind_eqsel(internal,oid,internal,integer)', 'double precision', 'granted'),
    ('steward.blind_likesel(internal,oid,internal,integer)', 'double precision', 'granted'),
    ('steward.blind_rangesel(internal,oid,internal,integer)', 'double precision', 'granted'),
    ('steward.blind_handler(internal)', 'index_am_handler', 'granted'),
    ('steward.blind_index_check(regclass,boolean)', 'void', 'granted'),
    ('steward.blind_index_secrets()', 'TABLE(index regclass, "column" text, key text, generation integer, newest integer)', 'granted'),
    ('steward.blind_metapage(regclass)', 'record', 'granted'),
    ('steward.blind_page_stats(regclass,bigint)', 'record', 'granted'),
    ('steward.blind_neqsel(internal,oid,internal,integer)', 'double precision', 'granted'),
    ('steward.column_step()', 'trigger', 'granted'),
    ('steward.counted_changes(oid)', 'bigint', 'granted'),
    ('steward.coverage_of_activity()', 'SETOF record', 'granted'),
    ('steward.coverage_of_extension()', 'SETOF record', 'granted'),
    ('steward.coverage_of_log()', 'SETOF record', 'granted'),
    ('steward.coverage_of_past()', 'SETOF record', 'granted'),
    ('steward.coverage_of_slot(name,name)', 'SETOF record', 'granted'),
    ('steward.coverage_of_tables()', 'SETOF record', 'granted'),
    ('steward.create_context_key(text)', 'uuid', 'granted'),
    ('steward.create_decrypted_view(regclass,text)', 'regclass', 'granted'),
    ('steward.create_key(text)', 'void', 'granted'),
    ('steward.create_ledger_key(text)', 'void', 'granted'),
    ('steward.create_policy(text,regclass,text,interval,text,text,text,jsonb,regclass,jsonb,text)', 'void', 'granted'),
    ('steward.current_root()', 'bytea', 'granted'),
    ('steward.decrypt_column(regclass,name,text)', 'void', 'granted'),
    ('steward.decrypt_column_online(regclass,name,text,integer,interval,boolean,text)', '', 'granted'),
    ('steward.destroy_key_version(text,integer,boolean)', 'void', 'granted'),
    ('steward.diff(regclass,timestamp with time zone,timestamp with time zone)', 'SETOF record', 'granted'),
    ('steward.disable_audit(regclass)', 'void', 'granted'),
    ('steward.drop_policy(text)', 'void', 'granted'),
    ('steward.enable_audit(regclass,name[],name[],jsonb,text,boolean)', 'void', 'granted'),
    ('steward.encrypt_column(regclass,name,text)', 'void', 'granted'),
    ('steward.encrypt_column_online(regclass,name,text,integer,interval,boolean,text)', '', 'granted'),
    ('steward.encrypted_text_ilike(steward.encrypted_text,text)', 'boolean', 'all'),
    ('steward.encrypted_text_like(steward.encrypted_text,text)', 'boolean', 'all'),
    ('steward.encrypted_text_not_ilike(steward.encrypted_text,text)', 'boolean', 'all'),
    ('steward.encrypted_text_not_like(steward.encrypted_text,text)', 'boolean', 'all'),
    ('steward.encrypted_text_trigram_query(internal,internal,internal)', 'void', 'granted'),
    ('steward.encrypted_text_trigram_tags(internal,internal,internal)', 'void', 'granted'),
    ('steward.encrypted_typanalyze(internal)', 'boolean', 'all'),
    ('steward.encrypted_unique_options(internal)', 'void', 'granted'),
    ('steward.exempt_role(regrole,text)', 'void', 'granted'),
    ('steward.export_ledger(integer,bigint,bigint)', 'SETOF record', 'granted'),
    ('steward.feed_leaves(bigint,integer,integer)', 'SETOF record', 'granted'),
    ('steward.feed_lines(bigint,integer,integer)', 'SETOF record', 'granted'),
    ('steward.finish_erasure(bigint)', '', 'granted'),
    ('steward.grant_key(text,regrole,text)', 'void', 'granted'),
    ('steward.guard_ddl()', 'event_trigger', 'granted'),
    ('steward.guard_ddl_start()', 'event_trigger', 'granted'),
    ('steward.has_key_privilege(regrole,text,text)', 'boolean', 'all'),
    ('steward.has_key_privilege(text,text)', 'boolean', 'all'),
    ('steward.history(regclass,jsonb)', 'SETOF record', 'granted'),
    ('steward.hold_keeps(bigint,regclass,record)', 'boolean', 'all'),
    ('steward.hold_problem(bigint)', 'text', 'all'),
    ('steward.import_access(bigint)', 'bigint', 'granted'),
    ('steward.is_anonymous(text,text,text)', 'boolean', 'all'),
    ('steward.key_changed()', 'trigger', 'granted'),
    ('steward.leakage_report(regclass)', 'TABLE(aspect text, value text, meaning text)', 'all'),
    ('steward.ledger_checkpoint(integer)', 'text', 'granted'),
    ('steward.ledger_verifier_key(integer)', 'text', 'granted'),
    ('steward.next_runs(text,text,timestamp with time zone,integer)', 'SETOF timestamp with time zone', 'all'),
    ('steward.pause_policy(text)', 'boolean', 'granted'),
    ('steward.place_hold(regclass,text,text)', 'bigint', 'granted'),
    ('steward.plain_eq(bigint,bigint)', 'boolean', 'all'),
    ('steward.plain_eq(bytea,bytea)', 'boolean', 'all'),
    ('steward.plain_eq(date,date)', 'boolean', 'all'),
    ('steward.plain_eq(integer,integer)', 'boolean', 'all'),
    ('steward.plain_eq(jsonb,jsonb)', 'boolean', 'all'),
    ('steward.plain_eq(numeric,numeric)', 'boolean', 'all'),
    ('steward.plain_eq(smallint,smallint)', 'boolean', 'all'),
    ('steward.plain_eq(text,text)', 'boolean', 'all'),
    ('steward.plain_eq(timestamp with time zone,timestamp with time zone)', 'boolean', 'all'),
    ('steward.policy_cutoff(interval,text,timestamp with time zone)', 'timestamp with time zone', 'all'),
    ('steward.policy_visible(regclass)', 'boolean', 'all'),
    ('steward.preview_policy(text)', 'SETOF record', 'granted'),
    ('steward.prove(integer,xid8,integer)', 'text', 'granted'),
    ('steward.prove_consistency(bigint,bigint,integer)', 'text', 'granted'),
    ('steward.prune_audit(timestamp with time zone)', 'integer', 'granted'),
    ('steward.prune_certificate(integer)', 'text', 'granted'),
    ('steward.receipt_leaf(bigint,text,text[],text)', 'bytea', 'granted'),
    ('steward.receipt_root(bytea[])', 'bytea', 'all'),
    ('steward.reencrypt(regclass,integer,bigint,bigint)', '', 'granted'),
    ('steward.resume_policy(text)', 'boolean', 'granted'),
    ('steward.release_hold(bigint,text)', 'void', 'granted'),
    ('steward.retire_index_secrets(text)', 'integer', 'granted'),
    ('steward.revert(xid8,boolean)', 'SETOF record', 'granted'),
    ('steward.revoke_context_key(text)', 'void', 'granted'),
    ('steward.revoke_key(text,regrole,text)', 'void', 'granted'),
    ('steward.rotate_index_secret(text)', 'integer', 'granted'),
    ('steward.rotate_key(text)', 'integer', 'granted'),
    ('steward.rotate_root_key(bigint,bigint)', '', 'granted'),
    ('steward.run_policy(text,bigint)', '', 'granted'),
    ('steward.seal_ledger()', 'bigint', 'granted'),
    ('steward.set_context(text,text,text,text,timestamp with time zone,bytea)', 'void', 'all'),
    ('steward.shred_subject(text,text)', 'boolean', 'granted'),
    ('steward.stop_audit_access(regclass)', 'void', 'granted'),
    ('steward.stop_audit_access_label(text)', 'void', 'granted'),
    ('steward.subject_key_changed()', 'trigger', 'granted'),
    ('steward.switch_segment(interval,bigint,bigint)', '', 'granted'),
    ('steward.take_coverage_baseline()', 'bigint', 'granted'),
    ('steward.typmod_in(cstring[])', 'integer', 'all'),
    ('steward.typmod_out(integer)', 'cstring', 'all'),
    ('steward.unbind_subject(regclass)', 'void', 'granted'),
    ('steward.verify_column(regclass,text)', 'TABLE(found_in regclass, row_id tid, part text, finding text, detail text)', 'all'),
    ('steward.verify_ledger(bigint,text)', 'SETOF record', 'granted'),
    ('steward.verify_receipt(bigint)', 'SETOF record', 'granted'),
    ('steward.verify_ledger_block(integer,bigint)', 'SETOF record', 'granted')
    UNION ALL
    SELECT replace(replace(f.signature, '<type>', t.type), '<plain>', t.plain),
           replace(replace(f.result, '<type>', t.type), '<plain>', t.plain), f.who
      FROM encrypted_type AS t, (VALUES
    ('steward.decrypt(steward.encrypted_<type>)', '<plain>', 'all'),
    ('steward.decrypt_or_null(steward.encrypted_<type>)', '<plain>', 'all'),
    ('steward.decrypt_or_null(steward.encrypted_<type>[])', '<plain>[]', 'all'),
    ('steward.encrypt_<type>(<plain>,text)', 'steward.encrypted_<type>', 'all'),
    ('steward.encrypted_<type>(steward.encrypted_<type>,integer,boolean)', 'steward.encrypted_<type>', 'all'),
    ('steward.encrypted_<type>_canonical(internal,internal)', 'void', 'granted'),
    ('steward.encrypted_<type>_cmp(steward.encrypted_<type>,steward.encrypted_<type>)', 'integer', 'all'),
    ('steward.encrypted_<type>_eq(steward.encrypted_<type>,steward.encrypted_<type>)', 'boolean', 'all'),
    ('steward.encrypted_<type>_ge(steward.encrypted_<type>,steward.encrypted_<type>)', 'boolean', 'all'),
    ('steward.encrypted_<type>_gt(steward.encrypted_<type>,steward.encrypted_<type>)', 'boolean', 'all'),
    ('steward.encrypted_<type>_hash(steward.encrypted_<type>)', 'integer', 'all'),
    ('steward.encrypted_<type>_hash_extended(steward.encrypted_<type>,bigint)', 'bigint', 'granted'),
    ('steward.encrypted_<type>_in(cstring,oid,integer)', 'steward.encrypted_<type>', 'all'),
    ('steward.encrypted_<type>_le(steward.encrypted_<type>,steward.encrypted_<type>)', 'boolean', 'all'),
    ('steward.encrypted_<type>_lt(steward.encrypted_<type>,steward.encrypted_<type>)', 'boolean', 'all'),
    ('steward.encrypted_<type>_ne(steward.encrypted_<type>,steward.encrypted_<type>)', 'boolean', 'all'),
    ('steward.encrypted_<type>_out(steward.encrypted_<type>)', 'cstring', 'all'),
    ('steward.encrypted_<type>_recv(internal,oid,integer)', 'steward.encrypted_<type>', 'all'),
    ('steward.encrypted_<type>_send(steward.encrypted_<type>)', 'bytea', 'all'),
    ('steward.encrypted_<type>_sort_support(internal)', 'void', 'granted'),
    ('steward.encrypted_<type>_tag_cmp(steward.encrypted_<type>,steward.encrypted_<type>)', 'integer', 'granted'),
    ('steward.encrypted_<type>_under(steward.encrypted_<type>,integer)', 'steward.encrypted_<type>', 'all'),
    ('steward.encrypted_<type>_under(steward.encrypted_<type>[],integer)', 'steward.encrypted_<type>[]', 'all')
      ) AS f (signature, result, who)
    UNION ALL
    SELECT 'steward.decrypt_as_text(steward.encrypted_' || type || ')', 'text', 'all' FROM encrypted_type WHERE type <> 'text'
    UNION ALL
    SELECT format('steward.encrypted_%s(%s,integer,boolean)', type, source), 'steward.encrypted_' || type, 'all' FROM encrypts
    UNION ALL
    SELECT format('steward.encrypted_%s_canonical_%s(internal,internal)', type, (SELECT typname FROM pg_type WHERE oid = plain::regtype)), 'void', 'granted' FROM compares
    UNION ALL
    SELECT format('steward.encrypted_%s_range_%s(internal,internal,internal)', type, role), 'void', 'granted'
      FROM encrypted_type, unnest(ARRAY['tags', 'query']) AS role WHERE type IN ('bigint', 'numeric', 'date', 'timestamptz')
    UNION ALL
    SELECT format('steward.encrypted_%s_%s(%s,%s)', c.type, o.name, s.sides[1], s.sides[2]), 'boolean', 'all'
      FROM compares AS c, unnest(ARRAY['lt', 'le', 'ge', 'gt']) AS o (name), LATERAL (VALUES (ARRAY['steward.encrypted_' || c.type, c.plain]), (ARRAY[c.plain, 'steward.encrypted_' || c.type])) AS s (sides)
     WHERE c.type IN ('bigint', 'numeric', 'date', 'timestamptz')
    UNION ALL
    SELECT replace(replace(f.signature, '<type>', c.type), '<plain>', c.plain), f.result, f.who
      FROM compares AS c, (VALUES
    ('steward.encrypted_<type>_eq(steward.encrypted_<type>,<plain>)', 'boolean', 'all'),
    ('steward.encrypted_<type>_eq(<plain>,steward.encrypted_<type>)', 'boolean', 'all'),
    ('steward.encrypted_<type>_ne(steward.encrypted_<type>,<plain>)', 'boolean', 'all'),
    ('steward.encrypted_<type>_ne(<plain>,steward.encrypted_<type>)', 'boolean', 'all'),
    ('steward.encrypted_<type>_tag_cmp(steward.encrypted_<type>,<plain>)', 'integer', 'granted'),
    ('steward.encrypted_<type>_tag_cmp(<plain>,<plain>)', 'integer', 'granted'),
    ('steward.plain_<type>_hash(<plain>)', 'integer', 'granted'),
    ('steward.plain_<type>_hash_extended(<plain>,bigint)', 'bigint', 'granted')
      ) AS f (signature, result, who)
$$, 'functions, their results, and whether everybody may call them');

SELECT set_eq($$
    SELECT c.oid::regclass::text, c.relkind::text
      FROM pg_class AS c
      JOIN member AS m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
$$, $$ VALUES
    ('steward.access_label', 'r'),
    ('steward.access_rule', 'r'),
    ('steward.access_spool', 'r'),
    ('steward.access_trail', 'v'),
    ('steward.active_hold', 'v'),
    ('steward.audit_context', 'r'),
    ('steward.audit_exempt', 'v'),
    ('steward.audit_exemption', 'r'),
    ('steward.audit_incarnation', 'r'),
    ('steward.audit_incarnation_id', 'S'),
    ('steward.audit_log', 'p'),
    ('steward.audit_record', 'v'),
    ('steward.audit_schema', 'r'),
    ('steward.audit_schema_id', 'S'),
    ('steward.audit_segment', 'r'),
    ('steward.audit_segment_closed', 'r'),
    ('steward.audit_setting', 'v'),
    ('steward.audit_trail', 'v'),
    ('steward.column_conversion', 'r'),
    ('steward.column_progress', 'v'),
    ('steward.context_key', 'r'),
    ('steward.coverage_baseline', 'r'),
    ('steward.ddl_trail', 'v'),
    ('steward.event_trail', 'v'),
    ('steward.hold', 'r'),
    ('steward.hold_id_seq', 'S'),
    ('steward.key', 'r'),
    ('steward.key_destruction', 'r'),
    ('steward.key_grant', 'r'),
    ('steward.key_grantee', 'r'),
    ('steward.key_privilege', 'v'),
    ('steward.key_secret', 'r'),
    ('steward.key_status', 'v'),
    ('steward.key_version', 'r'),
    ('steward.ledger_block', 'r'),
    ('steward.ledger_checkpoint', 'r'),
    ('steward.ledger_fork', 'r'),
    ('steward.ledger_key', 'r'),
    ('steward.ledger_opening', 'r'),
    ('steward.ledger_prune', 'r'),
    ('steward.ledger_pruned_leaf', 'r'),
    ('steward.ledger_tile', 'r'),
    ('steward.pending_erasure', 'v'),
    ('steward.policy', 'v'),
    ('steward.policy_child', 'r'),
    ('steward.policy_definition', 'r'),
    ('steward.policy_detached', 'r'),
    ('steward.policy_progress', 'v'),
    ('steward.policy_receipt', 'r'),
    ('steward.policy_run', 'v'),
    ('steward.policy_run_batch', 'v'),
    ('steward.policy_run_log', 'r'),
    ('steward.policy_run_log_id_seq', 'S'),
    ('steward.policy_state', 'r'),
    ('steward.realm', 'r'),
    ('steward.reencryption', 'r'),
    ('steward.reencryption_id_seq', 'S'),
    ('steward.reencryption_progress', 'v'),
    ('steward.revocation_adoption', 'r'),
    ('steward.revocation_known', 'r'),
    ('steward.root', 'r'),
    ('steward.shred_horizon', 'v'),
    ('steward.subject_binding', 'v'),
    ('steward.subject_key', 'r'),
    ('steward.value_count', 'r')
$$, 'tables, views and sequences');

SELECT set_eq($$
    SELECT pg_describe_object(m.classid, m.objid, 0)
      FROM member AS m
     WHERE m.classid NOT IN ('pg_proc'::regclass, 'pg_class'::regclass)
$$, $$ VALUES
    ('access method blind'),
    ('cast from character varying to steward.encrypted_text'),
    ('event trigger steward_audit_append_only'),
    ('event trigger steward_ddl_command'),
    ('event trigger steward_ddl_drop'),
    ('event trigger steward_ddl_rewrite'),
    ('event trigger steward_guard_ddl'),
    ('event trigger steward_guard_ddl_start'),
    ('operator !~~(steward.encrypted_text,text)'),
    ('operator !~~*(steward.encrypted_text,text)'),
    ('operator ~~(steward.encrypted_text,text)'),
    ('operator ~~*(steward.encrypted_text,text)'),
    ('operator steward.==(bigint,bigint)'),
    ('operator steward.==(bytea,bytea)'),
    ('operator steward.==(date,date)'),
    ('operator steward.==(integer,integer)'),
    ('operator steward.==(jsonb,jsonb)'),
    ('operator steward.==(numeric,numeric)'),
    ('operator steward.==(smallint,smallint)'),
    ('operator steward.==(text,text)'),
    ('operator steward.==(timestamp with time zone,timestamp with time zone)')
    UNION ALL
    SELECT replace(o.object, '<type>', t.type)
      FROM encrypted_type AS t, (VALUES
    ('cast from steward.encrypted_<type> to character'),
    ('cast from steward.encrypted_<type> to character varying'),
    ('cast from steward.encrypted_<type> to steward.encrypted_<type>'),
    ('cast from steward.encrypted_<type> to text'),
    ('operator <(steward.encrypted_<type>,steward.encrypted_<type>)'),
    ('operator <=(steward.encrypted_<type>,steward.encrypted_<type>)'),
    ('operator <>(steward.encrypted_<type>,steward.encrypted_<type>)'),
    ('operator =(steward.encrypted_<type>,steward.encrypted_<type>)'),
    ('operator >(steward.encrypted_<type>,steward.encrypted_<type>)'),
    ('operator >=(steward.encrypted_<type>,steward.encrypted_<type>)'),
    ('operator class steward.encrypted_<type>_ops for access method blind'),
    ('operator class steward.encrypted_<type>_ops for access method btree'),
    ('operator class steward.encrypted_<type>_ops for access method hash'),
    ('operator family steward.encrypted_<type>_ops for access method blind'),
    ('operator family steward.encrypted_<type>_ops for access method btree'),
    ('operator family steward.encrypted_<type>_ops for access method hash'),
    ('type steward.encrypted_<type>')
      ) AS o (object)
    UNION ALL
    SELECT format('operator %s steward.encrypted_%sunique_ops for access method btree', kind, CASE WHEN type <> 'text' THEN type || '_' END)
      FROM encrypted_type, unnest(ARRAY['class', 'family']) AS kind
    UNION ALL
    SELECT format('cast from steward.encrypted_%s to %s', type, plain) FROM encrypted_type WHERE type <> 'text'
    UNION ALL
    SELECT format('cast from %s to steward.encrypted_%s', source, type) FROM encrypts
    UNION ALL
    SELECT format('operator %s steward.blind_%s_ops for access method blind', kind, name)
      FROM unnest(ARRAY['class', 'family']) AS kind, unnest(ARRAY['trigram', 'bigint_range', 'numeric_range', 'date_range', 'timestamptz_range']) AS name
    UNION ALL
    SELECT format('operator %s(%s,%s)', o.name, s.sides[1], s.sides[2])
      FROM compares AS c, unnest(ARRAY['<', '<=', '>=', '>']) AS o (name), LATERAL (VALUES (ARRAY['steward.encrypted_' || c.type, c.plain]), (ARRAY[c.plain, 'steward.encrypted_' || c.type])) AS s (sides)
     WHERE c.type IN ('bigint', 'numeric', 'date', 'timestamptz')
    UNION ALL
    SELECT replace(replace(o.object, '<type>', c.type), '<plain>', c.plain)
      FROM compares AS c, (VALUES
    ('operator <>(steward.encrypted_<type>,<plain>)'),
    ('operator <>(<plain>,steward.encrypted_<type>)'),
    ('operator =(steward.encrypted_<type>,<plain>)'),
    ('operator =(<plain>,steward.encrypted_<type>)')
      ) AS o (object)
$$, 'types, casts, operators, operator classes, an access method, event triggers');

SELECT set_eq($$
    SELECT c::regclass::text
      FROM pg_extension AS e, unnest(e.extconfig) AS c
     WHERE e.extname = 'pg_steward'
$$, $$ VALUES
    ('steward.access_label'),
    ('steward.access_rule'),
    ('steward.audit_context'),
    ('steward.audit_exemption'),
    ('steward.audit_incarnation'),
    ('steward.audit_incarnation_id'),
    ('steward.audit_schema'),
    ('steward.audit_schema_id'),
    ('steward.audit_segment'),
    ('steward.audit_segment_closed'),
    ('steward.column_conversion'),
    ('steward.context_key'),
    ('steward.hold'),
    ('steward.hold_id_seq'),
    ('steward.key'),
    ('steward.key_destruction'),
    ('steward.key_grant'),
    ('steward.key_secret'),
    ('steward.key_version'),
    ('steward.ledger_block'),
    ('steward.ledger_checkpoint'),
    ('steward.ledger_fork'),
    ('steward.ledger_key'),
    ('steward.ledger_opening'),
    ('steward.ledger_prune'),
    ('steward.ledger_pruned_leaf'),
    ('steward.ledger_tile'),
    ('steward.policy_child'),
    ('steward.policy_definition'),
    ('steward.policy_detached'),
    ('steward.policy_receipt'),
    ('steward.policy_run_log'),
    ('steward.policy_run_log_id_seq'),
    ('steward.policy_state'),
    ('steward.realm'),
    ('steward.reencryption'),
    ('steward.reencryption_id_seq'),
    ('steward.revocation_adoption'),
    ('steward.revocation_known'),
    ('steward.root'),
    ('steward.subject_key')
$$, 'tables whose rows a dump of the database holds');

SELECT is_empty($$
    SELECT pg_describe_object(m.classid, m.objid, 0)
      FROM member AS m, pg_identify_object(m.classid, m.objid, 0) AS o
     WHERE o.schema <> 'steward' AND m.classid <> 'pg_operator'::regclass
$$, 'everything is in schema steward, but for operators, which every search_path must find');

-- --------------------------------------------------------------- comments --

SELECT is_empty($$
    SELECT pg_describe_object(m.classid, m.objid, 0)
      FROM member AS m
     WHERE coalesce(obj_description(m.objid, m.classid::regclass::name), '') = ''
$$, 'every object has a comment');

SELECT isnt(obj_description(oid, 'pg_extension'), NULL, 'so has the extension')
  FROM pg_extension WHERE extname = 'pg_steward';

SELECT is_empty($$
    SELECT p.oid::regprocedure
      FROM pg_proc AS p
      JOIN member AS m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
     WHERE p.pronargs > 0 AND p.proargnames IS NULL
       -- support functions of types, operators and operator classes are not called by name
       AND p.proname !~ '^(typmod_(in|out)|encrypted_typanalyze|encrypted_unique_options|blind_handler|blind_(eq|neq|range|like)sel|encrypted_[a-z]+_canonical(_[a-z0-9]+)?|encrypted_[a-z]+_(range|trigram)_(tags|query)|encrypted_[a-z]+_(in|out|recv|send|sort_support)|encrypted_[a-z]+_(tag_)?(eq|ne|lt|le|ge|gt|cmp)|(encrypted|plain)_[a-z]+_hash(_extended)?|plain_eq)$'
$$, 'functions that are called by name have named arguments');

-- ------------------------------------------------------------- privileges --

SELECT is_empty($$
    SELECT c.oid::regclass, a.privilege_type
      FROM pg_class AS c
      JOIN member AS m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid,
           aclexplode(coalesce(c.relacl, acldefault((CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char", c.relowner))) AS a
     WHERE a.grantee <> c.relowner
$$, 'nobody but the owner has a privilege on a table, view or sequence');

SELECT is_empty($$
    SELECT c.oid::regclass, t.attname
      FROM pg_class AS c
      JOIN member AS m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
      JOIN pg_attribute AS t ON t.attrelid = c.oid
     WHERE t.attacl IS NOT NULL
$$, 'nor on a column');

SELECT is_empty($$
    SELECT p.oid::regprocedure
      FROM pg_proc AS p
      JOIN member AS m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
     WHERE p.provolatile = 'v' AND has_function_privilege('public', p.oid, 'EXECUTE')
       -- whom the guard lets attach it is another matter
       AND p.proname NOT IN ('bind_row', 'audit_row')
       -- it says something of one's own transaction, and gives no right
       AND p.proname <> 'set_context'
       -- these are volatile because no two ciphertexts are alike; they change nothing
       AND p.proname NOT IN (SELECT unnest(ARRAY['encrypt_' || type, 'encrypted_' || type]) FROM encrypted_type)
$$, 'what changes something is not for everybody');

SELECT is_empty($$
    SELECT p.oid::regprocedure
      FROM pg_proc AS p
      JOIN member AS m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
     WHERE p.prosecdef
$$, 'no function runs with its owner''s rights by declaration');

SELECT is_empty($$
    SELECT p.oid::regprocedure
      FROM pg_proc AS p
      JOIN member AS m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
      JOIN pg_language AS l ON l.oid = p.prolang
     WHERE l.lanname NOT IN ('c', 'internal') AND p.prosqlbody IS NULL
       AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS c WHERE c LIKE 'search_path=%')
$$, 'functions in other languages than C have a search_path of their own');

SELECT ok(has_schema_privilege('public', 'steward', 'USAGE') AND NOT has_schema_privilege('public', 'steward', 'CREATE'),
          'everybody may use the schema, nobody may add to it');

SELECT ok(NOT extrelocatable, 'the extension cannot be moved')
  FROM pg_extension WHERE extname = 'pg_steward';

SELECT * FROM finish();
ROLLBACK;
