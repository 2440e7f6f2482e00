"""Encrypting and decrypting values in SQL, beside pgcrypto and bare C.

Every variant is one query that counts the results over a table of prepared
values.  "scan" reads the same rows without a function; net is a variant minus
the scan of the same round, the cost of the function call alone.
"""
from dataclasses import dataclass

from harness import BenchError
from harness.report import number, ratio, spread

TITLE = "encrypting and decrypting values"

FULL_ROWS = 200_000
SLOW_SHARE = 50             # pgp with its default key stretching runs on 1 of these
SIZES = {16: 1, 1024: 1, 65536: 50}         # bytes → share of the rows used
KEY = "bench"
COLUMN_KEY = "bench/column"
PASSWORD = "correct horse battery staple"
RAW_KEY = r"'\x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'::bytea"
RAW_IV = r"'\x000102030405060708090a0b0c0d0e0f'::bytea"
PGP_FAST = "pgp_sym_encrypt, s2k-mode 0"
C_NAME = "the same composition in C, no database"
OURS = "pg_steward function"
CAST = "pg_steward column cast"


# Encrypted types and an expression over i for their values.
TYPES = {
    "text": "'customer-' || i",
    "bytea": "decode(md5(i::text), 'hex')",
    "jsonb": "jsonb_build_object('id', i, 'name', md5(i::text), 'tags', jsonb_build_array('a', i % 7), 'weight', i * 1.50)",
    "bigint": "i * 1000003::bigint",
    "numeric": "i * 1.05",
    "date": "date '1950-01-01' + i % 20000",
    "timestamptz": "timestamptz '2000-01-01 00:00+00' + i * interval '1 minute'",
}


@dataclass(frozen=True)
class Method:
    """One way to encrypt: SQL expressions over a column v."""
    name: str
    encrypt: str
    decrypt: str
    cipher_type: str = "bytea"
    plain_type: str = "text"
    share: int = 1


METHODS = [
    Method(OURS, f"steward.encrypt_text(v, '{KEY}')", "steward.decrypt(v)",
           f"steward.encrypted_text('{KEY}')"),
    Method(CAST, f"v::steward.encrypted_text('{COLUMN_KEY}')", "v::text",
           f"steward.encrypted_text('{COLUMN_KEY}')"),
    Method(PGP_FAST, f"pgp_sym_encrypt(v, '{PASSWORD}', 's2k-mode=0')",
           f"pgp_sym_decrypt(v, '{PASSWORD}')"),
    Method("pgp_sym_encrypt, default", f"pgp_sym_encrypt(v, '{PASSWORD}')",
           f"pgp_sym_decrypt(v, '{PASSWORD}')", share=SLOW_SHARE),
    Method("raw encrypt aes-cbc, fixed IV, no authentication", f"encrypt(v, {RAW_KEY}, 'aes-cbc')",
           f"decrypt(v, {RAW_KEY}, 'aes-cbc')", plain_type="bytea"),
    Method("raw encrypt_iv aes-cbc, IV given, no authentication",
           f"encrypt_iv(v, {RAW_KEY}, {RAW_IV}, 'aes-cbc')",
           f"decrypt_iv(v, {RAW_KEY}, {RAW_IV}, 'aes-cbc')", plain_type="bytea"),
]


