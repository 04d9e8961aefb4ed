# The tools that look at groups and change their offsets, on a consumer group with members, on one of both protocols
# and on an empty one. Sourced by run, in a tool session.

server=(--bootstrap-server "$BOOTSTRAP")
run=$RANDOM # keeps the names of two runs against one broker apart

# hold GROUP TOPIC PROTOCOL...: a group whose members have read and committed the topic's forty records.
hold() {
  local group=$1 topic=$2; shift 2
  mkfifo "$TOOL_DIR/$group.in" "$TOOL_DIR/$group.out"
  java_run Hold "$topic" "$group" "$@" < "$TOOL_DIR/$group.in" > "$TOOL_DIR/$group.out" 2>&1 &
  HOLD_PID=$!
  exec 6> "$TOOL_DIR/$group.in" 7< "$TOOL_DIR/$group.out"
  local line
  read -r -t 60 line <&7
  [ "$line" = ready ] || { echo "FAIL group $group: $line"; FAILURES=$((FAILURES + 1)); }
}

# release: its members leave.
release() { exec 6>&-; wait "$HOLD_PID"; exec 7<&-; }

groups() { tool kafka-consumer-groups "${server[@]}" "$@"; }

# offsets_are EXPECTED: "partition:committed:end:lag" of each partition of $t, by partition.
offsets_are() {
  local got
  groups --describe --group "$g"; succeeded
  got=$(awk -v t="$t" '$2 == t { print $3 ":" $4 ":" $5 ":" $6 }' "$TOOL_DIR/out" | sort -n | paste -sd ' ')
  [ "$got" = "$1" ] || fail "offsets of $g are '$got', expected '$1'"
}

# all_at OFFSET: that is committed for all four partitions.
all_at() { offsets_are "$(for p in 0 1 2 3; do echo "$p:$1:10:$((10 - $1))"; done | paste -sd ' ')"; }

g=tooled-$run t=tooled-$run id='[A-Za-z0-9_-]{22}' host='/127\.0\.0\.1'
hold "$g" "$t" consumer consumer

all_at 10
expect "^$g +$t +[0-3] +10 +10 +0 +$id $host +holder-[12]\$"
expect_count 4 "holder-"
groups --describe --group "$g" --offsets --verbose; succeeded; expect_count 4 "^$g +$t +[0-3] +0 +10 +10 +0 +$id $host +holder-[12]\$"
groups --describe --group "$g" --members; succeeded
for i in 1 2; do expect "^$g +$id $host +holder-$i +2 *\$"; done
groups --describe --group "$g" --members --verbose; succeeded
expect '^GROUP +CONSUMER-ID +HOST +CLIENT-ID +#PARTITIONS +CURRENT-EPOCH +CURRENT-ASSIGNMENT +TARGET-EPOCH +TARGET-ASSIGNMENT *$'
expect_count 2 "^$g +$id $host +holder-[12] +2 +[0-9]+ +$t:[0-3],[0-3] +[0-9]+ +$t:[0-3],[0-3] *\$"
groups --describe --group "$g" --state; succeeded
expect "^$g +127.0.0.1:[0-9]+ +\(1\) +uniform +Stable +2\$"
groups --describe --group "$g" --state --verbose; succeeded
expect '^GROUP +COORDINATOR \(ID\) +ASSIGNMENT-STRATEGY +STATE +GROUP-EPOCH +TARGET-ASSIGNMENT-EPOCH +#MEMBERS$'
expect "^$g +127.0.0.1:[0-9]+ +\(1\) +uniform +Stable +([0-9]+) +\1 +2\$"
check_done "kafka-consumer-groups describes a consumer group"

groups --list; succeeded; expect "^$g\$"
groups --list --state; succeeded; expect "^$g +Stable *\$"
groups --list --state empty,reconciling; succeeded; refuse "^$g"
groups --list --type; succeeded; expect "^$g +Consumer *\$"
groups --list --type consumer --state stable; succeeded; expect "^$g +Consumer +Stable *\$"
groups --list --type classic; succeeded; refuse "^$g"
groups --list --type nonsense; failed; expect "Invalid types list 'nonsense'. Valid types are: Consumer, Classic"
tool kafka-groups "${server[@]}" --list --group-type consumer; succeeded; expect "^$g +Consumer +consumer *\$"
tool kafka-groups "${server[@]}" --list --consumer; succeeded; expect "^$g +Consumer +consumer *\$"
tool kafka-groups "${server[@]}" --list --group-type classic; succeeded; refuse "^$g"
check_done "kafka-consumer-groups and kafka-groups list by state and type"

