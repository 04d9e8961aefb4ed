# The tools that look at share groups, change their offsets and consume by them. Sourced by run, in a tool session.

server=(--bootstrap-server "$BOOTSTRAP")
run=$RANDOM # keeps the names of two runs against one broker apart

shares() { tool kafka-share-groups "${server[@]}" "$@"; }

# offsets_are EXPECTED: "partition:start:lag" of each partition of $t, by partition.
offsets_are() {
  local got
  shares --describe --group "$g"; succeeded
  got=$(awk -v t="$t" '$2 == t { print $3 ":" $4 ":" $5 }' "$TOOL_DIR/out" | sort -n | paste -sd ' ')
  [ "$got" = "$1" ] || fail "offsets of $g are '$got', expected '$1'"
}

# lags_are EXPECTED: the same without start offsets, which are those of the last write.
lags_are() {
  local got
  shares --describe --group "$g"; succeeded
  got=$(awk -v t="$t" '$2 == t { print $3 ":" $5 }' "$TOOL_DIR/out" | sort -n | paste -sd ' ')
  [ "$got" = "$1" ] || fail "lags of $g are '$got', expected '$1'"
}

# all_at OFFSET: all four partitions start there.
all_at() { offsets_are "$(for p in 0 1 2 3; do echo "$p:$1:$((10 - $1))"; done | paste -sd ' ')"; }

g=shared-$run t=shared-$run id='[A-Za-z0-9_-]{22}' host='/127\.0\.0\.1'
mkfifo "$TOOL_DIR/hold.in" "$TOOL_DIR/hold.out"
java_run HoldShare "$t" "$g" 2 < "$TOOL_DIR/hold.in" > "$TOOL_DIR/hold.out" 2>&1 &
HOLD_PID=$!
exec 6> "$TOOL_DIR/hold.in" 7< "$TOOL_DIR/hold.out"
read -r -t 90 line <&7
[ "$line" = ready ] || fail "group $g: $line"

lags_are '0:0 1:0 2:0 3:0'
expect '^GROUP +TOPIC +PARTITION +START-OFFSET +LAG *$'
shares --describe --group "$g" --offsets --verbose; succeeded
expect '^GROUP +TOPIC +PARTITION +LEADER-EPOCH +START-OFFSET +LAG *$'
expect_count 4 "^$g +$t +[0-3] +0 +[0-9]+ +0 *\$"
shares --describe --group "$g" --members; succeeded
expect '^GROUP +CONSUMER-ID +HOST +CLIENT-ID +#PARTITIONS +ASSIGNMENT *$'
for i in 1 2; do expect "^$g +$id +$host +holder-$i +2 +$t:[0-3],[0-3] *\$"; done
shares --describe --group "$g" --members --verbose; succeeded
expect_count 2 "^$g +$id +$host +holder-[12] +2 +[0-9]+ +$t:[0-3],[0-3] *\$"
shares --describe --group "$g" --state; succeeded
expect "^$g +127.0.0.1:[0-9]+ +\(1\) +Stable +2\$"
shares --describe --group "$g" --state --verbose; succeeded
expect '^GROUP +COORDINATOR \(ID\) +STATE +GROUP-EPOCH +ASSIGNMENT-EPOCH +#MEMBERS$'
expect "^$g +127.0.0.1:[0-9]+ +\(1\) +Stable +([0-9]+) +\1 +2\$"
shares --describe --all-groups --state; succeeded; expect "^$g .* Stable +2\$"
check_done "kafka-share-groups describes a share group"

shares --list; succeeded; expect "^$g\$"
shares --list --state; succeeded; expect "^$g +Stable *\$"
shares --list --state stable; succeeded; expect "^$g +Stable *\$"
shares --list --state empty,dead; succeeded; refuse "^$g"
shares --list --state rebalancing; failed; expect "Invalid state list 'rebalancing'"
tool kafka-groups "${server[@]}" --list --share; succeeded; expect "^$g +Share +share *\$"
tool kafka-groups "${server[@]}" --list --group-type share; succeeded; expect "^$g +Share +share *\$"
tool kafka-groups "${server[@]}" --list --group-type consumer; succeeded; refuse "^$g"
tool kafka-consumer-groups "${server[@]}" --list; succeeded; refuse "^$g"
check_done "kafka-share-groups and kafka-groups list by state and type"

shares --group "$g" --topic "$t" --reset-offsets --to-earliest --execute; failed; expect "Share group '$g' is not empty."
shares --group "$g" --topic "$t" --delete-offsets; expect '^Error: '; expect "^$t +Error: "
shares --group "$g" --delete; expect "Group '$g' could not be deleted due to: .*GroupNotEmptyException"
tool kafka-consumer-groups "${server[@]}" --group "$g" --delete; expect 'could not be deleted'
lags_are '0:0 1:0 2:0 3:0'
exec 6>&-; wait "$HOLD_PID"; exec 7<&-
shares --describe --group "$g" --state; succeeded; expect "Share group '$g' has no active members."; expect "^$g .* Empty +0\$"
check_done "kafka-share-groups changes nothing of an active group"

