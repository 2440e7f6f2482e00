# Values that the second implementation sealed open in a server that has their
# keys, as what they were written from; what the server makes of the same SQL
# text is equal to them, by hash, by unique tag and byte for byte in length.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use JSON::PP ();
use MIME::Base64 qw(encode_base64url);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Steward;
use Test::More;

my @types = qw(none text bytea jsonb bigint numeric date timestamptz);
my $vectors = JSON::PP->new->decode(slurp_file("$FindBin::RealBin/../vectors/pg_steward.json"))->{vectors};
my ($database) = grep { $_->{construct} eq 'database' } @$vectors;
my @plain = grep { $_->{construct} eq 'plain' } @$vectors;

my $keyring = steward_directory('vectors') . '/root.key';
append_to_file($keyring, $database->{line_text});
chmod 0600, $keyring or die "cannot chmod $keyring: $!";
my $node = steward_node('vectors', keyring => $keyring, extension => 0);

# A dump of the vectors' database: its keys, then its values.
$node->safe_psql('postgres', 'CREATE EXTENSION pg_steward');
$node->safe_psql('postgres', <<"SQL");
INSERT INTO steward.realm VALUES ('$database->{realm}');
INSERT INTO steward.key VALUES (x'$database->{key_id}'::int, '$database->{path_text}', x'$database->{key_id}'::int);
INSERT INTO steward.key_version VALUES (x'$database->{key_id}'::int, 1, x'$database->{key_tag}'::bigint, '\\x$database->{root_id}', '\\x$database->{wrapped}');
INSERT INTO steward.key_secret VALUES (3, 0, 1, '\\x$database->{root_id}', '\\x$database->{hash_wrapped}');
SQL

my $number = 0;
my @rows = map { {
		type => $types[ hex $_->{type} ],
		number => ++$number,
		text => $_->{sql_text} =~ s/'/''/gr,
		armour => 'stw1:' . encode_base64url(pack 'H*', $_->{datum}),
		hash => $_->{hash},
		unique => $_->{unique},
		length => 68 + length($_->{plain}) / 2 } } @plain;

foreach my $type (@types[ 1 .. $#types ])
{
	my @of_type = grep { $_->{type} eq $type } @rows;
	my $values = join ",\n", map { "($_->{number}, '$_->{text}', NULL, '$_->{armour}', x'$_->{hash}'::bigint, '\\x$_->{unique}')" } @of_type;

	cmp_ok(scalar @of_type, '>', 2, "there are values of type $type");
	utf8::encode($values);
	$node->safe_psql('postgres', <<"SQL");
CREATE TABLE v_$type (n int, plain $type, made steward.encrypted_$type('vectors'), sealed steward.encrypted_$type('vectors'), hash bigint, tag bytea);
SET timezone = 'UTC';
INSERT INTO v_$type VALUES $values;
UPDATE v_$type SET made = steward.encrypt_$type(plain, 'vectors');
SQL
	my %check = (
		'open' => 'sealed::text = plain::text AND made::text = plain::text',
		'are equal to what the server makes' => 'sealed = made AND sealed = plain AND NOT sealed <> plain',
		'are as long' => "octet_length(steward.encrypted_${type}_send(sealed)) = octet_length(steward.encrypted_${type}_send(made))",
		'have the same hash' => "steward.encrypted_${type}_hash_extended(sealed, 0) = hash AND steward.encrypted_${type}_hash_extended(made, 0) = hash AND steward.plain_${type}_hash_extended(plain, 0) = hash");
	foreach my $what (sort keys %check)
	{
		is($node->safe_psql('postgres', "SELECT count(*), count(*) FILTER (WHERE NOT ($check{$what})) FROM v_$type"),
			scalar(@of_type) . '|0', "$type: values of the second implementation $what");
	}
	is( $node->safe_psql(
			'postgres',
			"SELECT count(*) FILTER (WHERE sign(steward.encrypted_${type}_tag_cmp(a.sealed, b.made)) <> CASE WHEN a.tag < b.tag THEN -1 WHEN a.tag > b.tag THEN 1 ELSE 0 END) FROM v_$type AS a, v_$type AS b"),
		'0', "$type: the order of unique tags is the same");
}
cmp_ok($number, '>', 60, 'all vectors were looked at');

# What is authentic but no value of its type does not come out as one.
my @malformed = grep { $_->{construct} eq 'malformed_plain' } @$vectors;

cmp_ok(scalar @malformed, '>', 10, 'there are malformed plaintexts');
foreach my $vector (@malformed)
{
	my $type = $types[ hex $vector->{type} ];
	my $armour = 'stw1:' . encode_base64url(pack 'H*', $vector->{datum});

	$node->safe_psql('postgres', "CREATE TABLE m (c steward.encrypted_$type('vectors')); INSERT INTO m VALUES ('$armour')");
	foreach my $query ('SELECT steward.decrypt(c) FROM m', 'SELECT c::text FROM m')
	{
		my ($status, $out, $error) = $node->psql('postgres', $query);

		isnt($status, 0, "$type with bytes \"$vector->{plain}\" does not open: $query");
		like($error, qr/ERROR:  (encrypted value is malformed inside|value has a character that the encoding of the database does not have)$/m, 'with a constant error');
	}
	# to compare them may be an error as well, but no crash, and they equal nothing
	$node->psql('postgres', "SELECT a.c < b.made FROM m AS a, v_$type AS b");
	isnt(($node->psql('postgres', "SELECT count(*) FROM m AS a JOIN v_$type AS b ON a.c = b.made"))[1] || '0', '1', 'nor equals anything');
	$node->safe_psql('postgres', 'DROP TABLE m');
}
is($node->safe_psql('postgres', 'SELECT 1'), '1', 'the server is still there');

done_testing();
