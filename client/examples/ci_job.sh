#!/bin/sh
# ci_job.sh FILE [RATE]: a job of continuous integration. Runs an experiment file, leaves what came of it as
# JUnit's XML in results.xml, and fails where fewer answers than RATE (80 %) meet all criteria: exit status 1
# is that, any other one that it could not be run.
set -eu
status=0
elluminate run "$1" --fail-under "${2:-80%}" --json >run.jsonl || status=$?
experiment=$(sed -n '$s/^{"experiment":{"id":\([0-9]*\).*/\1/p' run.jsonl)
[ -z "$experiment" ] || elluminate experiment report "$experiment" --format junit -o results.xml
exit "$status"
