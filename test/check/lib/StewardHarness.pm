package StewardHarness;

# What prove runs with under run-all (HARNESS_SUBCLASS): TAP::Harness that also
# appends "passed failed skipped" to the file STEWARD_TAP_COUNTS. A planned test
# that did not run, a script that died, bailed out or ran nothing, is a failure;
# what is skipped or to do counts as neither.
use strict;
use warnings;

use parent 'TAP::Harness';

sub count_script
{
	my ($parser) = @_;
	my %skipped = map { $_ => 1 } $parser->skipped, $parser->todo;
	my $passed = grep { !$skipped{$_} } $parser->actual_passed;
	my $failed = $parser->failed;
	my $missing = ($parser->tests_planned // 0) - $parser->tests_run;

	$failed += $missing if $missing > 0;
	$failed = 1
	  if !$failed
	  && ($parser->has_problems || (!$parser->tests_run && !$parser->skip_all));
	return ($passed, $failed, scalar(%skipped) || ($parser->skip_all ? 1 : 0));
}

sub report
{
	my $file = $ENV{STEWARD_TAP_COUNTS} or return;

	open(my $counts, '>>', $file) or die "cannot write $file: $!\n";
	print $counts "@_\n";
	close($counts) or die "cannot write $file: $!\n";
}

# A script that bails out ends the run, which is a failure of its own; those
# before it keep their counts.
sub runtests
{
	my ($self, @tests) = @_;

	$self->callback(after_test => sub { report(count_script($_[1])) });
	my $aggregate = eval { $self->SUPER::runtests(@tests) };

	if (!$aggregate)
	{
		my $error = $@;

		report(0, 1, 0);
		die $error;
	}
	return $aggregate;
}

1;
