"""Blind indexes beside what keeps keyed tags in a column of their own.

Who has no blind index stores a keyed hash of each value beside its ciphertext, and
indexes that: 8 bytes by btree or hash, 32 bytes of an HMAC by btree, or by a Bloom
filter.  Those tables have the tag alone; the blind index has the ciphertext, and so
opens a value for each row that comes in or is found.  What that takes is measured by
itself, and both are shown: with it, and the index alone.

Terms
    tag         what stands for a value in the others' tables, ready made
    opening     decrypting a value, and comparing what comes out with another
    given tags  the time of a blind index without that of opening
"""
from dataclasses import dataclass

from harness import BenchError
from harness.bench import Series
from harness.report import number, ratio, spread

TITLE = "blind indexes beside indexes of tags"

FULL_ROWS = 1_000_000
FULL_PROBES = 200_000
FULL_LOGGED = 20_000
FULL_TEXTS = 50_000
DISTINCT = 1000
GROWTH_STEPS = 32
KEY = "bench/k"

BASE = "btree(int8)"
OURS = "blind"


@dataclass(frozen=True)
class Variant:
    """A column of the source, its type, and an index of it; where is what a row is looked up by."""
    column: str
    kind: str
    index: str
    where: str

    @property
    def table(self):
        return f"t_{self.column}_{self.index}"


VARIANTS = {
    BASE: Variant("k8", "bigint", "btree", "k8"),
    "btree(32 B)": Variant("k32", "bytea", "btree", "k32"),
    "hash(int8)": Variant("k8", "bigint", "hash", "k8"),
    "bloom": Variant("k4", "integer", "bloom", "k4"),
    OURS: Variant("e", f"steward.encrypted_text('{KEY}')", "blind", "v"),
}
# A Bloom filter is read whole for each value: nothing for a loop.
LOOKED_UP = [name for name in VARIANTS if name != "bloom"]

SOURCE = """
CREATE TABLE {table} AS SELECT row_number() OVER () AS i, v, ('x' || left(md5(v), 16))::bit(64)::bigint AS k8,
    sha256(v::bytea) AS k32, hashtext(v) AS k4 FROM (SELECT {value} AS v FROM generate_series(1, {rows}) AS i ORDER BY hashint8extended(i, 7)) AS s;
ALTER TABLE {table} ADD e steward.encrypted_text('{key}');
UPDATE {table} SET e = v;
VACUUM (FULL, ANALYZE) {table};
"""


def run(bench):
    Measurement(bench).measure()


