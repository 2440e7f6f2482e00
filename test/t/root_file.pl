# Root keys from a file: every reason to refuse one, what clients and logs see of
# it, several roots, and reloads in running sessions.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $good = steward_keyring(more => 1);
my @roots = steward_root_keys($good);
my $directory = steward_directory('cases');
my $node = steward_node('main', preload => 0, keyring => $good);
my $data = $node->data_dir;
my $probe = "SELECT steward.encrypt_text('x', 'pii')";

is(scalar @roots, 2, 'the keyring has two roots');
$node->safe_psql(
	'postgres', q{
SELECT steward.create_key('pii');
CREATE TABLE t (id int, v steward.encrypted_text('pii/t.v'));
INSERT INTO t VALUES (1, 'under the second root');
});
is($node->safe_psql('postgres', 'SELECT v::text FROM t'),
	'under the second root', 'the library works without being preloaded');

# ---- refusals ----

sub write_file
{
	my ($name, $content, $mode) = @_;
	my $path = $name =~ m{^/} ? $name : "$directory/$name";

	open(my $file, '>:raw', $path) or die "cannot write $path: $!";
	print $file $content;
	close $file or die "cannot write $path: $!";
	chmod $mode // 0600, $path or die "cannot chmod $path: $!";
	return $path;
}

# Sets the file and tells how it is refused; nothing of it reaches the client.
sub refused
{
	my ($path, $pattern, $name, %options) = @_;
	my $offset = -s $node->logfile;
	my $error;
	my $log;

	steward_set($node, 'steward.root_key_file' => $path);
	$error = steward_error($node, $probe);
	like($error, qr/^ERROR:.*$pattern/ms, "refused: $name");
	like($error, qr/^HINT: /m, "a hint: $name");
	return if $options{no_path};
	unlike($error, qr/\Q$path\E/, "the client does not see the path: $name");
	$log = slurp_file($node->logfile, $offset);
	like($log, qr/File: "\Q$path\E"/, "the log says which file: $name");
	for my $root (@roots)
	{
		unlike($error . $log, qr/\Q$root->{base64}\E/, "no key is shown: $name");
	}
	return;
}

my @lines = map { $_->{line} } @roots;
my $wrong_id = $lines[0] =~ s/^root (.)/'root ' . ($1 eq '0' ? '1' : '0')/er;
my $file = 'root key file cannot be used';

refused('', 'no root key is available.*Neither', 'no source', no_path => 1);
steward_set($node, 'steward.root_key_command' => 'cat /dev/null');
refused($good, 'no root key is available.*Both', 'both sources', no_path => 1);
steward_set($node, 'steward.root_key_command' => undef);
refused("$directory/missing", "$file.*does not exist", 'missing');
refused('root.key', "$file.*not absolute", 'relative path');
refused($directory, "$file.*not a regular file.*\nHINT:  Write it with pg_steward_keygen", 'a directory');
refused("$good/below", "$file.*cannot be resolved", 'a path through a file');
refused('/dev/null', "$file.*not a regular file", 'a device');
refused(write_file('group', $lines[0], 0640), "$file.*accessible by group or others", 'group may read');
refused(write_file('world', $lines[0], 0604), "$file.*accessible by group or others", 'world may read');
refused(write_file('groupwrite', $lines[0], 0620), "$file.*accessible by group or others", 'group may write');
refused(write_file('closed', $lines[0], 0000), "$file.*may not open the file.*\nHINT:  Make the server's user the owner", 'nobody may read');
refused(write_file('empty', ''), "$file.*is empty", 'empty');
refused(write_file('comments', "# nothing\n\n"), "$file.*The file holds no root key", 'comments only');
refused(write_file('large', $lines[0] . ('#' x 16384)), "$file.*too large", 'too large');
refused(write_file('badline', "# first\n" . "key $lines[0]"), "$file.*In line 2: the line is not of the form", 'bad line');
refused(write_file('badbase64', $lines[0] =~ s/ (\S)(\S{43})$/ !$2/r), "$file.*In line 1: the key is not 32 bytes", 'bad base64');
refused(write_file('short', substr($lines[0], 0, 40) . "\n"), "$file.*In line 1: the key is not 32 bytes", 'short key');
refused(write_file('mismatch', $lines[1] . $wrong_id), "$file.*In line 2: the id does not belong to the key", 'id of another key');
refused(write_file('twice', "$lines[0]$lines[1]$lines[0]"), "$file.*In line 3: the same root key stands in it twice", 'twice the same root');
refused(write_file('zero', "\0" x 100), "$file.*In line 1: the line is not of the form", 'zero bytes');
refused(write_file("$data/root.key", $lines[0]), "$file.*inside the data directory", 'inside the data directory');
symlink("$data/root.key", "$directory/into") or die $!;
refused("$directory/into", "$file.*inside the data directory", 'a symbolic link into the data directory');
symlink($data, "$directory/door") or die $!;
refused("$directory/door/root.key", "$file.*inside the data directory", 'a path through a linked directory');
refused("$directory/../" . 'x' x 300, "$file.*(cannot be resolved|does not exist)", 'a name that is too long');
symlink("$directory/loop", "$directory/loop") or die $!;
refused("$directory/loop", "$file.*cannot be resolved", 'a loop of symbolic links');
unlink "$data/root.key" or die $!;

