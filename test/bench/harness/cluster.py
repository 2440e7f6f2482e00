"""The server under measurement: build, install, throw-away cluster, sessions.

Root cannot run PostgreSQL: when we are root, everything that belongs to the
server (initdb, psql, pgbench, the key file) runs as the user postgres.
"""
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from . import BenchError

SERVER_USER = "postgres"
SOURCES = ("Makefile", "pg_steward.control", "src", "sql")
SENTINEL = "--bench-done--"
TIME_LINE = re.compile(r"^Time: ([0-9.]+) ms")
USAGE_LINE = re.compile(r"^!\s+([0-9.]+) s user, ([0-9.]+) s system, ([0-9.]+) s elapsed")


def execute(command, **options):
    """Runs a command to its end and returns its output; fails loudly."""
    done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False, **options)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(map(str, command))} failed:\n{done.stdout}")
    return done.stdout


class Server:
    """One PostgreSQL installation, with this tree built and installed into it.

    The build happens in a copy, so that objects left over from another server
    version or other flags are never what is measured.
    """

    def __init__(self, root):
        self.root = root
        self.pg_config = os.environ.get("PG_CONFIG", "pg_config")
        if shutil.which(self.pg_config) is None:
            raise BenchError(f"{self.pg_config} is not there: set PG_CONFIG")
        self.bindir = pathlib.Path(self.ask("--bindir"))
        self.as_root = os.geteuid() == 0

    def __enter__(self):
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="pg_steward-bench-"))
        self.work.chmod(0o755)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.work, ignore_errors=True)

    def ask(self, question):
        return execute([self.pg_config, question]).strip()

    def program(self, name, *arguments):
        """The command line that runs one of the server's programs as its user."""
        prefix = ["runuser", "-u", SERVER_USER, "--"] if self.as_root else []
        return [*prefix, self.bindir / name, *arguments]

    def private_directory(self, name):
        """A new directory that belongs to the server's user alone."""
        path = self.work / name
        path.mkdir(mode=0o700)
        if self.as_root:
            user = pwd.getpwnam(SERVER_USER)
            os.chown(path, user.pw_uid, user.pw_gid)
        return path

    def build_and_install(self):
        print("bench: building and installing", file=sys.stderr)
        copy = self.work / "tree"
        copy.mkdir()
        for name in SOURCES:
            source = self.root / name
            if source.is_dir():
                shutil.copytree(source, copy / name,
                                ignore=shutil.ignore_patterns("*.o", "*.bc", "*.so"))
            elif source.exists():
                shutil.copy2(source, copy / name)
        for target in ("all", "install"):
            execute(["make", "-C", copy, f"PG_CONFIG={self.pg_config}", target],
                    env={key: value for key, value in os.environ.items() if key != "MAKEFLAGS"})

    def compile_program(self, name, sources, *libraries):
        """Compiles a small C program against src/ and returns its path."""
        program = self.work / name
        execute(["cc", "-O2", f"-I{self.root / 'src'}", *sources, *libraries, "-o", program])
        return program

    def compile_module(self, name, source):
        """Compiles a loadable module and returns the path to load it by."""
        module = self.work / f"{name}.so"
        execute(["cc", "-O2", "-fPIC", "-shared", f"-I{self.root / 'src'}",
                 f"-I{self.ask('--includedir-server')}", source, "-o", module])
        module.chmod(0o755)
        return module


class Cluster:
    """A throw-away cluster with pg_steward preloaded and a root key outside it.

    settings: those that a member wants beside or instead of the usual; "preload" names libraries
    of others that are preloaded, too.
    """

    def __init__(self, server, settings=None):
        self.server = server
        wanted = dict(settings or {})
        self.preload = ["pg_steward", *wanted.pop("preload", [])]
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
        self.settings = {
            "shared_buffers": f"{min(2048, memory // 4)}MB",
            "synchronous_commit": "off",
            "max_wal_size": "16GB",
            "checkpoint_timeout": "1h",
            "autovacuum": "off",
            "jit": "off",
            "max_parallel_workers_per_gather": "0",
            "synchronize_seqscans": "off",
            **wanted,
        }

    def __enter__(self):
        self.directory = self.server.private_directory("cluster")
        self.data = self.directory / "data"
        key = self.directory / "root.key"
        execute(self.server.program("initdb", "-D", self.data, "-A", "trust", "-E", "UTF8",
                                    "--locale=C.UTF-8", "-U", "bench"))
        execute(self.server.program("pg_steward_keygen", key))
        self.configure(key)
        self.control("start")
        return self

    def __exit__(self, *_):
        try:
            self.control("stop")
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def configure(self, key):
        fixed = {
            "shared_preload_libraries": ", ".join(self.preload),
            "steward.root_key_file": key,
            "listen_addresses": "",
            "unix_socket_directories": self.directory,
        }
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as conf:
            for name, value in {**fixed, **self.settings}.items():
                conf.write(f"{name} = '{value}'\n")

    def control(self, action):
        log = self.directory / "log"
        try:
            execute(self.server.program("pg_ctl", "-D", self.data, "-l", log, "-w", "-m", "fast",
                                        action))
        except BenchError as error:
            text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
            raise BenchError(f"{error}\n{text}") from error

    def settings_text(self):
        return ", ".join(f"`{name} = {value}`" for name, value in self.settings.items())

    def connect_options(self, database):
        return ["-h", self.directory, "-U", "bench", database]

    def session(self, database="postgres"):
        return Session(self, database)

    def query(self, sql, database="postgres"):
        with self.session(database) as session:
            return session.query(sql)

    def pgbench(self, database, script, *options):
        """Runs a pgbench script (its text): transactions a second, and how many in all."""
        path = self.directory / "pgbench.sql"
        path.write_text(script, encoding="utf-8")
        output = execute(self.server.program("pgbench", "-n", "-M", "prepared", "-f", path,
                                             *options, *self.connect_options(database)))
        found = re.search(r"^tps = ([0-9.]+)", output, re.MULTILINE)
        done = re.search(r"^number of transactions actually processed: (\d+)", output, re.MULTILINE)
        failed = re.search(r"^number of failed transactions: [1-9]", output, re.MULTILINE)
        if found is None or done is None or failed is not None:
            raise BenchError(f"pgbench did not measure:\n{output}")
        return float(found.group(1)), int(done.group(1))


    def clients(self, database, script, count, rate):
        """Clients that run a pgbench script at so many transactions a second in all, until they are stopped."""
        return Clients(self, database, script, count, rate)


