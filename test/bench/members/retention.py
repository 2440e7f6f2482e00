"""Removing what has expired, while an application goes on.

Each way of removing half of a table works in fresh copies of a database: alone, for its time and the
write-ahead log that it makes, and beside clients that update rows, for how long these take.
"""
import math
import time
from dataclasses import dataclass
from typing import Callable

from harness import BenchError
from harness.bench import Series
from harness.report import number, ratio, spread

TITLE = "removing half of a table beside four clients"
SETTINGS = {"preload": ["pg_cron"], "cron.use_background_workers": "on", "max_worker_processes": "24", "max_connections": "60"}

FULL_ROWS = 1_000_000
FULL_BACKLOG = 10_000_000
KEPT_DAYS = 365
CLIENTS = 4
RATE = 400                    # transactions a second, of all clients
IDLE_SECONDS = 15
SETTLE_SECONDS = 3
IDLE = "clients alone"
OURS = "pg_steward"
DELETE = "one DELETE"
LOOP = "batch loop"
CRON = "pg_cron, one DELETE"
PARTMAN = "pg_partman, dropping partitions"
BATCH = 1000

# Rows come in the order of their age but for a month more or less. The oldest are of two years ago.
SOURCE = """
SELECT i::bigint AS id, (i % 50000)::integer AS customer, 'new' AS status,
       date_trunc('day', now()) - (1 - i / {rows}::double precision) * interval '730 days'
           - (hashint8extended(i, 1) & 1023) * interval '42 minutes' AS last_seen,
       repeat(md5(i::text), 3) AS note
FROM generate_series(1, {rows}) AS i
"""
COLUMNS = "id bigint NOT NULL, customer integer NOT NULL, status text NOT NULL, last_seen timestamptz NOT NULL, note text"
INDEXES = "CREATE INDEX ON event (last_seen); CREATE INDEX ON event (customer);"
TABLE = f"CREATE TABLE event ({COLUMNS}); INSERT INTO event {SOURCE}; ALTER TABLE event ADD PRIMARY KEY (id); {INDEXES}"
CHILD = """
CREATE TABLE item (id bigint PRIMARY KEY, event bigint NOT NULL, note text NOT NULL);
INSERT INTO item SELECT i, i, md5(i::text) FROM generate_series(1, {rows}) AS i;
ALTER TABLE item ADD FOREIGN KEY (event) REFERENCES event ON DELETE CASCADE;
CREATE INDEX ON item (event);
"""
PARTITIONED = f"""
CREATE EXTENSION pg_partman;
CREATE TABLE event ({COLUMNS}, PRIMARY KEY (id, last_seen)) PARTITION BY RANGE (last_seen);
{INDEXES}
SELECT create_parent('public.event', 'last_seen', 'native', 'monthly', p_premake := 2,
    p_start_partition := (now() - interval '800 days')::text);
INSERT INTO event {SOURCE};
UPDATE part_config SET retention = '{KEPT_DAYS} days', retention_keep_table = false;
"""
UPDATES = r"""\set id random(1, {rows})
UPDATE event SET status = 'seen' WHERE id = :id;
"""

EXPIRED = f"last_seen < now() - interval '{KEPT_DAYS} days'"
# What people write: pieces by the age, each committed, without waiting for rows that are locked.
PROCEDURE = f"""
CREATE PROCEDURE remove_expired(cutoff timestamptz) LANGUAGE plpgsql AS $$
DECLARE
    removed bigint;
BEGIN
    LOOP
        DELETE FROM event WHERE id IN (SELECT id FROM event WHERE last_seen < cutoff
            ORDER BY last_seen LIMIT {BATCH} FOR UPDATE SKIP LOCKED);
        GET DIAGNOSTICS removed = ROW_COUNT;
        EXIT WHEN removed = 0;
        COMMIT;
    END LOOP;
END
$$;
"""
POLICY = "SELECT steward.create_policy('old events', 'event', 'last_seen', '{days} days'{children})"


@dataclass(frozen=True)
class Way:
    """One way to remove what has expired: its template database, and what it does in a copy."""
    name: str
    template: str
    work: Callable
    exact: bool = True          # nothing of what has expired is left


def run_statement(sql):
    def work(bench, session):
        return session.seconds(sql)
    return work


