# Kafka's tools on a cluster of brokers of both kinds, while the load writes. Sourced by run.

# reassign PLAN [options...]: executes what PLAN says and waits until it is done.
reassign() {
  local plan_file=$1 end=$((SECONDS + 120)); shift
  tool kafka-reassign-partitions "${server[@]}" --execute --reassignment-json-file "$plan_file" "$@"; succeeded
  expect 'Successfully started partition reassignment'
  while :; do
    tool kafka-reassign-partitions "${server[@]}" --verify --reassignment-json-file "$plan_file"
    grep -q 'still in progress' "$TOOL_DIR/out" || break
    [ $SECONDS -lt $end ] || { fail "still in progress: $(shown)"; return; }
    sleep 0.5
  done
  succeeded
  refuse 'rror'
}

# assignment REPLICAS...: of the partitions of the load's topic, as kafka-reassign-partitions reads it.
assignment() {
  local p=0 replicas list=()
  for replicas in "$@"; do
    list+=("{\"topic\":\"numbers\",\"partition\":$p,\"replicas\":[$replicas]}")
    p=$((p + 1))
  done
  (IFS=,; echo "{\"version\":1,\"partitions\":[${list[*]}]}")
}

tools() {
  local server=(--bootstrap-server "$BOOTSTRAP") s='[[:space:]]+' name id
  tool kafka-broker-api-versions "${server[@]}"; succeeded
  for name in "${BROKERS[@]}"; do expect "^127.0.0.1:${NODE_PORT[$name]} \(id: $(node_id "$name") rack: null isFenced: false\) -> \("; done
  expect_count "${#BROKERS[@]}" 'Produce\(0\): '
  refuse 'ERROR|UNKNOWN'
  check_done 'kafka-broker-api-versions'

  tool kafka-cluster cluster-id "${server[@]}"; succeeded; expect '^Cluster ID: klammCompatReference0A$'
  tool kafka-cluster list-endpoints "${server[@]}"; succeeded
  for name in "${BROKERS[@]}"; do expect "^$(node_id "$name")$s.*127.0.0.1$s${NODE_PORT[$name]}"; done
  check_done 'kafka-cluster'

  tool kafka-metadata-quorum "${server[@]}" describe --status; succeeded
  expect "^LeaderId:${s}10[123]\$"
  for name in "${BROKERS[@]}"; do expect "^CurrentObservers:.*\"id\": $(node_id "$name"),"; done
  tool kafka-metadata-quorum "${server[@]}" describe --replication; succeeded
  for name in "${BROKERS[@]}"; do expect "^$(node_id "$name")$s.*Observer"; done
  check_done 'kafka-metadata-quorum'

  tool kafka-features "${server[@]}" describe; succeeded
  expect 'Feature: metadata.version'
  tool kafka-log-dirs "${server[@]}" --describe; succeeded
  for name in "${BROKERS[@]}"; do expect "\"broker\":$(node_id "$name"),"; done
  check_done 'kafka-features and kafka-log-dirs'

  assignment 2,3,4 3,4,1 4,1,2 1,2,3 2,3,4 3,4,1 > "$BROKER_DIR/there.json"
  assignment 1,2,3 4,3,2 2,1,4 3,1,2 4,2,1 1,4,3 > "$BROKER_DIR/back.json"
  reassign "$BROKER_DIR/there.json"
  tool kafka-topics "${server[@]}" --describe --topic numbers; succeeded
  expect "Partition: 0${s}Leader: [234]${s}Replicas: 2,3,4"
  ask 'progress reassigned partitions are written and read'
  reassign "$BROKER_DIR/back.json" --throttle 50000000
  tool kafka-topics "${server[@]}" --describe --topic numbers; succeeded
  expect "Partition: 5${s}Leader: [134]${s}Replicas: 1,4,3"
  refuse 'throttled'
  check_done 'kafka-reassign-partitions there and back, the latter throttled'

  tool kafka-leader-election "${server[@]}" --election-type preferred --all-topic-partitions; succeeded
  tool kafka-topics "${server[@]}" --describe --topic numbers; succeeded
  expect "Partition: 1${s}Leader: 4${s}"
  expect "Partition: 4${s}Leader: 4${s}"
  check_done 'kafka-leader-election'

  tool kafka-topics "${server[@]}" --create --topic short --partitions 2 --replication-factor 3; succeeded
  tool kafka-topics "${server[@]}" --alter --topic short --partitions 8; succeeded
  tool kafka-producer-perf-test --topic short --num-records 2000 --record-size 1000 --throughput -1 \
    --producer-props bootstrap.servers="$BOOTSTRAP" acks=all; succeeded
  tool kafka-get-offsets "${server[@]}" --topic short; succeeded
  [ "$(awk -F: '{ n += $3 } END { print n }' "$TOOL_DIR/out")" = 2000 ] || fail "offsets: $(shown)"
  tool kafka-topics "${server[@]}" --delete --topic short; succeeded
  tool kafka-topics "${server[@]}" --list; succeeded; refuse '^short$'
  check_done 'kafka-topics creates, alters and deletes'

  for id in 1 2 3 4; do
    tool kafka-configs "${server[@]}" --alter --broker "$id" --add-config log.retention.ms=86400000; succeeded
    tool kafka-configs "${server[@]}" --describe --broker "$id"; succeeded; expect 'log.retention.ms=86400000'
    tool kafka-configs "${server[@]}" --alter --broker "$id" --delete-config log.retention.ms; succeeded
  done
  check_done 'kafka-configs of each broker'

  ask 'isr every replica is in sync'
  tool kafka-topics "${server[@]}" --describe --under-replicated-partitions; succeeded; expect_out ''
  verification
}

# kafka-replica-verification goes on for ever: it is ended when it has reported twice.
verification() {
  local end=$((SECONDS + 90)) pid out=$BROKER_DIR/verification.log
  "$COMPAT_ROOT/kafka/tool" kafka-replica-verification --broker-list "$BOOTSTRAP" --topics-include 'numbers|transactions' \
    --report-interval-ms 3000 > "$out" 2>&1 & pid=$!
  while [ "$(grep -c 'max lag is' "$out")" -lt 2 ] && kill -0 "$pid" 2>/dev/null && [ $SECONDS -lt $end ]; do sleep 0.5; done
  { kill -KILL "$pid" && wait "$pid"; } 2>/dev/null
  [ "$(grep -c 'max lag is' "$out")" -ge 2 ] || fail "no report: $(tail -c 400 "$out" | tr '\n' '|')"
  ! grep -q "doesn't match\|ERROR" "$out" || fail "$(grep "doesn't match\|ERROR" "$out" | head -n 1)"
  check_done 'kafka-replica-verification'
}