class Clients:
    """Clients of pgbench beside something that is measured."""

    def __init__(self, cluster, database, script, count, rate):
        self.directory = cluster.server.private_directory("clients")
        path = self.directory / "pgbench.sql"
        path.write_text(script, encoding="utf-8")
        path.chmod(0o644)
        # -T so that pgbench has a timer, which ends it at the signal below with its log complete.
        command = [cluster.server.bindir / "pgbench", "-n", "-M", "prepared", "-f", path, "-c", count, "-j", 1,
                   "-R", rate, "-T", 86400, "--log", f"--log-prefix={self.directory / 'log'}",
                   *cluster.connect_options(database)]
        user = {"user": SERVER_USER, "group": SERVER_USER, "extra_groups": []} if cluster.server.as_root else {}
        self.pgbench = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **user)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.pgbench.poll() is None:
            self.pgbench.kill()
        self.pgbench.communicate()
        shutil.rmtree(self.directory, ignore_errors=True)

    def stop(self):
        """Ends them; (end, milliseconds) of each transaction, counted from when it was to begin, and none that failed."""
        self.pgbench.send_signal(signal.SIGALRM)
        output, _ = self.pgbench.communicate(timeout=600)
        if self.pgbench.returncode != 0 or "number of failed transactions: 0 " not in output:
            raise BenchError(f"pgbench did not measure:\n{output}")
        lines = [line.split() for path in self.directory.glob("log.*") for line in path.read_text().splitlines()]
        return [(int(words[4]) + int(words[5]) / 1e6, int(words[2]) / 1000) for words in lines]


@dataclass(frozen=True)
class Usage:
    """Seconds that a statement took, its commit included."""
    processor: float
    elapsed: float


class Session:
    """One psql that stays open: the connection is no part of what is timed."""

    def __init__(self, cluster, database):
        command = cluster.server.program("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
                                         *cluster.connect_options(database))
        self.psql = subprocess.Popen([str(word) for word in command], text=True,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, env={**os.environ, "LC_ALL": "C"})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.psql.stdin.close()
        self.psql.wait()
        self.psql.stdout.close()

    def send(self, text):
        """Hands psql some text and returns the lines it answers."""
        try:
            self.psql.stdin.write(f"{text}\n\\echo {SENTINEL}\n")
            self.psql.stdin.flush()
        except BrokenPipeError:
            pass
        lines = []
        for line in self.psql.stdout:
            if line.rstrip("\n") == SENTINEL:
                return lines
            lines.append(line.rstrip("\n"))
        raise BenchError(f"psql stopped at:\n{text}\n" + "\n".join(lines))

    def query(self, sql):
        """Rows of text columns; a NULL is an empty string."""
        return [line.split("|") for line in self.send(f"{sql.rstrip(';')};")]

    def value(self, sql):
        return self.query(sql)[0][0]

    def seconds(self, sql):
        """Runs one statement in a transaction of its own: seconds with its commit."""
        lines = self.send(f"\\timing on\n{sql.rstrip(';')};\n\\timing off")
        times = [float(found.group(1)) for found in map(TIME_LINE.match, lines) if found]
        if len(times) != 1:
            raise BenchError(f"expected one time for one statement:\n{sql}\n" + "\n".join(lines))
        return times[0] / 1000

    def usage(self, sql):
        """Runs one statement in a transaction of its own; what the server says it took.

        Programs that compete for the processor lengthen the elapsed time, but
        hardly the processor time: that one is for work that waits for nothing.
        """
        lines = self.send("SET client_min_messages = log;\nSET log_statement_stats = on;\n"
                          f"{sql.rstrip(';')};\nRESET log_statement_stats;\nRESET client_min_messages;")
        # The second report is that of the RESET.
        found = [match.groups() for match in map(USAGE_LINE.match, lines) if match]
        if len(found) != 2:
            raise BenchError(f"expected the usage of one statement:\n{sql}\n" + "\n".join(lines))
        user, system, elapsed = map(float, found[0])
        return Usage(user + system, elapsed)
