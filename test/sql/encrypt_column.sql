--
-- Turning a plaintext column into an encrypted one and back: at once and online.
--
SET client_min_messages = warning;
\set SHOW_CONTEXT never
SELECT steward.create_key('ec_key');
CREATE ROLE ec_owner;
CREATE ROLE ec_reader;
GRANT CREATE, USAGE ON SCHEMA public TO ec_owner;

-- ---- what a column has stays, at once and online ----

CREATE FUNCTION ec_make(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format($f$
        CREATE TABLE %1$I (id int PRIMARY KEY, gone int, mail varchar(40) NOT NULL DEFAULT 'none', note text);
        ALTER TABLE %1$I DROP COLUMN gone;
        INSERT INTO %1$I SELECT n, 'm' || n, CASE n %% 3 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE repeat(md5(n::text), 200) END
        FROM generate_series(1, 300) AS n;
        ALTER TABLE %1$I ALTER COLUMN mail SET STATISTICS 7;
        ALTER TABLE %1$I ALTER COLUMN mail SET COMPRESSION pglz;
        ALTER TABLE %1$I ALTER COLUMN mail SET (n_distinct = -0.5);
        COMMENT ON COLUMN %1$I.mail IS 'the mail';
        GRANT SELECT (id, mail), UPDATE (mail) ON %1$I TO ec_reader;
        CREATE UNIQUE INDEX %1$s_mail ON %1$I (mail) WITH (fillfactor = 70);
        CREATE INDEX %1$s_many ON %1$I (id DESC, mail) INCLUDE (note) WHERE mail IS NOT NULL AND id > 5;
        COMMENT ON INDEX %1$s_mail IS 'the index';
        ALTER TABLE %1$I CLUSTER ON %1$s_mail;
        CREATE VIEW %1$s_v AS SELECT id, mail FROM %1$I WHERE mail IS NOT NULL;
        CREATE VIEW %1$s_w WITH (security_barrier, security_invoker = true) AS
            SELECT v.id, t.note, v.mail AS address FROM %1$s_v AS v JOIN %1$I AS t USING (id);
        COMMENT ON VIEW %1$s_w IS 'the view';
        COMMENT ON COLUMN %1$s_w.address IS 'the address';
        GRANT SELECT ON %1$s_w TO ec_reader;
        GRANT UPDATE (address) ON %1$s_w TO ec_reader WITH GRANT OPTION;
        $f$, name);
    EXECUTE format('ANALYZE %I', name);
END
$$;

-- All that is to be the same before and after, but for types and operator classes.
CREATE FUNCTION ec_look(name text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(' ', 'column', attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid),
        coalesce(nullif(attstattarget, -1), -1), (SELECT array_agg(o) FROM unnest(attoptions) AS o WHERE o ~ '^n_distinct'), nullif(attcompression, ''), attacl, col_description(attrelid, attnum))
    FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attrelid = name::regclass AND attnum > 0 AND NOT attisdropped AND attname IN ('mail', 'note')
UNION ALL
    SELECT concat_ws(' ', pg_get_indexdef(indexrelid), indisclustered, obj_description(indexrelid, 'pg_class'))
    FROM pg_index WHERE indrelid = name::regclass
UNION ALL
    SELECT concat_ws(' ', 'view', c.relname, c.reloptions,
        (SELECT string_agg(concat_ws(' ', grantee::regrole, privilege_type, is_grantable), ', ') FROM aclexplode(c.relacl) WHERE grantee <> c.relowner), c.relowner::regrole, obj_description(c.oid, 'pg_class'),
        (SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attacl, col_description(attrelid, attnum)), ', ' ORDER BY attnum)
         FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0))
    FROM pg_class AS c WHERE relname IN (name || '_v', name || '_w')
UNION ALL
    SELECT concat_ws(' ', 'statistics', attname) FROM pg_stats WHERE tablename = name AND attname = 'mail'
UNION ALL
    SELECT concat_ws(' ', 'leftover', conname) FROM pg_constraint WHERE conrelid = name::regclass AND contype NOT IN ('p', 'n')
UNION ALL
    SELECT concat_ws(' ', 'leftover', tgname) FROM pg_trigger WHERE tgrelid = name::regclass
ORDER BY 1
$$;

