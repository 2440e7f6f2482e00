"""What sealing costs those who write, how long records wait for it, and how fast the
ledger is verified."""
import threading

from harness import BenchError
from harness.report import number, ratio, spread

TITLE = "audit with and without the ledger"

SECONDS = 6
CLIENTS = (1, 8, 32)
ROWS = 10_000
RECORDS = 1_000_000
INTERVAL = 1000

SETUP = """
CREATE EXTENSION pg_steward;
CREATE TABLE account (id integer PRIMARY KEY, balance integer, note text);
INSERT INTO account SELECT i, 0, 'account ' || i FROM generate_series(1, {rows}) AS i;
SELECT steward.create_ledger_key('bench.example/ledger');
SELECT steward.enable_audit('account');
"""

UPDATE = r"""\set id random(1, {rows})
UPDATE account SET balance = balance + 1 WHERE id = :id;
"""

# From the writing of a batch, just before its commit, to the sealing of its block.
DELAYS = """
SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY delay), percentile_cont(0.99) WITHIN GROUP (ORDER BY delay), max(delay)
  FROM (SELECT extract(epoch FROM b.sealed_at - l.written_at) * 1000 AS delay
          FROM steward.audit_log AS l CROSS JOIN LATERAL (
               SELECT sealed_at FROM steward.ledger_block AS b
                WHERE b.incarnation = l.incarnation AND pg_visible_in_snapshot(l.xid, b.snapshot)
                ORDER BY number LIMIT 1) AS b
         WHERE l.written_at > (SELECT min(sealed_at) FROM steward.ledger_block)) AS d
"""

UNSEALED = """
SELECT count(*) FROM steward.audit_log AS l WHERE NOT EXISTS (
    SELECT FROM steward.ledger_block AS b WHERE b.incarnation = l.incarnation AND pg_visible_in_snapshot(l.xid, b.snapshot))
"""


def run(bench):
    bench.report.lines(
        "Transactions of one audited UPDATE of one row, with steward.seal_interval = 1 s and with 0, which"
        " seals nothing. The delay is from the writing of a record, at the end of its transaction, to the"
        " sealing of its block, for every record of the sealed runs. Verification recomputes a log from its"
        " records in one process.")
    for clients in CLIENTS:
        delays = []
        samples = bench.interleave(f"clients: {clients}", {
            "unsealed": lambda: in_database(bench, 0, clients, None),
            "sealed": lambda delays=delays, clients=clients: in_database(bench, INTERVAL, clients, delays)})
        report_clients(bench, clients, samples, delays)
    report_verify(bench, bench.interleave("verification", {"verify_ledger": lambda: verify(bench)}))


def configure(bench, interval):
    bench.cluster.query(f"ALTER SYSTEM SET steward.seal_interval = {interval}")
    bench.cluster.query("SELECT pg_reload_conf()")


def in_database(bench, interval, clients, delays):
    """Updates a second; with delays, those of this run are added."""
    configure(bench, interval)
    bench.cluster.query("CREATE DATABASE run")
    try:
        with bench.cluster.session("run") as session:
            session.query(SETUP.format(rows=bench.rows(ROWS)))
            session.query("VACUUM (ANALYZE) account")
            session.query("SELECT steward.seal_ledger()")
            session.query("CHECKPOINT")
            rate, _ = bench.cluster.pgbench(
                "run", UPDATE.format(rows=bench.rows(ROWS)), "-c", clients, "-j", min(clients, 2),
                "-T", bench.duration(SECONDS))
            if delays is not None:
                await_sealed(session)
                delays.append([float(field) for field in session.query(DELAYS)[0]])
                if session.value("SELECT count(*) FROM steward.verify_ledger()") != "0":
                    raise BenchError("the ledger does not verify")
        return rate
    finally:
        bench.cluster.query("DROP DATABASE run WITH (FORCE)")


def await_sealed(session):
    pause = threading.Event()
    for _ in range(100):
        if session.value(UNSEALED) == "0":
            return
        pause.wait(0.1)
    raise BenchError("records were not sealed")


def verify(bench):
    """Records a second that one process verifies."""
    configure(bench, 0)
    records = bench.rows(RECORDS)
    bench.cluster.query("CREATE DATABASE run")
    try:
        with bench.cluster.session("run") as session:
            session.query(SETUP.format(rows=1))
            session.query(f"INSERT INTO account SELECT i, 0, 'account ' || i FROM generate_series(2, {records}) AS i")
            session.query("SELECT steward.seal_ledger()")
            session.query("SET max_parallel_workers_per_gather = 0")
            session.query("SELECT count(*) FROM steward.verify_ledger()")
            usage = session.usage("SELECT count(*) FROM steward.verify_ledger()")
            if session.value("SELECT count(*) FROM steward.verify_ledger()") != "0":
                raise BenchError("the ledger does not verify")
            return {"rate": records / usage.elapsed, "processor": records / usage.processor}
    finally:
        bench.cluster.query("DROP DATABASE run WITH (FORCE)")


def report_clients(bench, clients, samples, delays):
    title = f"{clients} client" + ("s" if clients > 1 else "")
    ratios = samples["sealed"].over(samples["unsealed"])
    p99 = max(delay[2] for delay in delays)
    bench.report.section(title)
    bench.report.table(
        ["", "transactions a second", "min–max", "× unsealed"],
        [[name, number(series.median), spread(series), ratio(series.over(samples["unsealed"]))]
         for name, series in samples.items()])
    bench.report.table(
        ["records sealed", "median delay, ms", "p99, ms", "longest, ms"],
        [[f"{sum(delay[0] for delay in delays):,.0f}", number(max(delay[1] for delay in delays)), number(p99),
          number(max(delay[3] for delay in delays))]])
    bench.report.goal(f"{title}: sealed, × unsealed", ratios.median, 0.95, at_most=False)
    bench.report.goal(f"{title}: delay at p99, ms", p99, 1000)


def report_verify(bench, samples):
    series = samples["verify_ledger"]
    bench.report.section(f"Verifying {bench.rows(RECORDS):,} records")
    bench.report.table(
        ["", "records a second", "min–max", "a second of processor time"],
        [["verify_ledger", number(series["rate"].median), spread(series["rate"]), number(series["processor"].median)]])
    bench.report.goal("records verified a second of processor time", series["processor"].median, 500_000, at_most=False)
