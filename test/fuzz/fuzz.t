#!/bin/sh
# Runs each fuzz target for a bounded time; `make check` sets the variables.
number=0
failed=0
for target in $FUZZ_TARGETS
do
	number=$((number + 1))
	log=$FUZZ_OUT/$target.log
	if "$FUZZ_OUT/$target" -max_total_time="$FUZZ_SECONDS" -runs="$FUZZ_RUNS" \
		-max_len=4096 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
		-artifact_prefix="$FUZZ_OUT/$target-" "$FUZZ_OUT/corpus/$target" >"$log" 2>&1
	then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
		if [ "${runs:-0}" -gt 1000 ]
		then
			echo "ok $number - $target: $runs inputs"
			continue
		fi
		echo "# only ${runs:-no} inputs"
	fi
	echo "not ok $number - $target"
	grep -v '^#' "$log" | tail -n 30 | sed 's/^/# /'
	failed=1
done
echo "1..$number"
exit $failed