SELECT ec_make('ec_now');
SELECT * FROM ec_look('ec_now');
CREATE TABLE ec_before AS SELECT id, mail, note FROM ec_now;
SELECT steward.encrypt_column('ec_now', 'mail', 'ec_key/mail');
SELECT * FROM ec_look('ec_now');
SELECT count(*), bool_and(a.mail::text = b.mail) AS same FROM ec_now AS a JOIN ec_before AS b USING (id);
SELECT id FROM ec_now WHERE mail = 'm7';
SELECT id, note, address::text FROM ec_now_w WHERE id = 7;
INSERT INTO ec_now (id) VALUES (0) RETURNING mail::text;
\set VERBOSITY terse
INSERT INTO ec_now (id, mail) VALUES (-1, 'm7');
\set VERBOSITY default
DELETE FROM ec_now WHERE id = 0;
SELECT steward.decrypt_column('ec_now', 'mail', 'varchar(40)');
SELECT * FROM ec_look('ec_now');
SELECT count(*), bool_and(a.mail = b.mail) AS same FROM ec_now AS a JOIN ec_before AS b USING (id);

-- Online. It needs an index on the shadow first, which somebody has to make.
SELECT ec_make('ec_on');
SELECT * FROM ec_look('ec_on');
SET client_min_messages = notice;
CALL steward.encrypt_column_online('ec_on', 'mail', 'ec_key/mail');
SET client_min_messages = warning;
SELECT relation, "column", direction, phase, rows_done, rows_total, pid, started_by = session_user AS by_us FROM steward.column_progress;
-- Whatever is written meanwhile is in step, whoever writes what.
INSERT INTO ec_on (id, mail, note) VALUES (301, 'new', 'n'), (302, 'x', 'n');
INSERT INTO ec_on (id, mail, steward_mail) VALUES (303, 'hers', 'forged'::text);
UPDATE ec_on SET mail = 'changed' WHERE id = 302;
UPDATE ec_on SET note = 'other' WHERE id = 5;
UPDATE ec_on SET steward_mail = 'forged'::text WHERE id = 6;
UPDATE ec_on SET steward_mail = NULL WHERE id = 7;
\set VERBOSITY terse
UPDATE ec_on SET mail = NULL WHERE id = 8;
\set VERBOSITY default
SELECT count(*), bool_and(steward_mail::text = mail) AS in_step FROM ec_on;
-- Neither column can go or change its type.
ALTER TABLE ec_on DROP COLUMN mail;
ALTER TABLE ec_on DROP COLUMN steward_mail;
ALTER TABLE ec_on ALTER COLUMN mail TYPE text;
-- At once it is refused, and so is another conversion of the table.
SELECT steward.encrypt_column('ec_on', 'note', 'ec_key/note');
CALL steward.encrypt_column_online('ec_on', 'note', 'ec_key/note');
CALL steward.decrypt_column_online('ec_on', 'mail');
CALL steward.encrypt_column_online('ec_on', 'mail', 'ec_key/other');
CREATE UNIQUE INDEX CONCURRENTLY ON ec_on USING btree (steward_mail steward.encrypted_unique_ops) WITH (fillfactor = '70');
-- A renamed column stays the one that is converted.
ALTER TABLE ec_on RENAME COLUMN mail TO post;
CALL steward.encrypt_column_online('ec_on', 'mail', 'ec_key/mail', build_indexes => true);
CALL steward.encrypt_column_online('ec_on', 'post', 'ec_key/mail', build_indexes => true);
ALTER TABLE ec_on RENAME COLUMN post TO mail;
SELECT * FROM ec_look('ec_on');
SELECT count(*) FROM steward.column_conversion;
DELETE FROM ec_on WHERE id IN (301, 302, 303);
SELECT count(*), bool_and(a.mail::text = b.mail) AS same, bool_and(a.note IS NOT DISTINCT FROM b.note) AS rest
FROM ec_on AS a JOIN ec_before AS b USING (id) WHERE id <> 5;
SELECT id, note, address::text FROM ec_on_w WHERE id = 7;
-- No trace of the old values' statistics is left in the catalog.
SELECT count(*) FROM pg_statistic WHERE starelid = 'ec_on'::regclass
    AND staattnum NOT IN (SELECT attnum FROM pg_attribute WHERE attrelid = 'ec_on'::regclass AND NOT attisdropped);
CALL steward.decrypt_column_online('ec_on', 'mail', 'varchar(40)', build_indexes => true);
SELECT * FROM ec_look('ec_on');
SELECT count(*), bool_and(a.mail = b.mail) AS same FROM ec_on AS a JOIN ec_before AS b USING (id);