def run_cron(bench, _):
    """A job that begins with the next minute; as long as pg_cron says that it took."""
    with bench.cluster.session() as cron:
        job = cron.value(f"SELECT cron.schedule_in_database('remove', '* * * * *', $$DELETE FROM event WHERE {EXPIRED}$$, 'run')")
        try:
            for _ in range(1200):
                state = cron.query("SELECT status, extract(epoch FROM end_time - start_time) FROM cron.job_run_details"
                                   f" WHERE jobid = {job} ORDER BY runid LIMIT 1")
                if state and state[0][0] == "succeeded":
                    return float(state[0][1])
                if state and state[0][0] == "failed":
                    raise BenchError("the job failed")
                time.sleep(0.2)
            raise BenchError("pg_cron did not run its job")
        finally:
            cron.query(f"SELECT cron.unschedule({job})")


CALL = run_statement("CALL steward.run_policy('old events')")
ALONE = [
    Way(OURS, "plain", CALL),
    Way(DELETE, "plain", run_statement(f"DELETE FROM event WHERE {EXPIRED}")),
    Way(LOOP, "plain", run_statement(f"CALL remove_expired(now() - interval '{KEPT_DAYS} days')")),
    Way(CRON, "plain", run_cron),
    Way(PARTMAN, "partitioned", run_statement("SELECT run_maintenance()"), exact=False),
]
WITH_CHILD = [Way(way.name, "child", way.work) for way in ALONE[:3]]


def run(bench):
    rows = bench.rows(FULL_ROWS, 5000)
    prepare(bench, rows)
    bench.report.lines(
        f"A table of {rows:,} rows, primary key and two more indexes, half of it older than {KEPT_DAYS} days. {CLIENTS} clients make"
        f" {RATE} updates a second of rows chosen at random, expired ones too. Latency counts from when a transaction was to begin."
        f" The batch loop takes {BATCH:,} rows at a time and knows how many that should be; ours finds out. Time and write-ahead"
        " log are those of a run without clients. Nothing is tuned.")
    part(bench, rows, "half of the rows", ALONE)
    part(bench, rows, "half of the rows, and as many that refer to them, ON DELETE CASCADE", WITH_CHILD)
    backlog(bench)


def prepare(bench, rows):
    """A template database for each shape of the table."""
    bench.cluster.query("CREATE EXTENSION pg_cron")
    templates = {"plain": (TABLE, ""), "child": (TABLE + CHILD, """, children => '{"item": "cascade"}'"""),
                 "partitioned": (PARTITIONED, None)}
    for name, (sql, children) in templates.items():
        bench.cluster.query(f"CREATE DATABASE {name}")
        with bench.cluster.session(name) as session:
            session.query(sql.replace("{rows}", str(rows)))
            session.query("CREATE EXTENSION pg_steward")
            if children is not None:
                session.query(PROCEDURE)
                session.query(POLICY.format(days=KEPT_DAYS, children=children))
            session.query("VACUUM (FREEZE, ANALYZE)")


def part(bench, rows, title, ways):
    script = UPDATES.format(rows=rows)
    quiet = bench.interleave(f"{title}, alone", {
        way.name: lambda way=way: in_copy(bench, way, run_alone, way) for way in ways})
    variants = {IDLE: lambda: in_copy(bench, ways[0], run_idle, script)}
    variants |= {way.name: lambda way=way: in_copy(bench, way, run_beside, way, script) for way in ways}
    beside = bench.interleave(f"{title}, beside clients", variants)
    show(bench, title, quiet, beside)


def in_copy(bench, way, work, *arguments):
    bench.cluster.query(f"CREATE DATABASE run TEMPLATE {way.template}")
    try:
        with bench.cluster.session("run") as session:
            session.query("CHECKPOINT")
            return work(bench, session, *arguments)
    finally:
        bench.cluster.query("DROP DATABASE run WITH (FORCE)")


def checked(session, way):
    """A way that left something is not measured but refused."""
    if way.exact and session.value(f"SELECT count(*) FROM event WHERE {EXPIRED} AND last_seen < date_trunc('day', now()) - interval '{KEPT_DAYS} days'") != "0":
        raise BenchError(f"{way.name}: expired rows are left")


def run_alone(bench, session, way):
    before = session.value("SELECT pg_current_wal_insert_lsn()")
    seconds = way.work(bench, session)
    wal = float(session.value(f"SELECT pg_current_wal_insert_lsn() - '{before}'"))
    checked(session, way)
    return {"seconds": seconds, "wal": wal / 1e6}


def p99(latencies):
    """The nearest rank."""
    if not latencies:
        raise BenchError("no transaction of the clients ended in that time")
    return sorted(latencies)[math.ceil(len(latencies) * 0.99) - 1]


