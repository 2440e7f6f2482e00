"""What a record of every change costs the statement that makes the change.

Each variant has a template database; each run works in a fresh copy of it, so
that no run meets the log, the dead rows or the index depth of another.
"""
from dataclasses import dataclass
from typing import Optional

from harness import BenchError
from harness.report import number, ratio, spread

TITLE = "changes with and without audit"

FULL_ROWS = 200_000
SECONDS = 4
CLIENTS = (1, 4)
NONE = "no audit"
OURS = "pg_steward"

TABLE = """
CREATE TABLE source AS
    SELECT i::bigint AS id, (i % 5000)::integer AS customer_id, 'order ' || i AS title,
           (ARRAY['new', 'paid', 'sent', 'done'])[1 + i % 4] AS status,
           (i % 100000)::numeric / 100 AS amount, 1 + i % 9 AS quantity, i % 3 = 0 AS gift,
           date '2024-01-01' + i % 700 AS ordered,
           timestamptz '2024-01-01 00:00+00' + i * interval '1 minute' AS changed,
           left(md5(i::text), 20) AS note
    FROM generate_series(1, {rows}) AS i;
CREATE TABLE purchase (
    id bigint PRIMARY KEY, customer_id integer, title text, status text, amount numeric, quantity integer,
    gift boolean, ordered date, changed timestamptz, note text);
"""

EMPTY_TRIGGER = """
CREATE FUNCTION bench_empty_trigger() RETURNS trigger LANGUAGE c AS '{module}';
CREATE TRIGGER empty AFTER INSERT OR UPDATE OR DELETE ON purchase
    FOR EACH ROW EXECUTE FUNCTION bench_empty_trigger();
"""

# The trigger that most projects write for themselves or find on the web.
JSONB_TRIGGER = """
CREATE SCHEMA log;
CREATE TABLE log.change (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, relation regclass NOT NULL, operation text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(), changed_by text NOT NULL DEFAULT session_user,
    transaction xid8 NOT NULL DEFAULT pg_current_xact_id(), old_row jsonb, new_row jsonb);
CREATE FUNCTION log.record_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO log.change (relation, operation, old_row, new_row)
    VALUES (TG_RELID, TG_OP, CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END,
            CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END);
    RETURN NULL;
END
$$;
CREATE TRIGGER log_change AFTER INSERT OR UPDATE OR DELETE ON purchase
    FOR EACH ROW EXECUTE FUNCTION log.record_change();
"""

# The other style: both rows as hstore, an UPDATE with what changed alone.
HSTORE_TRIGGER = """
CREATE EXTENSION hstore;
CREATE SCHEMA log;
CREATE TABLE log.change (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, schema_name text NOT NULL, table_name text NOT NULL,
    relation oid NOT NULL, session_name text, started_at timestamptz NOT NULL, statement_at timestamptz NOT NULL,
    made_at timestamptz NOT NULL, transaction bigint, application text, client inet, operation text NOT NULL,
    row_data hstore, changed hstore);
CREATE INDEX ON log.change (relation);
CREATE INDEX ON log.change (statement_at);
CREATE FUNCTION log.record_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_catalog, pg_temp AS $$
DECLARE
    entry log.change;
BEGIN
    entry := ROW(nextval('log.change_id_seq'), TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_RELID, session_user, now(),
        statement_timestamp(), clock_timestamp(), txid_current(), current_setting('application_name'),
        inet_client_addr(), TG_OP, NULL, NULL);
    IF TG_OP = 'UPDATE' THEN
        entry.row_data := hstore(OLD.*);
        entry.changed := hstore(NEW.*) - entry.row_data;
    ELSIF TG_OP = 'DELETE' THEN
        entry.row_data := hstore(OLD.*);
    ELSE
        entry.row_data := hstore(NEW.*);
    END IF;
    INSERT INTO log.change OVERRIDING SYSTEM VALUE VALUES (entry.*);
    RETURN NULL;
END
$$;
CREATE TRIGGER log_change AFTER INSERT OR UPDATE OR DELETE ON purchase
    FOR EACH ROW EXECUTE FUNCTION log.record_change();
"""