groups --group "$g" --topic "$t" --reset-offsets --to-earliest --execute
expect "Error: Assignments can only be reset if the group '$g' is inactive, but the current state is Stable."
groups --group "$g" --topic "$t" --delete-offsets
expect_count 4 "^$t +[0-3] +Error: .*GroupSubscribedToTopicException: Deleting offsets of a topic is forbidden"
groups --group "$g" --delete; expect "Group '$g' could not be deleted due to: .*GroupNotEmptyException: The group is not empty."
all_at 10
release
groups --describe --group "$g"; succeeded; expect "Consumer group '$g' has no active members."
check_done "kafka-consumer-groups changes nothing of an active group"

reset() { groups --group "$g" --topic "$t" --reset-offsets "$@"; succeeded; }
reset --to-earliest --dry-run; expect_count 4 "^$g +$t +[0-3] +0 *\$"; all_at 10
reset --to-earliest --execute; all_at 0
reset --to-offset 3 --execute; all_at 3
reset --shift-by 2 --execute; all_at 5
reset --shift-by -4 --execute; all_at 1
reset --to-current --execute; all_at 1
reset --to-latest --execute; all_at 10
reset --by-duration PT1H --execute; all_at 0
reset --to-datetime 2999-01-01T00:00:00.000 --execute; expect 'Falling back to latest known offset'; all_at 10
reset --to-datetime 2020-01-01T00:00:00.000 --execute; all_at 0
reset --to-offset 99 --execute; all_at 10
groups --group "$g" --topic "$t:0,1" --reset-offsets --to-offset 4 --export; expect_count 2 "^$t,[01],4\$"
printf '%s\n' "$t,0,4" "$t,3,7" > "$TOOL_DIR/offsets.csv"
groups --group "$g" --reset-offsets --from-file "$TOOL_DIR/offsets.csv" --execute; succeeded
offsets_are "0:4:10:6 1:10:10:0 2:10:10:0 3:7:10:3"
groups --group "$g" --all-topics --reset-offsets --to-offset 2 --execute; succeeded; all_at 2
groups --group "new-$g" --topic "$t" --reset-offsets --to-offset 6 --execute; succeeded
groups --describe --group "new-$g"; expect_count 4 "^new-$g +$t +[0-3] +6 +10 +4 +- "
check_done "kafka-consumer-groups reset-offsets of a consumer group"

groups --group "$g" --topic "$t:1,2" --delete-offsets; succeeded; expect_count 2 "^$t +[12] +Successful *\$"
offsets_are "0:2:10:8 3:2:10:8"
groups --group "$g" --group "new-$g" --delete; succeeded; expect "Deletion of requested consumer groups \(.*'$g'.*\) was successful."
groups --list; succeeded; refuse "^(new-)?$g\$"
groups --group "$g" --describe; expect "$g.*(does not exist|not found)"
check_done "kafka-consumer-groups delete-offsets and delete of a consumer group"

g=mixed-$run t=mixed-$run
hold "$g" "$t" classic consumer
groups --describe --group "$g" --members --verbose; succeeded
expect '^GROUP .* TARGET-ASSIGNMENT +UPGRADED *$'
expect "^$g +holder-1-[0-9a-f-]{36} +$host +holder-1 +2 +[0-9]+ +$t:[0-3],[0-3] +[0-9]+ +$t:[0-3],[0-3] +false *\$"
expect "^$g +$id +$host +holder-2 +2 +[0-9]+ +$t:[0-3],[0-3] +[0-9]+ +$t:[0-3],[0-3] +true *\$"
groups --list --type consumer; succeeded; expect "^$g +Consumer *\$"
release
check_done "kafka-consumer-groups describes a group of both protocols"

tool kafka-configs "${server[@]}" --alter --entity-type groups --entity-name "$g" --add-config consumer.session.timeout.ms=4000
succeeded; expect "Completed updating config for group $g."
tool kafka-configs "${server[@]}" --describe --entity-type groups --entity-name "$g"; succeeded
expect 'consumer.session.timeout.ms=4000 .*DYNAMIC_GROUP_CONFIG:consumer.session.timeout.ms=4000'
tool kafka-configs "${server[@]}" --alter --entity-type groups --entity-name "$g" --add-config consumer.session.timeout.ms=1; failed
tool kafka-configs "${server[@]}" --alter --entity-type groups --entity-name "$g" --delete-config consumer.session.timeout.ms
succeeded
tool kafka-configs "${server[@]}" --describe --entity-type groups --entity-name "$g"; succeeded; refuse 'DYNAMIC_GROUP_CONFIG'
check_done "kafka-configs of a group"

groups --validate-regex '[a-c].*'; succeeded; expect 'valid'
tool kafka-console-consumer "${server[@]}" --topic "$t" --group "console-$run" --from-beginning --max-messages 40 \
  --timeout-ms 30000 --command-property group.protocol=consumer
succeeded; expect_count 40 '^[0-9]$'
groups --describe --group "console-$run" --state; succeeded; expect "^console-$run .* Empty +0\$"
groups --list --type consumer; expect "^console-$run +Consumer"
check_done "kafka-console-consumer with the consumer protocol"