def run_idle(bench, _, script):
    with bench.cluster.clients("run", script, CLIENTS, RATE) as clients:
        time.sleep(SETTLE_SECONDS)
        begin = time.time()
        time.sleep(bench.duration(IDLE_SECONDS))
        latencies = clients.stop()
    took = [latency for end, latency in latencies if end > begin]
    return {"p99": p99(took), "most": max(took), "seconds": 0}


def run_beside(bench, session, way, script):
    """Latencies of what was under way, or to begin, while the work was done."""
    with bench.cluster.clients("run", script, CLIENTS, RATE) as clients:
        time.sleep(SETTLE_SECONDS)
        begin = time.time()
        seconds = way.work(bench, session)
        end = time.time()
        time.sleep(1)
        latencies = clients.stop()
    took = [latency for moment, latency in latencies if moment > end - seconds and moment - latency / 1000 < end]
    return {"p99": p99(took), "most": max(took), "seconds": seconds if way.name == CRON else end - begin}


def show(bench, title, quiet, beside):
    idle = beside[IDLE]["p99"]
    report = bench.report
    report.section(title[0].upper() + title[1:])
    report.table(
        ["way", "seconds", "× batch loop", "WAL, MB", "× one DELETE", "seconds beside clients", "p99 of clients, ms", "× alone", "longest, ms"],
        [[IDLE, "", "", "", "", "", number(idle.median), "1", number(beside[IDLE]["most"].median)]]
        + [[name, number(one["seconds"].median), ratio(one["seconds"].over(quiet[LOOP]["seconds"])), number(one["wal"].median),
            ratio(one["wal"].over(quiet[DELETE]["wal"])), f"{number(beside[name]['seconds'].median)} ({spread(beside[name]['seconds'])})",
            number(beside[name]["p99"].median), ratio(beside[name]["p99"].over(idle)), number(beside[name]["most"].median)]
           for name, one in quiet.items()])
    ours = quiet[OURS]
    report.goal(f"{title}: p99 of clients, × alone", beside[OURS]["p99"].over(idle).median, 2)
    report.goal(f"{title}: time, × batch loop", ours["seconds"].over(quiet[LOOP]["seconds"]).median, 1.5)
    report.goal(f"{title}: WAL, × one DELETE", ours["wal"].over(quiet[DELETE]["wal"]).median, 1.3)


def backlog(bench):
    """Rows an interval of time, while somebody holds a snapshot older than all of it."""
    rows = bench.rows(FULL_BACKLOG, 20_000)
    bench.cluster.query("CREATE DATABASE run")
    with bench.cluster.session("run") as session, bench.cluster.session("run") as old, bench.cluster.session("run") as watch:
        session.query(TABLE.replace("{rows}", str(rows)))
        session.query("CREATE EXTENSION pg_steward")
        session.query(POLICY.format(days=1, children=""))
        session.query("VACUUM (FREEZE, ANALYZE)")
        old.query("BEGIN ISOLATION LEVEL REPEATABLE READ")
        old.query("SELECT count(*) FROM steward.policy")
        points = drain(session, watch)
        old.query("COMMIT")
    bench.cluster.query("DROP DATABASE run WITH (FORCE)")
    bench.report.section(f"A backlog of {rows:,} rows, with a snapshot held that is older")
    parts = [second - first for first, second in zip([0.0, *points], points)]
    bench.report.table(["part of the rows", "seconds", "× the first"],
                       [[f"{number + 1}. tenth", f"{seconds:.2f}", f"{seconds / parts[0]:.2f}"] for number, seconds in enumerate(parts)])
    bench.report.goal("the last tenth of a backlog, × the first", Series([parts[-1] / parts[0]]).median, 1.5)


def drain(session, watch):
    """Seconds after which each tenth of the rows was gone."""
    session.psql.stdin.write("CALL steward.run_policy('old events');\n")
    session.psql.stdin.flush()
    begin = time.time()
    total = float(watch.value("SELECT reltuples FROM pg_class WHERE oid = 'event'::regclass"))
    points = []
    while True:
        state, rows = (watch.query("SELECT state, rows FROM steward.policy_run_log") or [["", "0"]])[0]
        now = time.time() - begin
        done = 10 if state == "complete" else min(9, int(10 * float(rows) / total))
        points += [now] * (done - len(points))
        if done == 10:
            session.send("")
            return points
        if state not in ("", "running"):
            raise BenchError(f"the run is {state}")
        time.sleep(0.05)