def run(bench):
    bench.cluster.query("CREATE EXTENSION pg_steward; CREATE EXTENSION pgcrypto;"
                        f" SELECT steward.create_key('{KEY}')")
    program = bench.server.compile_program(
        "crypto_c", [bench.root / "test/bench/crypto_c.c",
                     *sorted((bench.root / "src/crypto").glob("*.c"))], "-lsodium")
    explain(bench)
    for size, share in SIZES.items():
        Size(bench, program, size, bench.rows(FULL_ROWS // share)).measure()
    explain_types(bench)
    for kind, source in TYPES.items():
        OfType(bench, kind, source, bench.rows(FULL_ROWS)).measure()


def explain(bench):
    bench.report.lines(
        "Times are µs of processor time per value. *gross* is the whole query, *net* is gross minus"
        " the scan of the same round. Ratios are of net times, round by round; the yardstick is the"
        f" {OURS}: 5 means that a variant takes five times as long. Raw encrypt neither authenticates"
        " nor makes an IV: it is the floor of pgcrypto, not an equal. 64 kB is measured on a fiftieth"
        " of the rows, because 200,000 such values are 13 GB a table; pgp with its default key"
        " stretching on a fiftieth of those, because it is so slow.")


class Size:
    """All variants at one size of plaintext."""

    def __init__(self, bench, program, size, rows):
        self.bench = bench
        self.program = program
        self.size = size
        self.rows = rows

    def measure(self):
        self.prepare()
        for verb in ("encrypt", "decrypt"):
            samples = self.samples(verb)
            c_series = samples.pop(C_NAME)
            scan = samples.pop("scan")
            self.report(verb, c_series, scan, samples)
        self.bench.cluster.query("DROP TABLE " + ", ".join(self.tables()))

    def rows_of(self, method):
        return max(1, self.rows // method.share)

    def tables(self):
        return ["plain_text", "plain_bytea"] + [f"cipher_{i}" for i in range(len(METHODS))]

    def prepare(self):
        """Tables of plaintext and, method by method, of its ciphertext."""
        digits = f"left(repeat(md5(i::text), {self.size // 32 + 1}), {self.size})"
        sql = ["CREATE TABLE plain_text (v text)", "CREATE TABLE plain_bytea (v bytea)"]
        sql += [f"CREATE TABLE cipher_{i} (v {method.cipher_type})"
                for i, method in enumerate(METHODS)]
        sql += [f"ALTER TABLE {table} ALTER v SET STORAGE EXTERNAL" for table in self.tables()]
        sql += [f"INSERT INTO plain_text SELECT {digits} FROM generate_series(1, {self.rows}) AS i",
                "INSERT INTO plain_bytea SELECT convert_to(v, 'UTF8') FROM plain_text"]
        sql += [f"INSERT INTO cipher_{i} SELECT {method.encrypt}"
                f" FROM {self.plain(method)} LIMIT {self.rows_of(method)}"
                for i, method in enumerate(METHODS)]
        sql += ["VACUUM (FREEZE, ANALYZE)", "CHECKPOINT"]
        with self.bench.cluster.session() as session:
            for statement in sql:
                session.query(statement)
            for i, method in enumerate(METHODS):
                self.check(session, i, method)

    @staticmethod
    def plain(method):
        return f"plain_{method.plain_type}"

    def check(self, session, index, method):
        """What is measured must do its job: every value comes back."""
        sums = [session.query(f"SELECT count(v), sum(('x' || left(md5(v), 15))::bit(60)::bigint)"
                              f" FROM ({source}) AS source")
                for source in (f"SELECT {method.decrypt} AS v FROM cipher_{index}",
                               f"SELECT v FROM {self.plain(method)} LIMIT {self.rows_of(method)}")]
        if sums[0] != sums[1] or int(sums[0][0][0]) != self.rows_of(method):
            raise BenchError(f"{method.name}: the values that came back are not those that went in")

    def samples(self, verb):
        """One function a variant; each returns µs per value."""
        field = {"encrypt": 0, "decrypt": 1}[verb]
        # From about 2 kB values lie out of line: the scan then has to fetch them.
        touch = "v" if self.size < 2000 else "v > '' COLLATE \"C\""
        variants = {"scan": lambda: self.query_us(touch, "plain_text", self.rows)}
        for i, method in enumerate(METHODS):
            expression = getattr(method, verb)
            table = self.plain(method) if verb == "encrypt" else f"cipher_{i}"
            variants[method.name] = (lambda expression=expression, table=table, method=method:
                                     self.query_us(expression, table, self.rows_of(method)))
        variants[C_NAME] = lambda: self.c_us()[field]
        return self.bench.interleave(f"{verb} {label(self.size)}", variants)

    def query_us(self, expression, table, rows):
        """µs per value to count an expression over a table, caches warm."""
        source = table if rows == self.rows else f"(SELECT v FROM {table} LIMIT {rows}) AS few"
        with self.bench.cluster.session() as session:
            session.query(f"SELECT count({expression}) FROM (SELECT v FROM {table} LIMIT 10) AS warm")
            session.query(f"SELECT count(v) FROM {table}")
            return session.usage(f"SELECT count({expression}) FROM {source}").processor * 1e6 / rows

    def c_us(self):
        output = self.bench.execute([self.program, self.size, self.rows])
        return [float(word) / 1000 for word in output.split()]

    def report(self, verb, c_series, scan, samples):
        report = self.bench.report
        net = {name: series.minus(scan) for name, series in samples.items()}
        report.section(f"{verb} {label(self.size)}, {self.rows:,} values")
        rows = [[name, f"{self.rows_of(method_named(name)):,}", number(series.median),
                 spread(series), number(net[name].median), ratio(net[name].over(net[OURS]))]
                for name, series in samples.items()]
        rows.append([C_NAME, f"{self.rows:,}", number(c_series.median), spread(c_series),
                     number(c_series.median), ratio(c_series.over(net[OURS]))])
        rows.append(["scan", f"{self.rows:,}", number(scan.median), spread(scan), "", ""])
        report.table(["variant", "values", "gross µs", "min–max", "net µs",
                      "× pg_steward (net)"], rows)
        self.goals(verb, c_series, samples[OURS], net)

    def goals(self, verb, c_series, gross, net):
        report = self.bench.report
        if self.size == 16:
            limit, c_reference = {"encrypt": (1.2, 0.85), "decrypt": (1.0, 0.75)}[verb]
            report.goal(f"{verb} 16 B in SQL, net µs", net[OURS].median, limit)
            report.goal(f"{verb} 16 B in SQL, gross µs", gross.median, limit)
            report.goal(f"{verb} 16 B in SQL, net, × C", net[OURS].over(c_series).median,
                        limit / c_reference)
            report.goal(f"{PGP_FAST}: {verb} 16 B, × pg_steward (net)",
                        net[PGP_FAST].over(net[OURS]).median, 10, at_most=False)


class OfType:
    """One encrypted type beside what pgcrypto makes of the text of its values."""

    def __init__(self, bench, kind, source, rows):
        self.bench = bench
        self.kind = kind
        self.source = source
        self.rows = rows

    def methods(self):
        kind = self.kind
        return [
            Method(CAST, f"v::steward.encrypted_{kind}('{COLUMN_KEY}')", f"v::{kind}",
                   f"steward.encrypted_{kind}('{COLUMN_KEY}')"),
            Method(PGP_FAST, f"pgp_sym_encrypt(v::text, '{PASSWORD}', 's2k-mode=0')",
                   f"pgp_sym_decrypt(v, '{PASSWORD}')::{kind}"),
            Method("raw encrypt aes-cbc, fixed IV, no authentication",
                   f"encrypt(convert_to(v::text, 'UTF8'), {RAW_KEY}, 'aes-cbc')",
                   f"convert_from(decrypt(v, {RAW_KEY}, 'aes-cbc'), 'UTF8')::{kind}"),
            Method("text there and back, nothing encrypted", "convert_to(v::text, 'UTF8')",
                   f"convert_from(v, 'UTF8')::{kind}"),
        ]

    def measure(self):
        self.prepare()
        for verb in ("encrypt", "decrypt"):
            samples = self.bench.interleave(f"{verb} {self.kind}", self.variants(verb))
            scan = samples.pop("scan")
            self.report(verb, scan, samples)
        self.bench.cluster.query("DROP TABLE plain, " + ", ".join(
            f"cipher_{i}" for i in range(len(self.methods()))))

    def prepare(self):
        with self.bench.cluster.session() as session:
            session.query(f"CREATE TABLE plain AS SELECT ({self.source})::{self.kind} AS v"
                          f" FROM generate_series(1, {self.rows}) AS i")
            for i, method in enumerate(self.methods()):
                session.query(f"CREATE TABLE cipher_{i} (v {method.cipher_type})")
                session.query(f"INSERT INTO cipher_{i} SELECT {method.encrypt} FROM plain")
                wrong = session.value(
                    f"SELECT count(*) FROM (SELECT {method.decrypt} AS v, row_number() OVER () AS n"
                    f" FROM cipher_{i}) AS a FULL JOIN (SELECT v, row_number() OVER () AS n"
                    " FROM plain) AS b USING (n) WHERE a.v::text IS DISTINCT FROM b.v::text")
                if int(wrong) != 0:
                    raise BenchError(f"{method.name}: {wrong} values of type {self.kind} did not come back")
            session.query("VACUUM (FREEZE, ANALYZE)")
            session.query("CHECKPOINT")

    def variants(self, verb):
        variants = {"scan": lambda: self.query_us("v", "plain")}
        for i, method in enumerate(self.methods()):
            expression = getattr(method, verb)
            table = "plain" if verb == "encrypt" else f"cipher_{i}"
            variants[method.name] = (lambda expression=expression, table=table:
                                     self.query_us(expression, table))
        return variants

    def query_us(self, expression, table):
        with self.bench.cluster.session() as session:
            session.query(f"SELECT count({expression}) FROM (SELECT v FROM {table} LIMIT 10) AS warm")
            session.query(f"SELECT count(v) FROM {table}")
            usage = session.usage(f"SELECT count({expression}) FROM {table}")
            return usage.processor * 1e6 / self.rows

    def report(self, verb, scan, samples):
        net = {name: series.minus(scan) for name, series in samples.items()}
        self.bench.report.section(f"{verb} {self.kind}, {self.rows:,} values")
        self.bench.report.table(
            ["variant", "gross µs", "min–max", "net µs", "× pg_steward (net)"],
            [[name, number(series.median), spread(series), number(net[name].median),
              ratio(net[name].over(net[CAST]))] for name, series in samples.items()] +
            [["scan", number(scan.median), spread(scan), "", ""]])


def explain_types(bench):
    bench.report.lines(
        "Each encrypted type below is cast from and to its plaintext type. pgcrypto knows text and"
        " bytes: its variants encrypt the text of the value, and read it again after decryption."
        " The last variant does the same without a cipher, the share that the text alone has.")


def method_named(name):
    return next(method for method in METHODS if method.name == name)


def label(size):
    return f"{size} B" if size < 1024 else f"{size // 1024} kB"
