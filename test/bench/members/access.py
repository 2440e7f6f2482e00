"""What it costs to record that a row was read.

The work is pgbench's own: one row by its primary key, prepared, one client. It is
measured in processor time of the server: reading waits for nothing.
"""
import os
import time
from dataclasses import dataclass

from harness import BenchError
from harness.report import number, ratio, spread

TITLE = "reads with and without access audit"

ROWS = 100_000
READS = 40_000
NONE = "no audit"
OTHER = "pg_steward, another table audited"
OURS = "pg_steward"
PGAUDIT = "pgaudit, object audit"

TABLE = """
CREATE TABLE account (id integer PRIMARY KEY, branch integer, balance integer, filler text);
INSERT INTO account SELECT i, i % 10, i % 1000, repeat('f', 60) FROM generate_series(1, {rows}) AS i;
CREATE TABLE other (id integer PRIMARY KEY);
"""

READ = r"""\set id random(1, {rows})
SELECT balance FROM account WHERE id = :id;
"""


@dataclass(frozen=True)
class Variant:
    """One way to record reads; recorded counts the reads that it has recorded."""
    name: str
    setup: tuple = ()
    undo: tuple = ()
    recorded: str = ""


VARIANTS = [
    Variant(NONE),
    Variant(OTHER, ("SELECT steward.audit_access('other')",), ("SELECT steward.stop_audit_access('other')",)),
    Variant(OURS, ("SELECT steward.audit_access('account')",), ("SELECT steward.stop_audit_access('account')",), "trail"),
    Variant(PGAUDIT, ("ALTER SYSTEM SET pgaudit.role = 'pgaudit_auditor'", "GRANT SELECT ON account TO pgaudit_auditor",
                      "SELECT pg_reload_conf()"),
            ("ALTER SYSTEM RESET pgaudit.role", "REVOKE SELECT ON account FROM pgaudit_auditor", "SELECT pg_reload_conf()"),
            "log"),
]


def run(bench):
    bench.report.lines(
        "A read is a transaction of one prepared SELECT of one row by its primary key, by one client of pgbench. Processor"
        " time is that of the session's server process, from its start to its end, divided by the reads. Ratios are taken"
        f" round by round; the yardstick is the same work with {NONE}. Both audits keep their defaults: pg_steward writes"
        " the beginning and the end of each read with the key of its row to a file, pgaudit one line to the server's log."
        " The import into the audit log runs afterwards and is not part of it.")
    variants = prepare(bench)
    samples = bench.interleave("reads", {
        variant.name: lambda variant=variant: one_run(bench, variant) for variant in variants})
    report(bench, samples)


def prepare(bench):
    """The table, and pgaudit when the server has it."""
    has_pgaudit = "pgaudit" in bench.cluster.query(
        "SELECT coalesce(string_agg(name, ','), '') FROM pg_available_extensions WHERE name = 'pgaudit'")[0][0]
    libraries = "pg_steward" + (", pgaudit" if has_pgaudit else "")
    bench.cluster.query(f"ALTER SYSTEM SET shared_preload_libraries = {libraries}")
    bench.cluster.query("ALTER SYSTEM SET steward.max_workers = 0")
    bench.cluster.control("restart")
    with bench.cluster.session() as session:
        session.query("CREATE EXTENSION pg_steward")
        session.query(TABLE.format(rows=bench.rows(ROWS)))
        session.query("VACUUM (FREEZE, ANALYZE)")
        if has_pgaudit:
            session.query("CREATE EXTENSION pgaudit")
            session.query("CREATE ROLE pgaudit_auditor")
    if has_pgaudit:
        return VARIANTS
    bench.report.lines("**pgaudit is not installed in this server and was not measured.**")
    return [variant for variant in VARIANTS if variant.name != PGAUDIT]


def postmaster(bench):
    return int((bench.cluster.data / "postmaster.pid").read_text(encoding="ascii").split("\n", maxsplit=1)[0])


def children_seconds(pid):
    """Processor time of those of a process's children that have ended."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", maxsplit=1)[1].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def log_lines(bench):
    log = bench.cluster.directory / "log"
    return log.read_text(encoding="utf-8", errors="replace").count("AUDIT: OBJECT")


def recorded(bench, variant):
    if variant.recorded == "log":
        return log_lines(bench)
    if variant.recorded == "trail":
        with bench.cluster.session() as session:
            session.query("SELECT steward.import_access()")
            return int(session.value(
                "SELECT count(*) FROM steward.access_trail WHERE relation = 'public.account' AND outcome = 'completed'"))
    return 0


def one_run(bench, variant):
    """Microseconds of processor time a read; refused when not every read was recorded."""
    reads = bench.rows(READS)
    with bench.cluster.session() as session:
        for sql in variant.setup:
            session.query(sql)
    try:
        before = recorded(bench, variant)
        time.sleep(2)           # until the processes of these sessions have ended
        pid = postmaster(bench)
        started = children_seconds(pid)
        bench.cluster.pgbench("postgres", READ.format(rows=bench.rows(ROWS)), "-c", 1, "-t", reads)
        time.sleep(0.5)
        used = children_seconds(pid) - started
        if variant.recorded and recorded(bench, variant) - before != reads:
            raise BenchError(f"{variant.name}: not every read was recorded")
    finally:
        with bench.cluster.session() as session:
            for sql in variant.undo:
                session.query(sql)
    return used * 1e6 / reads


def report(bench, samples):
    base = samples[NONE]
    bench.report.section(f"{bench.rows(READS):,} reads of one row")
    bench.report.table(
        ["variant", "µs a read", "min–max", f"× {NONE}"],
        [[name, number(series.median), spread(series), ratio(series.over(base))]
         for name, series in samples.items()])
    bench.report.goal(f"{OURS}, × {NONE} in processor time", samples[OURS].over(base).median, 1.2)