# A FIFO would hang whoever opens it for reading.
{
	my $since = time;

	system_or_bail('mkfifo', '-m', '600', "$directory/fifo");
	refused("$directory/fifo", "$file.*not a regular file", 'a FIFO');
	cmp_ok(time - $since, '<', 20, 'a FIFO does not hang the session');
}

symlink($good, "$directory/link") or die $!;
steward_set($node, 'steward.root_key_file' => "$directory/link");
is(steward_error($node, $probe), '', 'a symbolic link to a good file outside is fine');
write_file('crlf', join('', map { s/\n/\r\n/r } "# mine\n", @lines));
steward_set($node, 'steward.root_key_file' => "$directory/crlf");
is(steward_error($node, $probe), '', 'line ends of another system and comments are fine');
write_file("$data-beside", join('', @lines));
steward_set($node, 'steward.root_key_file' => "$data-beside");
is(steward_error($node, $probe), '', 'a name that only begins as the data directory does is fine');
unlink "$data-beside" or die $!;

# ---- several roots, and reloads in a running session ----

my $current = write_file('current', $lines[1]);

sub new_keyring
{
	my ($session, $content) = @_;

	write_file('current', $content);
	steward_set($node, 'steward.root_key_file' => $current);
	steward_await($session);
	return;
}

my $session = steward_session($node);
my $old_root = q{SELECT pg_catalog.encode(root_id, 'hex') FROM steward.key_version v JOIN steward.key k USING (key_id) WHERE k.path = };

new_keyring($session, $lines[1]);
is($session->query('SELECT v::text FROM t'), 'under the second root', 'a keyring with one root opens what is under it');
$session->query(q{SET plan_cache_mode = force_generic_plan;
PREPARE add(int) AS INSERT INTO t VALUES ($1, 'constant of a plan');
PREPARE find(text) AS SELECT id FROM t WHERE v = $1 ORDER BY id;
PREPARE literal AS SELECT id FROM t WHERE v = 'constant of a plan'::steward.encrypted_text('pii/t.v') ORDER BY id;
PREPARE bare AS SELECT pg_catalog.count(*) FROM t WHERE v = 'constant of a plan'::steward.encrypted_text;});
is(steward_error($session, 'EXECUTE add(2)'), '', 'a prepared statement with a constant');
is($session->query("EXECUTE find('constant of a plan')"), '2', 'found by a parameter');
is($session->query('EXECUTE literal'), '2', 'found by a constant');
is($session->query('EXECUTE bare'), '1', 'found by a transient constant');

# A new root is added: what is under the old one still opens.
my $third = (steward_root_keys(steward_keyring()))[0];
new_keyring($session, $lines[1] . $third->{line});
is($session->query('EXECUTE bare'), '1', 'a plan with a transient constant survives a new root');
is(steward_error($session, 'EXECUTE add(3)'), '', 'and one that inserts it');
is($session->query(q{SELECT pg_catalog.count(*) FROM t WHERE v::text = 'constant of a plan'}), '2', 'its value is right');
$session->query(q{SELECT steward.create_key('later')});
is($session->query("$old_root 'pii'"), $roots[1]{id}, 'the old key stays under the old root');
is($session->query("$old_root 'later'"), $third->{id}, 'a new key is wrapped under the last root');
is($session->query('SELECT v::text FROM t WHERE id = 1'), 'under the second root', 'values under the old root open');

# How many rows a plan expects: by a blind index, as long as there are keys for it.
sub estimate
{
	my $plan = $session->query('EXPLAIN SELECT * FROM n WHERE v = 1');

	return $plan =~ /rows=([0-9]+)/ ? $1 : $plan;
}

$session->query(q{CREATE TABLE n (v steward.encrypted_bigint('pii/n.v')); CREATE INDEX ON n USING blind (v);
INSERT INTO n SELECT greatest(1, g - 500) FROM generate_series(1, 800) AS g; ANALYZE n});
is(estimate(), '501', 'an estimate that a blind index gives');