TABLE_LOG = """
CREATE EXTENSION table_log;
CREATE SCHEMA log;
SELECT table_log_init(5, 'public', 'purchase', 'log', 'purchase_log');
"""

STEWARD = "SELECT steward.enable_audit('purchase');"


@dataclass(frozen=True)
class Variant:
    """One way to audit: what sets it up, and what counts the updates it recorded."""
    name: str
    setup: str = ""
    recorded: Optional[str] = None


VARIANTS = [
    Variant(NONE),
    Variant("empty C trigger", EMPTY_TRIGGER),
    Variant(OURS, STEWARD, "SELECT count(new) FROM steward.audit_trail WHERE operation = 'UPDATE'"),
    Variant("PL/pgSQL trigger, jsonb", JSONB_TRIGGER,
            "SELECT count(new_row) FROM log.change WHERE operation = 'UPDATE'"),
    Variant("PL/pgSQL trigger, hstore", HSTORE_TRIGGER,
            "SELECT count(changed) FROM log.change WHERE operation = 'UPDATE'"),
    Variant("table_log", TABLE_LOG,
            "SELECT count(*) FROM log.purchase_log WHERE trigger_mode = 'UPDATE' AND trigger_tuple = 'new'"),
]

INSERT = "INSERT INTO purchase SELECT * FROM source"
UPDATE = "UPDATE purchase SET status = 'changed'"
SINGLE = r"""\set id random(1, {rows})
UPDATE purchase SET quantity = quantity + 1 WHERE id = :id;
"""

# An integer beside a large value: what does not change must not be copied.
LARGE = """
CREATE TABLE large (id integer PRIMARY KEY, counter integer, document text);
ALTER TABLE large ALTER COLUMN document SET STORAGE EXTERNAL;
INSERT INTO large SELECT i, 0, repeat('x', 100000) FROM generate_series(1, 200) AS i;
"""
LARGE_LIMIT = 400

LOG_BYTES = """
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname IN ('steward', 'log') AND c.relkind = 'r'
"""


def run(bench):
    bench.report.lines(
        "A change is one row. Ratios are taken round by round; the yardstick is the same work"
        f" with {NONE}. Log bytes are the growth of the log's tables with their indexes, per change."
        " Processor time is that of the session's server process. The PL/pgSQL trigger is SECURITY"
        " DEFINER with a search path of its own, as a safe one must be. The goals are those of the"
        " finished audit trail, with buffered capture.")
    prepare(bench)
    report_large(bench)
    bulk = bench.interleave("bulk", {
        variant.name: lambda variant=variant: in_copy(bench, variant, run_bulk)
        for variant in VARIANTS})
    report_bulk(bench, bulk)
    for clients in CLIENTS:
        samples = bench.interleave(f"single-row, clients: {clients}", {
            variant.name: lambda variant=variant: in_copy(bench, variant, run_single, clients)
            for variant in VARIANTS})
        report_single(bench, clients, samples)


def report_large(bench):
    """Log bytes of UPDATEs of an integer in rows that hold 100 kB out of line."""
    bench.cluster.query("CREATE DATABASE large")
    with bench.cluster.session("large") as session:
        session.query("CREATE EXTENSION pg_steward")
        session.query(LARGE)
        session.query("SELECT steward.enable_audit('large')")
        session.query("UPDATE large SET counter = counter + 1")
        before = int(session.value("SELECT sum(length(batch)) FROM steward.audit_log"))
        session.query("UPDATE large SET counter = counter + 1")
        size = (int(session.value("SELECT sum(length(batch)) FROM steward.audit_log")) - before) / 200
    bench.cluster.query("DROP DATABASE large")
    bench.report.section("UPDATE of an integer beside a value of 100 kB")
    bench.report.lines(f"{number(size)} bytes of records a change.")
    bench.report.goal("log bytes of an integer beside 100 kB", size, LARGE_LIMIT)


def template(variant):
    return f"template_{VARIANTS.index(variant)}"


