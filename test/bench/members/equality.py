"""Looking up, joining and sorting encrypted values, beside the same on plaintext.

Both sides have the same rows in the same order, a unique index of the same
column and the same statements.  Every sample is taken in a session of its own:
a hash join and a sort begin with nothing in memory, lookups after a warm-up.
"""
from dataclasses import dataclass

from harness import BenchError
from harness.report import number, ratio, spread

TITLE = "equality, hashing and order of encrypted values"

FULL_ROWS = 200_000
FULL_LOOKUPS = 100_000
WARM_LOOKUPS = 20_000
FULL_SECONDS = 5
KEY = "bench"
PLAIN = "plaintext"
OURS = "pg_steward"
SIDES = (PLAIN, OURS)


@dataclass(frozen=True)
class Kind:
    """A type to measure and what makes its values, all different, from a number i."""
    plain_type: str
    encrypted_type: str
    unique_class: str
    value: str
    parameter: str          # the same for pgbench, from a number :i
    limits: dict

    def column(self, side):
        return self.plain_type if side == PLAIN else f"steward.{self.encrypted_type}('{KEY}/{self.plain_type}')"

    def operator_class(self, side):
        return "" if side == PLAIN else f"steward.{self.unique_class}"


# Sixteen digits: the only text of 16 bytes that a pgbench script can make up.
KINDS = [
    Kind("text", "encrypted_text", "encrypted_unique_ops",
         "(4000000000000000 + i::bigint * 4999999937)::text",
         "4000000000000000 + :i * 4999999937", {"lookup": 3, "join": 4, "sort": 4}),
    # A comparison of plaintext bigints takes a nanosecond: no goal, to show the cost.
    Kind("bigint", "encrypted_bigint", "encrypted_bigint_unique_ops",
         "4000000000000000 + i::bigint * 4999999937",
         "4000000000000000 + :i * 4999999937", {}),
]


def run(bench):
    bench.cluster.query(f"CREATE EXTENSION pg_steward; SELECT steward.create_key('{KEY}')")
    bench.report.lines(
        "Lookups are `SELECT id FROM t WHERE v = $1` by a unique index: one after the other in a PL/pgSQL"
        " loop, and as prepared statements of a client (pgbench, elapsed time). The join is"
        " `SELECT count(*) FROM t JOIN other USING (v)`, hashed, the sort"
        " `SELECT count(*) FROM (SELECT v FROM other ORDER BY v OFFSET 0) AS s`. Times but pgbench's are"
        " processor time of the server process. Ratios are taken round by round.")
    for kind in KINDS:
        Measurement(bench, kind).measure()