reset() { shares --group "$g" --reset-offsets "$@"; succeeded; }
reset --topic "$t" --to-earliest --dry-run; expect_count 4 "^$g +$t +[0-3] +0 *\$"; lags_are '0:0 1:0 2:0 3:0'
reset --topic "$t" --to-earliest --execute; expect_count 4 "^$g +$t +[0-3] +0 *\$"; all_at 0
reset --all-topics --to-latest --execute; expect_count 4 "^$g +$t +[0-3] +10 *\$"; all_at 10
reset --topic "$t:1" --to-datetime 2020-01-01T00:00:00.000 --execute; expect_count 1 "^$g +$t +1 +0 *\$"
offsets_are '0:10:0 1:0:10 2:10:0 3:10:0'
reset --topic "$t" --to-datetime 2999-01-01T00:00:00.000 --execute; all_at 10
check_done "kafka-share-groups reset-offsets"

first=$g g=new-$g
reset --topic "$t" --to-latest --execute; all_at 10
shares --list --state empty; succeeded; expect "^$g +Empty *\$"
shares --group "$g" --topic "$t" --delete-offsets; succeeded; expect "^$t +Successful *\$"
shares --describe --group "$g"; succeeded; expect "Share group '$g' has no offset information."
shares --group "$g" --topic "nowhere-$run" --delete-offsets; expect "^nowhere-$run +Error: "
shares --group "$g" --group "$first" --delete; succeeded; expect "Deletion of requested share groups \(.*'$first'.*\) was successful."
shares --list; succeeded; refuse "^(new-)?$first\$"
shares --group "$g" --delete; expect "Group '$g' could not be deleted"
shares --describe --group "$g"; expect "(not found|does not exist)"
check_done "kafka-share-groups delete-offsets and delete"

g=console-$run t=console-$run
tool kafka-topics "${server[@]}" --create --topic "$t"; succeeded
tool kafka-configs "${server[@]}" --alter --entity-type groups --entity-name "$g" --add-config share.auto.offset.reset=earliest; succeeded
TOOL_IN=$'a:1\nb:2\nc:3\n' tool kafka-console-producer "${server[@]}" --topic "$t" --reader-property parse.key=true --reader-property key.separator=:
succeeded
console() { tool kafka-console-share-consumer "${server[@]}" --topic "$t" --group "$g" --timeout-ms 20000 "$@"; succeeded; }
print=(--formatter-property print.key=true --formatter-property print.offset=true --formatter-property print.delivery=true)
console --max-messages 3 --release "${print[@]}"
expect_out $'Offset:0\tDelivery:1\ta\t1\nOffset:1\tDelivery:1\tb\t2\nOffset:2\tDelivery:1\tc\t3'
console --max-messages 3 "${print[@]}"
expect_out $'Offset:0\tDelivery:2\ta\t1\nOffset:1\tDelivery:2\tb\t2\nOffset:2\tDelivery:2\tc\t3'
expect 'Processed a total of 3 messages'
lags_are 0:0
TOOL_IN=$'d:4\n' tool kafka-console-producer "${server[@]}" --topic "$t" --reader-property parse.key=true --reader-property key.separator=:
console --max-messages 1 --reject; expect_out 4
lags_are 0:0
check_done "kafka-console-share-consumer accepts, releases and rejects"

perf=perf-$run
tool kafka-topics "${server[@]}" --create --topic "$perf" --partitions 2; succeeded
tool kafka-configs "${server[@]}" --alter --entity-type groups --entity-name "$perf" --add-config share.auto.offset.reset=earliest; succeeded
tool kafka-producer-perf-test "${server[@]}" --topic "$perf" --num-records 5000 --record-size 100 --throughput -1; succeeded
tool kafka-share-consumer-perf-test "${server[@]}" --topic "$perf" --group "$perf" --num-records 5000 --threads 2 --timeout 30000 --hide-header
succeeded; expect ', 5000, [0-9]+$'; refuse WARNING
check_done "kafka-share-consumer-perf-test"

for mode in auto sync; do
  tool kafka-verifiable-share-consumer "${server[@]}" --topic "$t" --group-id "verifiable-$mode-$run" --max-messages 4 \
    --acknowledgement-mode $mode --offset-reset-strategy earliest --verbose
  succeeded
  expect '"name":"offset_reset_strategy_set","offsetResetStrategy":"earliest"'
  expect '"name":"record_data".*"key":"d","value":"4",.*"offset":3'
  expect '"name":"offsets_acknowledged","count":4,.*"offsets":\[.*"success":true'
  expect '"name":"shutdown_complete"'
done
check_done "kafka-verifiable-share-consumer, by itself or by commitSync"

tool kafka-console-consumer "${server[@]}" --topic __share_group_state --from-beginning --timeout-ms 3000 \
  --formatter org.apache.kafka.tools.consumer.group.share.ShareGroupStateMessageFormatter
expect "\"groupId\":\"$g\".*\"startOffset\":"
tool kafka-console-consumer "${server[@]}" --topic __consumer_offsets --from-beginning --timeout-ms 3000 \
  --formatter org.apache.kafka.tools.consumer.ShareGroupMessageFormatter
for type in 10 11 12 13 14 15; do expect "\"type\":$type,.*\"groupId\":\""; done
check_done "what share groups write, by Kafka's formatters"