# The old root is removed: an error that names it; constants go on.
new_keyring($session, $third->{line});
cmp_ok(estimate(), '<', 10, 'without its root EXPLAIN works, and says what is usual');
my $missing = qr/^ERROR:  root key $roots[1]{id} is not in the keyring\n.*HINT: .*reload/s;
like(steward_error($session, 'SELECT v::text FROM t WHERE id = 1'), $missing, 'a removed root is named');
like(steward_error($session, 'EXECUTE bare'), $missing, 'also by a plan with a constant of the old root');
is($session->query(q{SELECT steward.encrypt_text('y', 'later')::text}), 'y', 'keys under the other root work');
is($session->query('SELECT pg_catalog.count(*) FROM t'), '3', 'ciphertext can still be read');
is($session->query(q{SELECT pg_catalog.count(*) FROM t WHERE v::pg_catalog.text IS NULL}), '', 'nothing decrypts');
$session->{stderr} = '';

# The same after the old root went while a plan with its constant was cached:
# constants are sealed anew, not refused.
$session->query(q{CREATE TABLE u (v steward.encrypted_text('later/u.v')); INSERT INTO u VALUES ('other constant');
PREPARE other AS SELECT pg_catalog.count(*) FROM u WHERE v = 'other constant'::steward.encrypted_text});
is($session->query('EXECUTE other'), '1', 'a plan with a constant of the third root');
my $fourth = (steward_root_keys(steward_keyring()))[0];
new_keyring($session, $fourth->{line});
like(steward_error($session, 'EXECUTE other'), qr/^ERROR:  root key $third->{id} is not in the keyring/, 'all keys are under a removed root');
new_keyring($session, $lines[1] . $fourth->{line} . $third->{line});
is($session->query('EXECUTE other'), '1', 'all is well when the root returns');
is($session->query('EXECUTE bare'), '2', 'for older plans as well');
is(estimate(), '501', 'and for estimates');

# A plan whose constant was sealed under a root that went: at most one error
# that says what to do, then the plan is made anew.
new_keyring($session, $lines[1] . $third->{line});
is($session->query('EXECUTE bare'), '2', 'a plan with a constant of the third root');
new_keyring($session, $lines[1]);
like(steward_error($session, 'EXECUTE bare'), qr/^(ERROR:  a constant was sealed under a root key that is no longer in the keyring\nHINT:  Run the statement again\.)?$/, 'its root goes');
is($session->query('EXECUTE bare'), '2', 'the next run has a new constant');

# A file that breaks fails closed; mending it heals.
new_keyring($session, 'rubbish');
like(steward_error($session, 'SELECT v::text FROM t WHERE id = 1'), qr/^ERROR:  $file/, 'a broken file: nothing decrypts');
like(steward_error($session, q{INSERT INTO t VALUES (9, 'new')}), qr/^ERROR:  $file/, 'a broken file: nothing is stored');
like(steward_error($session, 'EXECUTE bare'), qr/^ERROR:  $file/, 'a broken file: nothing compares');
like(steward_error($session, q{SELECT 'literal'::steward.encrypted_text}), qr/^ERROR:  $file/, 'a broken file: no transient values');
is($session->query('SELECT pg_catalog.count(*) FROM t'), '3', 'ciphertext can still be read');
write_file('current', $lines[1]);
is($session->query('SELECT v::text FROM t WHERE id = 1'), 'under the second root', 'a mended file heals without a reload');

# ---- a root that was added to the live file, before the reload ----

my $fifth = (steward_root_keys(steward_keyring()))[0];
my $sixth = (steward_root_keys(steward_keyring()))[0];
my $unknown = qr/^ERROR:  root key $sixth->{id} is not in the keyring/;

is($session->query(q{SELECT steward.encrypt_text('x', 'pii') IS NOT NULL}), 't', 'a session has the roots of before');
write_file('current', $lines[1] . $fifth->{line});
$node->safe_psql('postgres', q{SELECT steward.create_key('fifth'); CREATE TABLE f (v steward.encrypted_text('fifth/f.v')); INSERT INTO f VALUES ('under the fifth')});
is($session->query("$old_root 'fifth'"), $fifth->{id}, 'a new session wraps under the new root');
is(steward_error($session, 'SELECT v::text FROM f'), '', 'a session from before reads the file again');
is($session->query('SELECT v::text FROM f'), 'under the fifth', 'and has the new root');
is($session->query('SELECT v::text FROM t WHERE id = 1'), 'under the second root', 'besides the old one');

