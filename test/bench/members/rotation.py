"""Moving values to a new key version beside a plain UPDATE; a new root key.

The yardstick of steward.reencrypt is an UPDATE that changes as many rows of a
table of the same columns, in plaintext, without changing what they say.
"""
from harness import BenchError
from harness.report import number, ratio, spread

TITLE = "new versions of keys, and a new root key"

FULL_ROWS = 500_000
FULL_SUBJECTS = 1_000_000
UPDATE = "plain UPDATE"
OURS = "steward.reencrypt"
AGAIN = "steward.reencrypt, nothing to do"
IN_SQL = "UPDATE that decrypts and encrypts"

COLUMNS = "id integer PRIMARY KEY, v {type}, note text, n integer"
FILL = "INSERT INTO {table} SELECT i, md5(i::text), 'note ' || i, i FROM generate_series(1, {rows}) AS i"
TABLES = {
    UPDATE: ("plain", "text"),
    OURS: ("secret", "steward.encrypted_text('bench/secret')"),
    IN_SQL: ("in_sql", "steward.encrypted_text('bench/in_sql')"),
}
STATEMENTS = {
    UPDATE: "UPDATE plain SET v = v",
    OURS: "CALL steward.reencrypt('secret')",
    AGAIN: "CALL steward.reencrypt('secret')",
    IN_SQL: "UPDATE in_sql SET v = steward.encrypt_text(v::text, 'bench/in_sql')",
}
UNIQUE = {
    UPDATE: "CREATE UNIQUE INDEX plain_v ON plain (v)",
    OURS: "CREATE UNIQUE INDEX secret_v ON secret (v steward.encrypted_unique_ops)",
    IN_SQL: "CREATE UNIQUE INDEX in_sql_v ON in_sql (v steward.encrypted_unique_ops)",
}


def run(bench):
    bench.report.lines(
        "A row has four columns; its value is 32 bytes of text. Ratios are taken round by round;"
        f" the yardstick is the {UPDATE} of as many rows, which says of each what it said before."
        f" {OURS} includes the look at the end that finds nothing left.")
    with bench.cluster.session() as session:
        session.query("CREATE EXTENSION pg_steward; SELECT steward.create_key('bench')")
        fill(bench, session)
        report(bench, "without an index on the value", measure(bench, session, "no index"), True)
        for sql in UNIQUE.values():
            session.query(sql)
        report(bench, "with a unique index on the value", measure(bench, session, "unique index"),
               False)
        root(bench, session)


def fill(bench, session):
    for table, kind in TABLES.values():
        session.query(f"CREATE TABLE {table} ({COLUMNS.format(type=kind)})")
        session.query(FILL.format(table=table, rows=bench.rows(FULL_ROWS)))


def measure(bench, session, what):
    return bench.interleave(what, {
        name: lambda name=name: one(bench, session, name) for name in STATEMENTS})


def one(bench, session, name):
    """One run, on a table whose space has been made free by a vacuum."""
    if name != AGAIN:
        session.query(f"VACUUM {TABLES[name][0]}")
        session.query("SELECT steward.rotate_key('bench')")
    session.query("CHECKPOINT")
    usage = session.usage(STATEMENTS[name])
    if name in (OURS, AGAIN):
        check(bench, session, 0 if name == AGAIN else bench.rows(FULL_ROWS))
    return {"elapsed": usage.elapsed, "processor": usage.processor}


def check(bench, session, rows):
    """What the run says of itself, and that every value opens."""
    said = session.query("SELECT state, rows FROM steward.reencryption ORDER BY id DESC LIMIT 1")
    if said != [["complete", str(rows)]]:
        raise BenchError(f"the re-encryption says {said}")
    opened = int(session.value("SELECT count(*) FROM secret WHERE v::text = md5(id::text)"))
    if opened != bench.rows(FULL_ROWS):
        raise BenchError("not every value opens to what it was")


def report(bench, how, samples, is_goal):
    rows = bench.rows(FULL_ROWS)
    base = samples[UPDATE]
    bench.report.section(f"{rows:,} rows {how}")
    bench.report.table(
        ["variant", "µs a row", "min–max", "rows a second", "× plain UPDATE",
         "× in processor time"],
        [[name, number(series["elapsed"].median * 1e6 / rows),
          spread([seconds * 1e6 / rows for seconds in series["elapsed"]]),
          f"{rows / series['elapsed'].median:,.0f}", ratio(series["elapsed"].over(base["elapsed"])),
          ratio(series["processor"].over(base["processor"]))]
         for name, series in samples.items()])
    if is_goal:
        ours = samples[OURS]
        bench.report.goal("re-encryption, × plain UPDATE",
                          ours["elapsed"].over(base["elapsed"]).median, 2.5)
        bench.report.goal("re-encryption, rows a second", rows / ours["elapsed"].median, 100_000,
                          at_most=False)


def root(bench, session):
    """Many subjects, wrapped anew under one root after the other."""
    subjects = bench.rows(FULL_SUBJECTS)
    session.query("CREATE TABLE person (id integer, v steward.encrypted_text('bench/person'))")
    session.query("SELECT steward.bind_subject('person', 'person', 'id')")
    session.query(f"INSERT INTO person SELECT i, 'v' FROM generate_series(1, {subjects}) AS i")
    session.query("VACUUM ANALYZE steward.subject_key")
    samples = bench.interleave("root", {
        "steward.rotate_root_key": lambda: rotate_root(bench, session, subjects)})
    seconds = samples["steward.rotate_root_key"]
    bench.report.section(f"A new root for {subjects:,} secrets of subjects")
    bench.report.table(["variant", "seconds", "min–max", "secrets a second"],
                       [["steward.rotate_root_key", number(seconds.median), spread(seconds),
                         f"{subjects / seconds.median:,.0f}"]])
    bench.report.goal("a new root for 1,000,000 secrets, seconds",
                      seconds.median * FULL_SUBJECTS / subjects, 30)


def rotate_root(bench, session, subjects):
    bench.execute(bench.server.program("pg_steward_keygen", "--add",
                                       bench.cluster.directory / "root.key"))
    before = session.value("SELECT encode(steward.current_root(), 'hex')")
    session.query("SELECT pg_reload_conf()")
    for _ in range(1000):
        if session.value("SELECT encode(steward.current_root(), 'hex')") != before:
            break
    session.query("VACUUM steward.subject_key; CHECKPOINT; SET client_min_messages = warning")
    seconds = session.seconds("CALL steward.rotate_root_key()")
    under = session.query("SELECT count(*) FROM steward.subject_key"
                          " WHERE root_id = steward.current_root()")
    session.query("RESET client_min_messages")
    if under != [[str(subjects)]]:
        raise BenchError(f"{under} of {subjects} secrets are under the new root")
    return seconds
