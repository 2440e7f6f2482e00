"""Values bound to subjects, beside the same values that are not bound.

Both tables have the same rows of as many subjects as a session keeps ready, and
the same statements; only one is bound.  Cold is a session that keeps too few.
"""
from harness import BenchError
from harness.report import number, ratio, spread

TITLE = "values bound to subjects"

FULL_ROWS = 200_000
SUBJECTS = 2000             # fewer than steward.subject_cache_size
FULL_SECONDS = 4
KEY = "bench"
UNBOUND = "not bound"
BOUND = "bound"
SIDES = {UNBOUND: "unbound", BOUND: "bound"}
WARM_LIMIT = 1.3
COLD_LIMIT = 15


def run(bench):
    bench.cluster.query(f"CREATE EXTENSION pg_steward; SELECT steward.create_key('{KEY}')")
    bench.report.lines(
        f"{bench.rows(FULL_ROWS):,} rows of {SUBJECTS:,} subjects, one text of 16 bytes each. Reading is"
        " `SELECT count(v::text)`, sealing `SELECT count(v::steward.encrypted_text('bench/other'))`, which"
        " opens each value and seals it for another column; both are net of a scan of the same rows. The"
        " bulk insert is one `INSERT … SELECT` of plaintext: there the value is sealed for the column"
        " first, then opened and sealed again for the subject. The single insert is a prepared statement"
        " of a client (pgbench, elapsed time). Times but pgbench's are processor time of the server"
        " process. Ratios are taken round by round.")
    Measurement(bench).measure()


class Measurement:
    def __init__(self, bench):
        self.bench = bench
        self.rows = bench.rows(FULL_ROWS)

    def measure(self):
        self.prepare()
        per_row = 1e6 / self.rows
        self.compare("reading", "µs", lambda side: self.net(side, "v::text") * per_row, WARM_LIMIT)
        self.compare("sealing", "µs", lambda side: self.net(side, f"v::steward.encrypted_text('{KEY}/other')")
                     * per_row, WARM_LIMIT)
        self.compare("single insert by a client", "µs", lambda side: self.client_insert(side) * 1e6, WARM_LIMIT)
        self.compare("bulk insert", "µs", lambda side: self.bulk_insert(side) * per_row, WARM_LIMIT)
        self.cold()

    def prepare(self):
        sql = [f"CREATE TABLE source AS SELECT i % {SUBJECTS} AS id, left(md5(i::text), 16) AS v"
               f" FROM generate_series(1, {self.rows}) AS i"]
        for table in SIDES.values():
            sql += [f"CREATE TABLE {table} (id integer, v steward.encrypted_text('{KEY}/{table}'))",
                    f"CREATE TABLE {table}_new (LIKE {table})"]
        sql += [f"SELECT steward.bind_subject('{table}', 'person', 'id')" for table in ("bound", "bound_new")]
        sql += [f"INSERT INTO {table} SELECT id, v FROM source" for table in SIDES.values()]
        sql += ["VACUUM (FREEZE, ANALYZE)", "CHECKPOINT"]
        with self.bench.cluster.session() as session:
            for statement in sql:
                session.query(statement)
            for table in SIDES.values():
                found = session.value(f"SELECT count(*) FROM {table} AS t WHERE t.v::text IS NOT NULL")
                if int(found) != self.rows:
                    raise BenchError(f"{found} instead of {self.rows} rows in {table}")
            if int(session.value("SELECT count(*) FROM steward.subject_key")) != SUBJECTS:
                raise BenchError("the rows have other subjects")

    @staticmethod
    def warm(session):
        """A session that has the keys of all subjects, and no parallel workers."""
        session.query("SET max_parallel_workers_per_gather = 0")
        session.query(f"SELECT count(v::text) FROM (SELECT v FROM bound LIMIT {SUBJECTS}) AS b")

    def net(self, side, expression):
        table = SIDES[side]
        with self.bench.cluster.session() as session:
            self.warm(session)
            scan = session.usage(f"SELECT count(v) FROM {table}").processor
            return session.usage(f"SELECT count({expression}) FROM {table}").processor - scan

    def bulk_insert(self, side):
        table = f"{SIDES[side]}_new"
        with self.bench.cluster.session() as session:
            self.warm(session)
            session.query(f"TRUNCATE {table}")
            session.query(f"INSERT INTO {table} SELECT id, v FROM source LIMIT {SUBJECTS}")
            return session.usage(f"INSERT INTO {table} SELECT id, v FROM source").processor

    def client_insert(self, side):
        script = (f"\\set i random(0, {SUBJECTS - 1})\n"
                  f"INSERT INTO {SIDES[side]}_new VALUES (:i, '0123456789abcdef');\n")
        return 1 / self.bench.cluster.pgbench("postgres", script, "-T",
                                              str(self.bench.duration(FULL_SECONDS)))[0]

    def cold(self):
        """What a subject costs that a session does not have ready, and a new one."""
        samples = self.bench.interleave("cold lookup and first use", {
            "cold lookup": self.cold_lookup, "first use": self.first_use})
        self.bench.report.section("a subject that is not cached")
        self.bench.report.table(["what", "µs", "min–max"],
                                [[name, number(series.median), spread(series)] for name, series in samples.items()])
        self.bench.report.goal("cold lookup, µs", samples["cold lookup"].median, COLD_LIMIT)

    def cold_lookup(self):
        with self.bench.cluster.session() as session:
            self.warm(session)
            warm = session.usage("SELECT count(v::text) FROM bound").processor
            session.query("SET steward.subject_cache_size = 8")
            return (session.usage("SELECT count(v::text) FROM bound").processor - warm) * 1e6 / self.rows

    def first_use(self):
        count = self.bench.rows(20_000)
        with self.bench.cluster.session() as session:
            session.query("TRUNCATE bound_new")
            session.query("INSERT INTO bound_new VALUES (0, 'warm')")
            known = session.usage(f"INSERT INTO bound_new SELECT id, v FROM source LIMIT {count}").processor
            base = int(session.value("SELECT coalesce(max(-id), 0) FROM bound_new"))
            fresh = int(session.value("SELECT count(*) FROM steward.subject_key")) + base
            new = session.usage(f"INSERT INTO bound_new SELECT -{fresh} - row_number() OVER (), v"
                                f" FROM source LIMIT {count}").processor
            return (new - known) * 1e6 / count

    def compare(self, title, unit, function, limit):
        samples = self.bench.interleave(title, {side: lambda side=side: function(side) for side in SIDES})
        ratios = samples[BOUND].over(samples[UNBOUND])
        self.bench.report.section(title)
        self.bench.report.table(
            ["variant", unit, "min–max", "× not bound"],
            [[side, number(series.median), spread(series), ratio(series.over(samples[UNBOUND]))]
             for side, series in samples.items()])
        self.bench.report.goal(f"{title}, × not bound", ratios.median, limit)