class Measurement:
    """One type, plaintext and encrypted."""

    def __init__(self, bench, kind):
        self.bench = bench
        self.kind = kind
        self.rows = bench.rows(FULL_ROWS)
        self.lookups = bench.rows(FULL_LOOKUPS)

    def measure(self):
        self.prepare()
        self.check()
        self.compare("lookup", "point lookup in a loop", "µs", 1e6 / self.lookups, self.lookup)
        self.compare("client", "point lookup by a client, prepared, elapsed", "µs", 1e6, self.client_lookup)
        self.compare("join", f"hash join {self.rows:,} × {self.rows:,}", "ms", 1e3, self.join)
        self.compare("sort", f"sort of {self.rows:,}", "ms", 1e3, self.sort)
        self.bench.cluster.query("DROP TABLE probe, " + ", ".join(
            f"{self.table(side)}, {self.other(side)}" for side in SIDES))

    @staticmethod
    def table(side):
        return "plain" if side == PLAIN else "cipher"

    def other(self, side):
        """The same values in another order, without an index."""
        return f"{self.table(side)}_other"

    def prepare(self):
        kind = self.kind
        sql = [f"CREATE TABLE probe AS SELECT i AS id, {kind.value} AS v"
               f" FROM generate_series(1, {self.rows}) AS i ORDER BY hashint4(i::integer)"]
        for side in SIDES:
            table = self.table(side)
            sql += [f"CREATE TABLE {table} (id integer, v {kind.column(side)})",
                    f"CREATE TABLE {self.other(side)} (id integer, v {kind.column(side)})",
                    f"INSERT INTO {table} SELECT id, v FROM probe ORDER BY hashint4extended(id, 1)",
                    f"INSERT INTO {self.other(side)} SELECT id, v FROM probe",
                    f"CREATE UNIQUE INDEX ON {table} (v {kind.operator_class(side)})",
                    f"""CREATE OR REPLACE FUNCTION lookup_{table}(count integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    wanted {kind.plain_type};
    found integer;
    hits bigint := 0;
BEGIN
    FOR wanted IN SELECT v FROM probe LIMIT count LOOP
        SELECT id INTO found FROM {table} WHERE v = wanted;
        hits := hits + (found IS NOT NULL)::integer;
    END LOOP;
    RETURN hits;
END $$"""]
        sql += ["VACUUM (FREEZE, ANALYZE)", "CHECKPOINT"]
        with self.bench.cluster.session() as session:
            for statement in sql:
                session.query(statement)

    def join_query(self, side):
        return f"SELECT count(*) FROM {self.table(side)} JOIN {self.other(side)} USING (v)"

    def sort_query(self, side):
        return f"SELECT count(*) FROM (SELECT v FROM {self.other(side)} ORDER BY v OFFSET 0) AS s"

    def check(self):
        """Both sides must do the same job, and by the same kind of plan."""
        plans = {"Hash Join": self.join_query, "Sort": self.sort_query,
                 "Index": lambda side: f"SELECT id FROM {self.table(side)} WHERE v = (SELECT v FROM probe LIMIT 1)"}
        with self.bench.cluster.session() as session:
            for side in SIDES:
                for node, query in plans.items():
                    plan = "\n".join(row[0] for row in session.query(f"EXPLAIN (COSTS OFF) {query(side)}"))
                    if node not in plan:
                        raise BenchError(f"{side}: no {node} in the plan of {query(side)}:\n{plan}")
                self.expect(session, f"SELECT lookup_{self.table(side)}({self.lookups})", min(self.lookups, self.rows))
                self.expect(session, self.join_query(side), self.rows)
            orders = {session.value(f"SELECT md5(string_agg(id::text, ',')) FROM"
                                    f" (SELECT id FROM {self.other(side)} ORDER BY v OFFSET 0) AS s") for side in SIDES}
            if len(orders) != 1:
                raise BenchError("the two sides are sorted differently")

    @staticmethod
    def expect(session, query, count):
        found = int(session.value(query))
        if found != count:
            raise BenchError(f"{found} instead of {count} rows: {query}")

    def lookup(self, side):
        table = self.table(side)
        with self.bench.cluster.session() as session:
            session.query(f"SELECT lookup_{table}({WARM_LOOKUPS})")
            return session.usage(f"SELECT lookup_{table}({self.lookups})").processor

    def client_lookup(self, side):
        script = (f"\\set i random(1, {self.rows})\n\\set v {self.kind.parameter}\n"
                  f"SELECT id FROM {self.table(side)} WHERE v = :v;\n")
        return 1 / self.bench.cluster.pgbench("postgres", script, "-T", str(self.bench.duration(FULL_SECONDS)))[0]

    def join(self, side):
        return self.cold(side, self.join_query(side))

    def sort(self, side):
        return self.cold(side, self.sort_query(side))

    def cold(self, side, query):
        """Processor time of a query in a session that has seen two values, and so has its keys."""
        two = f"(SELECT v FROM {self.other(side)} LIMIT 2)"
        with self.bench.cluster.session() as session:
            session.query(f"SELECT count(a.v = b.v) FROM {two} AS a, {two} AS b")
            return session.usage(query).processor

    def compare(self, name, title, unit, factor, function):
        samples = self.bench.interleave(f"{self.kind.plain_type}: {title}",
                                        {side: lambda side=side: function(side) * factor for side in SIDES})
        ratios = samples[OURS].over(samples[PLAIN])
        self.bench.report.section(f"{self.kind.plain_type}: {title}")
        self.bench.report.table(
            ["variant", unit, "min–max", "× plaintext"],
            [[side, number(series.median), spread(series), ratio(series.over(samples[PLAIN]))]
             for side, series in samples.items()])
        if name in self.kind.limits:
            self.bench.report.goal(f"{self.kind.plain_type}: {title}, × plaintext", ratios.median,
                                   self.kind.limits[name])
