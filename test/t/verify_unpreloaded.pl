# What a session that has not loaded the library may store, verify_column finds and
# nobody reads: a PL/pgSQL record whose field has the key of another column than when
# its statement was planned. With session_preload_libraries it is not stored at all.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my $node = steward_node('unpreloaded', preload => 0);

$node->safe_psql(
	'postgres', q{
SELECT steward.create_key('pii'), steward.create_key('support');
CREATE ROLE mallory LOGIN;
CREATE ROLE clerk LOGIN;
CREATE TABLE person (id integer, ssn steward.encrypted_text('pii/ssn'), email steward.encrypted_text('support/email'));
INSERT INTO person VALUES (1, 'TOPSECRET', 'a@b');
CREATE TABLE ticket (id integer GENERATED ALWAYS AS IDENTITY, email steward.encrypted_text('support/email'));
GRANT SELECT ON person TO mallory;
GRANT SELECT, INSERT ON ticket TO mallory, clerk;
SELECT steward.grant_key('support', 'clerk', 'decrypt')});

my $plant = q{
DO $$
DECLARE
    r record;
BEGIN
    FOR i IN 1..2 LOOP
        IF i = 1 THEN
            SELECT email AS x INTO r FROM person;
        ELSE
            SELECT ssn AS x INTO r FROM person;
        END IF;
        INSERT INTO ticket (email) VALUES (r.x);
    END LOOP;
END
$$};
my $verify = q{SELECT id, finding, detail FROM steward.verify_column('ticket', 'email') JOIN ticket ON ticket.ctid = row_id ORDER BY id, finding};

is(steward_error($node, $plant, user => 'mallory'), '', 'a session without the library stores a value of another key');
is($node->safe_psql('postgres', 'SELECT count(*) FROM ticket'), '2', 'in the column of a key that others may read');
is($node->safe_psql('postgres', $verify), '2|other key|key "pii/ssn"', 'verify_column tells of it, and of nothing else');
is($node->safe_psql('postgres', 'SELECT email::text FROM ticket WHERE id = 1', extra_params => [ '-U', 'clerk' ]), 'a@b', 'who may read the column reads what is its own');
like(steward_error($node, 'SELECT email::text FROM ticket WHERE id = 2', user => 'clerk'), qr/^ERROR:  permission denied for key "pii\/ssn"/, 'and not what is of another key');
like(steward_error($node, 'SELECT email::text FROM ticket WHERE id = 2'), qr/^ERROR:  encrypted value is under another key than its column/, 'nor does one who may decrypt both, for he expects another value there');
like(steward_error($node, q{SELECT steward.create_decrypted_view('ticket'); SELECT email FROM ticket_decrypted WHERE id = 2}), qr/^ERROR:  encrypted value is under another key than its column/, 'in a decrypted view neither');

$node->safe_psql('postgres', 'DELETE FROM ticket WHERE id = 2');
steward_set($node, session_preload_libraries => 'pg_steward');
like(steward_error($node, $plant, user => 'mallory'), qr/^ERROR:  value of a parameter is under another key/, 'a session that has loaded it refuses');
is($node->safe_psql('postgres', $verify), '', 'and verify_column finds nothing');

$node->stop;
done_testing();