-- ---- giving up ----

SELECT steward.abort_column_conversion('ec_on');
CALL steward.encrypt_column_online('ec_on', 'mail', 'ec_key/mail');
SELECT steward.abort_column_conversion('ec_on');
SELECT * FROM ec_look('ec_on') WHERE ec_look ~ '^(column|leftover)';
SELECT count(*) FROM steward.column_conversion;
-- Also what somebody has damaged.
CALL steward.encrypt_column_online('ec_on', 'mail', 'ec_key/mail');
ALTER TABLE ec_on DISABLE TRIGGER "~~~steward_column_step";
CALL steward.encrypt_column_online('ec_on', 'mail', 'ec_key/mail');
ALTER TABLE ec_on ENABLE TRIGGER "~~~steward_column_step";
UPDATE ec_on SET mail = 'y' WHERE id = 1;
DROP TRIGGER "~~~steward_column_step" ON ec_on;
CALL steward.encrypt_column_online('ec_on', 'mail', 'ec_key/mail');
SELECT steward.abort_column_conversion('ec_on');
SELECT * FROM ec_look('ec_on') WHERE ec_look ~ '^(column|leftover)';
CALL steward.encrypt_column_online('ec_on', 'mail', 'ec_key/mail');
CREATE FUNCTION ec_nothing() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.mail := 'late'; RETURN NEW; END$$;
-- A trigger that would fire after ours is not waited for.
CREATE TRIGGER "~~~~late" BEFORE UPDATE ON ec_on FOR EACH ROW EXECUTE FUNCTION ec_nothing();
UPDATE ec_on SET mail = 'y' WHERE id = 1;
DROP TRIGGER "~~~~late" ON ec_on;
-- One that fires before it is.
CREATE TRIGGER early BEFORE UPDATE ON ec_on FOR EACH ROW EXECUTE FUNCTION ec_nothing();
UPDATE ec_on SET note = 'x' WHERE id = 1 RETURNING mail, steward_mail::text;
DROP TRIGGER early ON ec_on;
-- Disabled and enabled again: what was written between is found and mended.
ALTER TABLE ec_on DISABLE TRIGGER "~~~steward_column_step";
UPDATE ec_on SET mail = 'unseen' WHERE id = 2;
ALTER TABLE ec_on ENABLE ALWAYS TRIGGER "~~~steward_column_step";
SELECT mail, steward_mail::text FROM ec_on WHERE id = 2;
CALL steward.encrypt_column_online('ec_on', 'mail', 'ec_key/mail', build_indexes => true);
SELECT mail::text FROM ec_on WHERE id = 2;
SELECT steward.decrypt_column('ec_on', 'mail');
SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'ec_on'::regclass AND attname = 'mail';

-- A run that goes on in a later phase opens and compares every row again, wherever the one before stood.
CREATE TABLE ec_late (id int, v text);
INSERT INTO ec_late SELECT n, 'v' || n FROM generate_series(1, 300) AS n;
CREATE INDEX ec_late_v ON ec_late (v);
CALL steward.encrypt_column_online('ec_late', 'v', 'ec_key/v');
ALTER TABLE ec_late DISABLE TRIGGER "~~~steward_column_step";
UPDATE ec_late SET steward_v = NULL WHERE id = 1;
UPDATE ec_late SET v = 'unseen' WHERE id = 2;
ALTER TABLE ec_late ENABLE ALWAYS TRIGGER "~~~steward_column_step";
UPDATE steward.column_conversion SET phase = 'verifying', next_block = 1000000 WHERE relation = 'ec_late'::regclass;
CALL steward.encrypt_column_online('ec_late', 'v', 'ec_key/v', build_indexes => true);
SELECT count(*), count(v), string_agg(v::text, ' ' ORDER BY id) FILTER (WHERE id < 4) AS first FROM ec_late;
SELECT count(*) AS findings FROM steward.verify_column('ec_late', 'v');
SELECT steward.decrypt_column('ec_late', 'v');
SELECT count(*), count(v), string_agg(v, ' ' ORDER BY id) FILTER (WHERE id < 4) AS first FROM ec_late;
DROP TABLE ec_late;

-- ---- all types ----