class Measurement:
    def __init__(self, bench):
        self.bench = bench
        self.rows = bench.rows(FULL_ROWS, 4 * GROWTH_STEPS)
        self.probes = min(bench.rows(FULL_PROBES), self.rows // 2)
        self.session = None

    def measure(self):
        self.bench.report.lines(
            f"Tables of {self.rows:,} rows. Times are processor time of the server process. An index of tags is"
            " over a column that has them ready; a blind index opens ciphertext of 16 bytes of text. Ratios are"
            f" to {BASE}, taken round by round.")
        with self.bench.cluster.session() as self.session:
            self.prepare()
            self.sizes()
            self.build()
            self.lookups()
            self.inserts()
            self.log()
            self.vacuum()
            self.trigrams()

    # ---- tables ----

    def run(self, *statements):
        for statement in statements:
            self.session.query(statement)

    def prepare(self):
        self.run("CREATE EXTENSION pg_steward", "CREATE EXTENSION bloom", "SELECT steward.create_key('bench')",
                 "SET maintenance_work_mem = '256MB'", "SET client_min_messages = warning",
                 *SOURCE.format(table="source", value="(4000000000000000 + i::bigint * 4999999937)::text",
                                rows=self.rows, key=KEY).split(";\n")[:-1],
                 *SOURCE.format(table="few", value=f"'few values ' || i % {DISTINCT}",
                                rows=self.rows, key=KEY).split(";\n")[:-1],
                 f"CREATE TABLE probe AS SELECT i, v, k8, k32, k4 FROM source WHERE i <= {self.probes} ORDER BY hashint8extended(i, 3)",
                 "CREATE TABLE absent AS SELECT i, 'no ' || v AS v, k8 # 1 AS k8, sha256(k32) AS k32, k4 FROM probe",
                 "VACUUM (FREEZE, ANALYZE)")

    def fill(self, variant, source="source", where="true", index=True, options=""):
        """A table of a variant with rows of a source; with an index that is built after them."""
        self.empty(variant, False)
        self.run(f"INSERT INTO {variant.table} SELECT i, {variant.column} FROM {source} WHERE {where} ORDER BY i")
        if index:
            self.index(variant, options)

    def empty(self, variant, index):
        self.run(f"DROP TABLE IF EXISTS {variant.table}",
                 f"CREATE TABLE {variant.table} (i integer, {variant.column} {variant.kind})")
        if index:
            self.index(variant)

    def index(self, variant, options=""):
        self.run(f"CREATE INDEX {variant.table}_index ON {variant.table} USING {variant.index} ({variant.column}) {options}")

    def bytes_per_entry(self, index, rows):
        return int(self.session.value(f"SELECT pg_relation_size('{index}')")) / rows

    def checked(self, index):
        self.run(f"SELECT steward.blind_index_check('{index}', true)")

    # ---- bytes ----

    def sizes(self):
        built, grown, worst, few_built, few_grown = {}, {}, {}, {}, {}
        for name, variant in VARIANTS.items():
            self.fill(variant)
            built[name] = self.bytes_per_entry(f"{variant.table}_index", self.rows)
            self.fill(variant, "few")
            few_built[name] = self.bytes_per_entry(f"{variant.table}_index", self.rows)
            points = self.grow(variant, "source")
            grown[name], worst[name] = sum(points) / len(points), max(points)
            few_grown[name] = self.grow(variant, "few")[-1]
        self.checked(f"{VARIANTS[OURS].table}_index")
        unique_built, unique_grown = self.unique_sizes()
        self.bench.report.section("Bytes an entry")
        self.bench.report.lines(
            f"Grown: by inserts in random order, the mean over {GROWTH_STEPS} sizes from half of the rows to all, and the worst"
            f" of them. Few: {DISTINCT:,} distinct values. The blind index that excludes equal values has"
            f" {number(unique_built)} built and {number(unique_grown)} grown (mean).")
        self.bench.report.table(["variant", "built", "grown", "worst", "few, built", "few, grown"],
                                [[name, *(number(sizes[name]) for sizes in (built, grown, worst, few_built, few_grown))]
                                 for name in VARIANTS])
        for what, value, limit in (("built", built[OURS], 6.0), ("grown", grown[OURS], 8.5), ("grown, worst", worst[OURS], 10.5),
                                   ("few, built", few_built[OURS], 2.7), ("few, grown", few_grown[OURS], 4.0),
                                   ("excluding equal values, built", unique_built, 13)):
            self.bench.report.goal(f"bytes an entry, {what}", value, limit)

    def grow(self, variant, source):
        """Bytes an entry at several sizes between half of the rows and all of them."""
        self.empty(variant, True)
        return self.grow_table(variant.table, variant.column, f"{variant.table}_index", source)

    def grow_table(self, table, column, index, source):
        points = []
        before = 0
        for step in range(GROWTH_STEPS + 1):
            rows = self.rows // 2 + self.rows // 2 * step // GROWTH_STEPS
            self.run(f"INSERT INTO {table} SELECT i, {column} FROM {source} WHERE i > {before} AND i <= {rows}")
            points.append(self.bytes_per_entry(index, rows))
            before = rows
        return points

    def unique_sizes(self):
        exclude = "EXCLUDE USING blind (e WITH =)"
        self.run("DROP TABLE IF EXISTS sole", f"CREATE TABLE sole (i integer, e steward.encrypted_text('{KEY}'))",
                 "INSERT INTO sole SELECT i, e FROM source", f"ALTER TABLE sole ADD CONSTRAINT sole_e {exclude}")
        built = self.bytes_per_entry("sole_e", self.rows)
        self.run("TRUNCATE sole")
        points = self.grow_table("sole", "e", "sole_e", "source")
        self.checked("sole_e")
        self.run("DROP TABLE sole")
        return built, sum(points) / len(points)

    # ---- building ----

    def build(self):
        for variant in VARIANTS.values():
            self.fill(variant, index=False)
            self.run(f"VACUUM (FREEZE, ANALYZE) {variant.table}")
        samples = self.bench.interleave("build", {
            **{name: lambda variant=variant: self.build_one(variant) for name, variant in VARIANTS.items()},
            "opening": lambda: self.opening("true")})
        given = samples[OURS].minus(samples["opening"])
        self.compare(f"Building an index of {self.rows:,} rows", samples, "s", 1,
                     [(f"{OURS}, given tags", given)], ["opening"])
        self.bench.report.goal("building, given tags, × btree(int8)", given.over(samples[BASE]).median, 0.7)

    def build_one(self, variant):
        self.run(f"DROP INDEX IF EXISTS {variant.table}_index")
        return self.session.usage(f"CREATE INDEX {variant.table}_index ON {variant.table} USING {variant.index} ({variant.column})").processor

    def opening(self, where):
        """Opening the values of rows of the source, and comparing each with what it should be, beyond a scan."""
        whole = self.session.usage(f"SELECT count(*) FROM source WHERE {where} AND e = v").processor
        return whole - self.session.usage(f"SELECT count(*) FROM source WHERE {where} AND e IS NOT NULL AND v <> ''").processor

    # ---- looking up ----

    def lookups(self):
        """In a nested-loop join; the tables have their indexes from before."""
        self.run("SET enable_hashjoin = off", "SET enable_mergejoin = off", "SET enable_seqscan = on", "SET enable_material = off",
                 "SET enable_memoize = off", "SET enable_bitmapscan = off")
        self.check_plans()
        found = self.bench.interleave("lookup", {
            **{name: lambda name=name: self.lookup(name, "probe", self.probes) for name in LOOKED_UP},
            "tag": self.tag_alone, "opening": lambda: self.opening(f"i <= {self.probes}")})
        missed = self.bench.interleave("lookup of what is not there", {
            **{name: lambda name=name: self.lookup(name, "absent", 0) for name in LOOKED_UP}, "tag": self.tag_alone})
        self.run("RESET enable_hashjoin", "RESET enable_mergejoin", "RESET enable_material", "RESET enable_memoize", "RESET enable_bitmapscan")
        factor = 1e6 / self.probes
        index = found[OURS].minus(found["tag"]).minus(found["opening"])
        self.compare(f"{self.probes:,} lookups in a nested-loop join", found, "µs a lookup", factor,
                     [(f"{OURS}, without tag and recheck", index)], ["tag", "opening"])
        self.compare("The same of values that no row has", missed, "µs a lookup", factor,
                     [(f"{OURS}, without tag", missed[OURS].minus(missed["tag"]))], ["tag"])
        self.bench.report.goal("lookup, index alone, × btree(int8)", index.over(found[BASE]).median, 0.8)
        self.bench.report.goal("lookup with tag and recheck, × btree(int8)", found[OURS].over(found[BASE]).median, 1.5)

    def join(self, name, probe):
        variant = VARIANTS[name]
        return f"SELECT count(*) FROM {probe} AS p JOIN {variant.table} AS t ON t.{variant.column} = p.{variant.where}"

    def check_plans(self):
        for name in LOOKED_UP:
            plan = "\n".join(row[0] for row in self.session.query(f"EXPLAIN (COSTS OFF) {self.join(name, 'probe')}"))
            if "Nested Loop" not in plan or f"{VARIANTS[name].table}_index" not in plan:
                raise BenchError(f"{name} is not looked up in a nested loop by its index:\n{plan}")

    def lookup(self, name, probe, expected):
        self.session.query(self.join(name, probe))
        count = int(self.session.value(self.join(name, probe)))
        if count != expected:
            raise BenchError(f"{name} found {count} rows instead of {expected}")
        return self.session.usage(self.join(name, probe)).processor

    def tag_alone(self):
        """A keyed hash of each value that is looked for."""
        whole = self.session.usage("SELECT count(steward.plain_text_hash(v)) FROM probe").processor
        return whole - self.session.usage("SELECT count(v) FROM probe").processor

    # ---- inserting ----

    def inserts(self):
        samples = self.bench.interleave("insert", {
            name: lambda variant=variant: self.insert_one(variant) for name, variant in VARIANTS.items()})
        opening = self.bench.interleave("opening", {OURS: lambda: self.opening(f"i > {self.rows // 2}")})[OURS]
        half = self.rows // 2
        plain = samples[BASE]["without"]
        alone = {name: series["with"].minus(series["without"]) for name, series in samples.items()}
        given = alone[OURS].minus(opening)
        self.bench.report.section(f"Inserting {half:,} rows beside as many, in one statement")
        self.bench.report.lines(
            "Rows a second of the whole statement, and what the index takes of it: the time less that of the same"
            " statement on a table without the index. Values come encrypted."
            f" \"{OURS}, given tags\" is the table of {BASE} with the blind index's part, less opening.")
        rows = [[name, f"{half / series['with'].median:,.0f}", number(alone[name].median * 1e6 / half),
                 ratio(samples[BASE]["with"].over(series["with"]))] for name, series in samples.items()]
        whole = plain.combine(given, lambda table, index: table + index)
        rows.append([f"{OURS}, given tags", f"{half / whole.median:,.0f}", number(given.median * 1e6 / half),
                     ratio(samples[BASE]["with"].over(whole))])
        self.bench.report.table(["variant", "rows/s", "µs a row for the index", "× rows/s of btree(int8)"], rows)
        self.bench.report.goal("inserted rows/s, given tags, × btree(int8)", samples[BASE]["with"].over(whole).median, 0.9, at_most=False)

    def insert_one(self, variant):
        half = self.rows // 2
        statement = f"INSERT INTO {variant.table} SELECT i, {variant.column} FROM source WHERE i > {half}"
        took = {}
        for what, index in (("without", False), ("with", True)):
            self.fill(variant, where=f"i <= {half}", index=index)
            self.run("CHECKPOINT")
            took[what] = self.session.usage(statement).processor
        return took

    # ---- the log ----

    def log(self):
        logged = min(self.bench.rows(FULL_LOGGED), self.rows // 4)
        results = {}
        for full_page_writes in ("off", "on"):
            self.run(f"ALTER SYSTEM SET full_page_writes = {full_page_writes}", "SELECT pg_reload_conf()", "SELECT pg_sleep(1)")
            for name, variant in VARIANTS.items():
                without, with_index = (self.logged_bytes(variant, logged, index) for index in (False, True))
                results[name, full_page_writes] = (with_index - without) / logged
        self.run("ALTER SYSTEM RESET full_page_writes", "SELECT pg_reload_conf()")
        base = {setting: results[BASE, setting] for setting in ("off", "on")}
        self.bench.report.section("Bytes of log an insert, for the index")
        self.bench.report.lines(f"{logged:,} inserts into an index of {self.rows - logged:,} rows, without images of full pages"
                                " (full_page_writes = off; an access method may log full pages all the same), and with them, right after"
                                " a checkpoint.")
        self.bench.report.table(
            ["variant", "without full pages", "×", "after a checkpoint", "×"],
            [[name, number(results[name, "off"]), number(results[name, "off"] / base["off"]),
              number(results[name, "on"]), number(results[name, "on"] / base["on"])] for name in VARIANTS])
        self.bench.report.goal("bytes of log an insert, without full pages", results[OURS, "off"], 120)

    def logged_bytes(self, variant, logged, index):
        self.fill(variant, where=f"i <= {self.rows - logged}", index=index)
        self.run("CHECKPOINT")
        before = self.session.value("SELECT pg_current_wal_insert_lsn()")
        self.run(f"INSERT INTO {variant.table} SELECT i, {variant.column} FROM source WHERE i > {self.rows - logged}")
        return int(self.session.value(f"SELECT pg_current_wal_insert_lsn() - '{before}'"))

    # ---- VACUUM ----

    def vacuum(self):
        samples = self.bench.interleave("vacuum", {
            name: lambda variant=variant: self.vacuum_one(variant) for name, variant in VARIANTS.items()})
        self.checked(f"{VARIANTS[OURS].table}_index")
        self.compare("VACUUM after a fifth of the rows was deleted", samples, "s", 1, [], [])

    def vacuum_one(self, variant):
        self.fill(variant)
        self.run(f"VACUUM (FREEZE) {variant.table}", f"DELETE FROM {variant.table} WHERE i % 5 = 0", "CHECKPOINT")
        return self.session.usage(f"VACUUM {variant.table}").processor

    # ---- trigrams ----

    def trigrams(self):
        """LIKE with a pattern of six letters, where the class is there."""
        if self.session.value("SELECT count(*) FROM pg_opclass WHERE opcname = 'blind_trigram_ops'") == "0":
            self.bench.report.lines("Trigrams are not measured: this version has no blind_trigram_ops.")
            return
        rows = self.bench.rows(FULL_TEXTS)
        text = "md5(i::text) || ' ' || md5((i % 1000)::text)"
        self.run("CREATE EXTENSION pg_trgm", f"CREATE TABLE plain_text AS SELECT i, {text} AS v FROM generate_series(1, {rows}) AS i",
                 "CREATE TABLE blind_text (i integer, v steward.encrypted_text('bench/text'))",
                 "INSERT INTO blind_text SELECT i, v FROM plain_text", "VACUUM ANALYZE plain_text", "VACUUM ANALYZE blind_text")
        classes = {"plain_text": "USING gin (v gin_trgm_ops)", "blind_text": "USING blind (v steward.blind_trigram_ops)"}
        builds = {table: self.session.usage(f"CREATE INDEX {table}_v ON {table} {index}").processor for table, index in classes.items()}
        self.run("SET enable_seqscan = off")
        samples = self.bench.interleave("LIKE", {table: lambda table=table: self.like(table) for table in classes})
        self.run("RESET enable_seqscan")
        self.bench.report.section(f"LIKE '%abcdef%' over {rows:,} texts of 65 bytes")
        self.bench.report.table(
            ["index", "bytes a row", "build, s", "search, ms", "× GIN"],
            [[name, number(self.bytes_per_entry(f"{table}_v", rows)), number(builds[table]), number(samples[table].median * 1e3),
              ratio(samples[table].over(samples["plain_text"]))]
             for name, table in (("GIN pg_trgm on plaintext", "plain_text"), ("blind_trigram_ops", "blind_text"))])

    def like(self, table):
        patterns = [row[0] for row in self.session.query("SELECT substr(md5((g * 37)::text), 9, 6) FROM generate_series(1, 20) AS g")]
        query = " UNION ALL ".join(f"SELECT i FROM {table} WHERE v LIKE '%{pattern}%'" for pattern in patterns)
        plan = "\n".join(row[0] for row in self.session.query(f"EXPLAIN (COSTS OFF) {query}"))
        if plan.count(f"{table}_v") != len(patterns):
            raise BenchError(f"{table} is not searched by its index:\n{plan}")
        if len(self.session.query(query)) != len(self.session.query(query.replace(table, "plain_text"))):
            raise BenchError(f"{table} has other texts than plain_text")
        return self.session.usage(f"SELECT count(*) FROM ({query}) AS s").processor / len(patterns)

    # ---- reporting ----

    def compare(self, title, samples, unit, factor, derived, parts):
        """Variants with their ratios; then what was derived of them, and the parts that were measured alone."""
        rows = [*((name, samples[name]) for name in samples if name not in parts), *derived]
        self.bench.report.section(title)
        self.bench.report.table(
            ["variant", unit, "min–max", "× btree(int8)"],
            [[name, number(series.median * factor), spread(Series(value * factor for value in series)), ratio(series.over(samples[BASE]))]
             for name, series in [*rows, *((f"({name} alone)", samples[name]) for name in parts)]])