def prepare(bench):
    """One template database a variant."""
    module = bench.server.compile_module("empty_trigger", bench.root / "test/bench/empty_trigger.c")
    for variant in VARIANTS:
        bench.cluster.query(f"CREATE DATABASE {template(variant)}")
        with bench.cluster.session(template(variant)) as session:
            session.query("CREATE EXTENSION pg_steward")
            session.query(TABLE.format(rows=bench.rows(FULL_ROWS)))
            if variant.setup:
                session.query(variant.setup.replace("{module}", str(module)))
            session.query("VACUUM (FREEZE, ANALYZE)")


def in_copy(bench, variant, work, *arguments):
    """Runs work(bench, session, …) in a fresh copy of a template.

    It returns its sample and how many rows it updated; a variant that did not
    record each of them is not measured but refused.
    """
    bench.cluster.query(f"CREATE DATABASE run TEMPLATE {template(variant)}")
    try:
        with bench.cluster.session("run") as session:
            sample, updates = work(bench, session, *arguments)
            if variant.recorded and int(session.value(variant.recorded)) != updates:
                raise BenchError(f"{variant.name}: not every change was recorded")
            return sample
    finally:
        bench.cluster.query("DROP DATABASE run WITH (FORCE)")


def run_bulk(bench, session):
    rows = bench.rows(FULL_ROWS)
    session.query("SELECT count(*) FROM source")
    sample = {}
    for metric, sql in {"insert": INSERT, "update": UPDATE}.items():
        session.query("CHECKPOINT")
        before = int(session.value(LOG_BYTES))
        usage = session.usage(sql)
        sample[f"{metric}_us"] = usage.elapsed * 1e6 / rows
        sample[f"{metric}_processor"] = usage.processor * 1e6 / rows
        sample[f"{metric}_bytes"] = (int(session.value(LOG_BYTES)) - before) / rows
    if int(session.value("SELECT count(*) FROM purchase WHERE status = 'changed'")) != rows:
        raise BenchError("the changes were not made")
    return sample, rows


def run_single(bench, session, clients):
    """One-row updates, each in a transaction of its own."""
    session.query(INSERT)
    session.query("VACUUM (ANALYZE) purchase")
    session.query("CHECKPOINT")
    before = int(session.value(LOG_BYTES))
    rate, transactions = bench.cluster.pgbench(
        "run", SINGLE.format(rows=bench.rows(FULL_ROWS)), "-c", clients, "-j", min(clients, 2),
        "-T", bench.duration(SECONDS))
    size = (int(session.value(LOG_BYTES)) - before) / transactions
    return {"rate": rate, "bytes": size}, transactions


def report_bulk(bench, bulk):
    for metric, title in {"insert": "INSERT", "update": "UPDATE of one column"}.items():
        times = {name: series[f"{metric}_us"] for name, series in bulk.items()}
        work = {name: series[f"{metric}_processor"] for name, series in bulk.items()}
        sizes = {name: series[f"{metric}_bytes"] for name, series in bulk.items()}
        work_ratios = {name: series.over(work[NONE]) for name, series in work.items()}
        bench.report.section(f"One {title} of {bench.rows(FULL_ROWS):,} rows of 10 columns")
        bench.report.table(
            ["variant", "µs a row", "min–max", "× no audit", "× in processor time",
             "log bytes a change"],
            [[name, number(times[name].median), spread(times[name]),
              ratio(times[name].over(times[NONE])), ratio(work_ratios[name]),
              number(sizes[name].median)] for name in bulk])
        limit, size_limit = {"insert": (1.5, 150), "update": (1.4, 90)}[metric]
        bench.report.goal(f"bulk {title}, × no audit in processor time", work_ratios[OURS].median,
                          limit)
        bench.report.goal(f"bulk {title}, log bytes a change", sizes[OURS].median, size_limit)


def report_single(bench, clients, samples):
    base = samples[NONE]["rate"]
    title = f"Transactions of one UPDATE of one row, {clients} client" + ("s" if clients > 1 else "")
    bench.report.section(title)
    bench.report.table(
        ["variant", "a second", "min–max", "× no audit", "log bytes a change"],
        [[name, number(series["rate"].median), spread(series["rate"]),
          ratio(series["rate"].over(base)), number(series["bytes"].median)]
         for name, series in samples.items()])
    bench.report.goal(f"{title}, × no audit", samples[OURS]["rate"].over(base).median, 0.85,
                      at_most=False)