# A broken file leaves it what it had.
write_file('current', $lines[1] . $fifth->{line} . $sixth->{line});
$node->safe_psql('postgres', q{SELECT steward.create_key('sixth'); CREATE TABLE s (v steward.encrypted_text('sixth/s.v')); INSERT INTO s VALUES ('under the sixth')});
write_file('current', 'rubbish');
my $offset = -s $node->logfile;
like(steward_error($session, 'SELECT v::text FROM s'), $unknown, 'a file that broke: the root stays unknown');
steward_error($session, 'SELECT v::text FROM s') for 1 .. 50;
my $told = () = slurp_file($node->logfile, $offset) =~ /LOG:  root key file cannot be used, so the root keys stay/g;
cmp_ok($told, '>=', 1, 'the log says why it was read in vain');
cmp_ok($told, '<', 20, 'and it is not read each time');
is($session->query('SELECT v::text FROM f'), 'under the fifth', 'what the session had stays in force');
write_file('current', $lines[1] . $fifth->{line} . $sixth->{line}, 0644);
like(steward_error($session, 'SELECT v::text FROM s'), $unknown, 'the same checks as ever');
write_file('current', $lines[1] . $fifth->{line} . $sixth->{line});
is($session->query('SELECT v::text FROM s'), 'under the sixth', 'until the file is mended');
$session->quit;

# ---- nobody but the superuser sets the sources ----

steward_set($node, 'steward.root_key_file' => $good);
$node->safe_psql('postgres', 'CREATE ROLE mallory LOGIN; CREATE DATABASE mallory_db OWNER mallory');
$node->safe_psql('mallory_db', q{CREATE EXTENSION pg_steward; SELECT steward.create_key('pii')});

# Loads the library in a session of hers, then shows the setting.
sub seen_by_mallory
{
	my ($name, $before) = @_;
	my $out;

	$node->psql('mallory_db', "$before;\nSELECT steward.has_key_privilege('mallory', 'pii', 'decrypt');\nSELECT 'value: ' || pg_catalog.current_setting('$name')",
		stdout => \$out, on_error_stop => 0, extra_params => [ '-U', 'mallory' ]);
	return $out;
}

for my $setting (
	[ 'allow_unkeyed_ddl', 'on' ], [ 'protect_memory', 'off' ],
	[ 'root_key_timeout', '200ms' ])
{
	my ($name, $value) = ("steward.$setting->[0]", $setting->[1]);

	like(steward_error($node, "SELECT steward.has_key_privilege('mallory', 'pii', 'decrypt'); SET $name = '$value'", database => 'mallory_db', user => 'mallory'),
		qr/^ERROR:  (permission denied to set parameter|parameter "steward\.\w+" cannot be changed now)/m, "SET $name is refused");
	like(seen_by_mallory($name, 'SELECT'), qr/value: /, "$name can be seen");
	# Before the library is loaded the name is a placeholder, whatever it will
	# be: it must not take effect when the library comes.
	unlike(seen_by_mallory($name, "SET $name = '$value'"), qr/value: \Q$value\E/, "$name set before the library is loaded has no effect");
	for my $target ('ROLE mallory', 'DATABASE mallory_db')
	{
		seen_by_mallory($name, "ALTER $target SET $name = '$value'");
		unlike(seen_by_mallory($name, 'SELECT'), qr/value: \Q$value\E/, "ALTER $target SET $name has no effect");
		$node->safe_psql('postgres', "ALTER $target RESET ALL");
	}
}
for my $name ('root_key_command', 'root_key_file')
{
	my $change = "SET steward.$name = '/hers'";
	my $read = q{SELECT 'x'::steward.encrypted_text IS NOT NULL};

	like(steward_error($node, "SELECT steward.has_key_privilege('mallory', 'pii', 'decrypt'); $change", database => 'mallory_db', user => 'mallory'),
		qr/^ERROR:  parameter "steward\.\w+" cannot be changed now/m, "SET steward.$name is refused");
	unlike(steward_error($node, "$change; $read", database => 'mallory_db', user => 'mallory'),
		qr/^ERROR/m, "steward.$name set before the library is loaded has no effect");
	for my $target ('ROLE mallory', 'DATABASE mallory_db')
	{
		$node->psql('mallory_db', "ALTER $target $change", on_error_stop => 0, extra_params => [ '-U', 'mallory' ]);
		unlike(steward_error($node, $read, database => 'mallory_db', user => 'mallory'),
			qr/^ERROR/m, "ALTER $target SET steward.$name has no effect");
		$node->safe_psql('postgres', "ALTER $target RESET ALL");
	}
	like(steward_error($node, "SELECT steward.has_key_privilege('mallory', 'pii', 'decrypt'); SHOW steward.$name", database => 'mallory_db', user => 'mallory'),
		qr/^ERROR:  .*(must be superuser|permission denied to examine)/m, "steward.$name is for superusers");
}

# ---- nothing of a key is in the log ----

for my $root (@roots, $third, $fourth, $fifth, $sixth)
{
	is(join(',', steward_file_holds($node->logfile, $root->{base64}, $root->{bytes}, unpack('H*', $root->{bytes}))),
		'', 'the log holds no key');
}

$node->stop;
done_testing();