CREATE TABLE ec_type (id int, a text, b varchar, c character(5), d name, e bytea, f jsonb, g bigint, h int, i smallint, j numeric, k numeric(8, 2), l date, m timestamptz);
INSERT INTO ec_type VALUES
    (1, 'Grüße', 'v', 'ab', 'n', '\x00ff', '{"b": 1.10, "a": [null, "x"]}', 9223372036854775807, -5, 7, 1.2300, 12.30, 'infinity', '2020-02-29 12:00:00.123456+02'),
    (2, '', '', '', '', '', '""', 0, 0, 0, 'NaN', 0, '4713-01-01 BC', '-infinity'),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO ec_type (id) SELECT n FROM generate_series(4, 40) AS n;
CREATE TABLE ec_plain AS SELECT * FROM ec_type;
CREATE FUNCTION ec_columns() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT attname || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute
    WHERE attrelid = 'ec_type'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attname
$$;
SET client_min_messages = error;
SELECT count(steward.encrypt_column('ec_type', c::text::name, 'ec_key/t.' || c)) FROM unnest(ARRAY['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm']) AS c;
SELECT * FROM ec_columns();
SELECT count(steward.decrypt_column('ec_type', c[1]::name, c[2])) FROM (VALUES (ARRAY['a', NULL]), ('{b,varchar}'), ('{c,character(5)}'), ('{d,name}'), ('{e,bytea}'), ('{f,NULL}'), ('{g,bigint}'),
    ('{h,int}'), ('{i,smallint}'), ('{j,numeric}'), ('{k,"numeric(8,2)"}'), ('{l,date}'), ('{m,NULL}')) AS v (c);
SELECT * FROM ec_columns();
-- As text, which shows more than equality does.
(SELECT t::text FROM ec_type AS t EXCEPT SELECT t::text FROM ec_plain AS t) UNION ALL (SELECT t::text FROM ec_plain AS t EXCEPT SELECT t::text FROM ec_type AS t);
CALL steward.encrypt_column_online('ec_type', 'a', 'ec_key/t.a');
CALL steward.encrypt_column_online('ec_type', 'b', 'ec_key/t.b');
CALL steward.encrypt_column_online('ec_type', 'c', 'ec_key/t.c');
CALL steward.encrypt_column_online('ec_type', 'd', 'ec_key/t.d');
CALL steward.encrypt_column_online('ec_type', 'e', 'ec_key/t.e');
CALL steward.encrypt_column_online('ec_type', 'f', 'ec_key/t.f');
CALL steward.encrypt_column_online('ec_type', 'g', 'ec_key/t.g');
CALL steward.encrypt_column_online('ec_type', 'h', 'ec_key/t.h');
CALL steward.encrypt_column_online('ec_type', 'i', 'ec_key/t.i');
CALL steward.encrypt_column_online('ec_type', 'j', 'ec_key/t.j');
CALL steward.encrypt_column_online('ec_type', 'k', 'ec_key/t.k');
CALL steward.encrypt_column_online('ec_type', 'l', 'ec_key/t.l');
CALL steward.encrypt_column_online('ec_type', 'm', 'ec_key/t.m');
SELECT * FROM ec_columns();
CALL steward.decrypt_column_online('ec_type', 'a');
CALL steward.decrypt_column_online('ec_type', 'b', 'varchar');
CALL steward.decrypt_column_online('ec_type', 'c', 'character(5)');
CALL steward.decrypt_column_online('ec_type', 'd', 'name');
CALL steward.decrypt_column_online('ec_type', 'e');
CALL steward.decrypt_column_online('ec_type', 'f');
CALL steward.decrypt_column_online('ec_type', 'g');
CALL steward.decrypt_column_online('ec_type', 'h', 'int');
CALL steward.decrypt_column_online('ec_type', 'i', 'smallint');
CALL steward.decrypt_column_online('ec_type', 'j');
CALL steward.decrypt_column_online('ec_type', 'k', 'numeric(8,2)');
CALL steward.decrypt_column_online('ec_type', 'l');
CALL steward.decrypt_column_online('ec_type', 'm');
(SELECT (id, a, b, c, d, e, f, g, h, i, j, k, l, m)::text FROM ec_type EXCEPT SELECT t::text FROM ec_plain AS t)
UNION ALL (SELECT t::text FROM ec_plain AS t EXCEPT SELECT (id, a, b, c, d, e, f, g, h, i, j, k, l, m)::text FROM ec_type);
SET client_min_messages = warning;

-- ---- what is warned of, and what is refused ----

