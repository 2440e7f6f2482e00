"""A blind index that grows to twenty million rows: its height, its size and what a lookup costs.

An index of tags as integers grows beside it in the same statements. Both are measured when they
have grown by inserts in random order and when they are built anew at the largest size.
"""
from harness import BenchError
from harness.report import number

TITLE = "a blind index of twenty million rows"

FULL_ROWS = 20_000_000
FULL_PROBES = 100_000
PARTS = (20, 8, 4, 2, 1)      # the sizes, as parts of all rows
KEY = "bench/k"
INDEXES = {"btree(int8)": ("t_tag", "tag", "hashint8extended(p.i, 7)"), "blind": ("t_e", "e", "p.i")}
ENOUGH = "p.i = t.i"          # a lookup that found another row would not be counted


def run(bench):
    rows = bench.rows(FULL_ROWS, 20_000)
    probes = min(bench.rows(FULL_PROBES, 1000), rows // PARTS[0])
    report = bench.report
    report.lines(f"{rows:,} rows in the end. Times are processor time of the server process, blocks are those of the index"
                 f" that a lookup touches, over {probes:,} lookups in a nested-loop join. Lookups by the blind index"
                 " hash each value that is looked for and open each row that is found.")
    with bench.cluster.session() as session:
        prepare(session)
        points = []
        before = 0
        for part in PARTS:
            grow(session, before, rows // part)
            before = rows // part
            points += measure(bench, session, before, probes, "grown")
        for index, _, _ in INDEXES.values():
            session.query(f"REINDEX INDEX {index}")
        points += measure(bench, session, rows, probes, "built")
    report.table(["index", "rows", "", "height", "bytes an entry", "blocks a lookup", "µs a lookup"],
                 [[name, f"{size:,}", how, height, number(entry), number(blocks), number(micros)]
                  for name, size, how, height, entry, blocks, micros in points])


def prepare(session):
    for statement in ("CREATE EXTENSION pg_steward", "CREATE EXTENSION pageinspect", "SELECT steward.create_key('bench')",
                      "SET maintenance_work_mem = '256MB'", "SET client_min_messages = warning",
                      "SET stats_fetch_consistency = 'none'",
                      f"CREATE TABLE t (i bigint, tag bigint, e steward.encrypted_bigint('{KEY}')) WITH (autovacuum_enabled = off)",
                      "CREATE INDEX t_tag ON t (tag)", "CREATE INDEX t_e ON t USING blind (e)"):
        session.query(statement)


def grow(session, before, after):
    session.query(f"INSERT INTO t SELECT i, hashint8extended(i, 7), i FROM generate_series({before + 1}, {after}) AS i")
    session.query("VACUUM (FREEZE, ANALYZE) t")


def measure(bench, session, rows, probes, how):
    session.query("DROP TABLE IF EXISTS probe")
    session.query(f"CREATE TABLE probe AS SELECT 1 + (hashint8extended(i, 3) & 9223372036854775807) % {rows} AS i"
                  f" FROM generate_series(1, {probes}) AS i")
    session.query("VACUUM (FREEZE, ANALYZE) probe")
    for setting in ("hashjoin", "mergejoin", "material", "memoize", "bitmapscan", "seqscan"):
        session.query(f"SET enable_{setting} = off")
    times = bench.interleave(f"lookup among {rows:,}", {name: lambda name=name: lookup(session, name, probes) for name in INDEXES})
    result = []
    for name, (index, _, _) in INDEXES.items():
        size = int(session.value(f"SELECT pg_relation_size('{index}')"))
        result.append([name, rows, how, height(session, name), size / rows, blocks(session, name, probes),
                       times[name].median * 1e6 / probes])
    session.query("RESET ALL")
    session.query("SET maintenance_work_mem = '256MB'")
    return result


def height(session, name):
    """Levels above the leaves."""
    if name == "blind":
        return session.value("SELECT level FROM steward.blind_metapage('t_e')")
    return session.value("SELECT level FROM bt_metap('t_tag')")


def join(name):
    _, column, value = INDEXES[name]
    return f"SELECT count(*) FILTER (WHERE {ENOUGH}) FROM probe AS p JOIN t ON t.{column} = {value}"


def lookup(session, name, probes):
    index = INDEXES[name][0]
    plan = "\n".join(row[0] for row in session.query(f"EXPLAIN (COSTS OFF) {join(name)}"))
    if "Nested Loop" not in plan or index not in plan:
        raise BenchError(f"{name} is not looked up in a nested loop by its index:\n{plan}")
    found = int(session.value(join(name)))
    if found != probes:
        raise BenchError(f"{name} found {found} rows instead of {probes}")
    return session.usage(join(name)).processor


def blocks(session, name, probes):
    """What statistics count of the index's blocks while all are looked up once."""
    index = INDEXES[name][0]
    count = f"SELECT idx_blks_read + idx_blks_hit FROM pg_statio_user_indexes WHERE indexrelname = '{index}'"
    # A session tells of its blocks when it has been idle; asked to, at once.
    session.query("SELECT pg_stat_force_next_flush()")
    before = int(session.value(count))
    session.query(join(name))
    session.query("SELECT pg_stat_force_next_flush()")
    return (int(session.value(count)) - before) / probes