CREATE TABLE ec_limit (a varchar(3), b int, c text COLLATE "POSIX", d text, e float8, f timestamp, g json, h text[], i uuid);
SELECT steward.encrypt_column('ec_limit', 'a', 'ec_key/x');
SELECT steward.encrypt_column('ec_limit', 'b', 'ec_key/x');
SELECT steward.encrypt_column('ec_limit', 'c', 'ec_key/x');
SELECT steward.encrypt_column('ec_limit', 'd', 'absent/x');
SELECT steward.encrypt_column('ec_limit', 'd', 'not a key');
SELECT steward.encrypt_column('ec_limit', 'e', 'ec_key/x');
SELECT steward.encrypt_column('ec_limit', 'f', 'ec_key/x');
SELECT steward.encrypt_column('ec_limit', 'g', 'ec_key/x');
SELECT steward.encrypt_column('ec_limit', 'h', 'ec_key/x');
SELECT steward.encrypt_column('ec_limit', 'i', 'ec_key/x');
SELECT steward.encrypt_column('ec_limit', 'a', 'ec_key/x');
SELECT steward.encrypt_column('ec_limit', 'none', 'ec_key/x');
SELECT steward.encrypt_column('ec_limit', 'ctid', 'ec_key/x');
SELECT steward.encrypt_column(0, 'a', 'ec_key/x');
SELECT steward.decrypt_column('ec_limit', 'd');
SELECT steward.decrypt_column('ec_limit', 'a', 'int');
SELECT steward.decrypt_column('ec_limit', 'a', 'nonsense');
-- A value that does not fit is an error that does not show it.
INSERT INTO ec_limit (a) VALUES ('secret');
SELECT steward.decrypt_column('ec_limit', 'a', 'varchar(3)');
CALL steward.decrypt_column_online('ec_limit', 'a', 'varchar(3)');
SELECT steward.abort_column_conversion('ec_limit');
-- Text that looks like ciphertext is not encrypted by mistake.
INSERT INTO ec_limit (d) VALUES ('stw1:not');
SELECT steward.encrypt_column('ec_limit', 'd', 'ec_key/x');
-- Subscribers are thought of.
SET client_min_messages = error;
CREATE PUBLICATION ec_published FOR TABLE ec_before;
SET client_min_messages = warning;
SELECT steward.encrypt_column('ec_before', 'note', 'ec_key/x');
DROP PUBLICATION ec_published;

-- ---- odd names ----

CREATE SCHEMA "Odd ""schema';--";
CREATE TABLE "Odd ""schema';--"."Odd ""table' %s" (id int, "a""b'c %s $1; --" text NOT NULL, "äääääääääääääääääääääääääääääää" text, "steward_äääääääääääääääääääääääääää" int);
INSERT INTO "Odd ""schema';--"."Odd ""table' %s" SELECT n, 'x' || n, 'y' || n, n FROM generate_series(1, 20) AS n;
CREATE UNIQUE INDEX "odd ""index' %s" ON "Odd ""schema';--"."Odd ""table' %s" ("a""b'c %s $1; --");
CREATE VIEW "Odd ""schema';--"."odd ""view' %s" AS SELECT "a""b'c %s $1; --" AS "q""r'" FROM "Odd ""schema';--"."Odd ""table' %s";
SELECT steward.encrypt_column('"Odd ""schema'';--"."Odd ""table'' %s"', 'a"b''c %s $1; --', 'ec_key/x');
SELECT steward.decrypt_column('"Odd ""schema'';--"."Odd ""table'' %s"', 'a"b''c %s $1; --');
CALL steward.encrypt_column_online('"Odd ""schema'';--"."Odd ""table'' %s"', 'a"b''c %s $1; --', 'ec_key/x', build_indexes => true);
CALL steward.encrypt_column_online('"Odd ""schema'';--"."Odd ""table'' %s"', 'äääääääääääääääääääääääääääääää', 'ec_key/y');
SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute
WHERE attrelid = '"Odd ""schema'';--"."Odd ""table'' %s"'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum;
SELECT min("q""r'"::text) FROM "Odd ""schema';--"."odd ""view' %s";
SELECT indexname FROM pg_indexes WHERE tablename ~ '^Odd';
DROP SCHEMA "Odd ""schema';--" CASCADE;

DROP OWNED BY ec_owner, ec_reader;
DROP TABLE ec_now, ec_on, ec_before, ec_type, ec_plain, ec_limit CASCADE;
DROP FUNCTION ec_make, ec_look, ec_nothing, ec_columns;
DROP ROLE ec_owner, ec_reader;
