# What compat/swap/run asks of the files themselves. To be sourced by it.

# dump_files NAME FILES [OPTION...]: kafka-dump-log has nothing to complain of in these files (one per line).
dump_files() {
  local name=$1 files=$2; shift 2
  [ -n "$files" ] || { fail 'no files'; check_done "$name"; return; }
  tool kafka-dump-log "$@" --files "$(echo "$files" | paste -sd ,)"
  # The tool takes the first offset of a later segment for a gap after -1; compaction and markers leave true gaps.
  # A batch that compaction has left empty, because it is its producer's last, is in Kafka's time index with the timestamp of
  # its header; the tool looks for it among the records, of which there are none, and finds -1.
  sed -i '/^Dumping /d; /Non-consecutive offsets in/d; / is followed by /d; / Index timestamp: .*, log timestamp: -1$/d' "$TOOL_DIR/err"
  awk '/^Found timestamp mismatch/ { of = $0; next } of != "" { if (/Index timestamp/) print of; of = "" } { print }' \
    "$TOOL_DIR/err" > "$TOOL_DIR/err.left"; mv "$TOOL_DIR/err.left" "$TOOL_DIR/err"
  [ "$STATUS" = 0 ] || fail "exit status $STATUS in $(grep '^Dumping ' "$TOOL_DIR/out" | tail -n 1): $(grep -m 1 -A 2 Exception "$TOOL_DIR/err" | tr '\n' '|')"
  sed -i '/^Dumping /d' "$TOOL_DIR/out"
  refuse 'isvalid: false|invalid bytes|[Mm]ismatch|out of order|not found|Could not|Failed|ERROR|Exception|Unknown'
  check_done "$name"
}

# dump WHEN: every file that Kafka's reader knows, after a clean stop.
dump() {
  local data=$BROKER_DIR/data
  # Kafka leaves the indexes of a deleted log as they were while it was open.
  local indexes; indexes=$(find "$data" \( -name '*.index' -o -name '*.timeindex' \) -not -path '*-delete/*')
  local logs; logs=$(find "$data" -name '*.log' | grep -v -e '/__' -e '-delete/' | sort)
  dump_files "kafka-dump-log $1: logs" "$logs" --deep-iteration
  dump_files "kafka-dump-log $1: group offsets" "$(find "$data"/*/__consumer_offsets-* -name '*.log')" --offsets-decoder
  dump_files "kafka-dump-log $1: transaction states" "$(find "$data"/*/__transaction_state-* -name '*.log')" --transaction-log-decoder
  dump_files "kafka-dump-log $1: share group states" "$(find "$data"/*/__share_group_state-* -name '*.log')" --share-group-state-decoder
  dump_files "kafka-dump-log $1: metadata and its snapshots" "$(find "$data"/*/__cluster_metadata-0 -name '*.log' -o -name '*.checkpoint')" --cluster-metadata-decoder
  dump_files "kafka-dump-log $1: sanity of the indexes" "$indexes" --index-sanity-check
  dump_files "kafka-dump-log $1: indexes against the logs" "$indexes" --verify-index-only
  dump_files "kafka-dump-log $1: producer snapshots and aborted transactions" "$(find "$data" -name '*.snapshot' -o -name '*.txnindex')"
}

# digest DIR: every file and what is in it.
digest() { (cd "$1" && find . -type f -not -name .lock -print0 | sort -z | xargs -0 sha256sum; cd "$1" && find . -type d | sort); }

# refusal NAME PATTERN: the copy in $copy, spoilt by now, is refused with such a message, and not touched.
refusal() {
  local before status=0
  before=$(digest "$copy/data")
  timeout 20 "$KLAMM_BIN" "$copy/server.properties" > "$copy/out" 2>&1 || status=$?
  [ $status = 1 ] || [ $status = 2 ] || fail "exit status $status: $(tail -n 3 "$copy/out" | tr '\n' '|')"
  tail -n 1 "$copy/out" | grep -Eq -- "$2" || fail "no /$2/ in: $(tail -n 1 "$copy/out")"
  [ "$before" = "$(digest "$copy/data")" ] || fail "changed: $(diff <(echo "$before") <(digest "$copy/data") | tr '\n' '|')"
  check_done "$1 is refused, and nothing is changed"
  rm -rf "$copy"
}

# copy_to NAME: sets $copy, a copy of the stopped broker's directory.
copy_to() {
  copy=$fifos/$1
  mkdir -p "$copy/logs"
  cp -a "$BROKER_DIR/data" "$copy/data"
  sed "/^authorizer.class.name=/d; /^log.dirs=/s|$BROKER_DIR/|$copy/|g" "$BROKER_DIR/server.properties" > "$copy/server.properties"
}

# refusals: what a later Kafka may have written is not misread by klamm.
refusals() {
  [ "$other" = klamm ] || return 0
  local way_out='start .*(Kafka|broker).* that wrote'
  spoilt() { # spoilt NAME FILE SED PATTERN
    copy_to spoilt
    local file; file=$(find "$copy/data" -path "*/$2" | sort | head -n 1)
    sed -i "$3" "$file" || fail "no $2"
    refusal "$1" "$4.*$way_out"
  }
  spoilt 'meta.properties of version 2' meta.properties 's/^version=1/version=2/' 'meta.properties.*version.*2'
  spoilt 'leader-epoch-checkpoint of version 1' plain-0/leader-epoch-checkpoint 1s/0/1/ 'plain-0/leader-epoch-checkpoint.*version.*1'
  spoilt 'partition.metadata of version 1' plain-1/partition.metadata 1s/0/1/ 'plain-1/partition.metadata.*version.*1'
  spoilt 'quorum-state of version 2' quorum-state 's/"data_version":[01]/"data_version":2/' 'quorum-state.*version.*2'
  local name
  for name in recovery-point log-start replication cleaner; do
    spoilt "$name-offset-checkpoint of version 1" "$name-offset-checkpoint" 1s/0/1/ "$name-offset-checkpoint.*version.*1"
  done
  appended() { # appended NAME TYPE VERSION PATTERN [HEX]: a record in the metadata log
    copy_to record
    java_run SwapRecord "$(echo "$copy"/data/*/__cluster_metadata-0)" "${@:2:2}" "${@:5}" || fail 'cannot append a record'
    refusal "$1" "__cluster_metadata-0.*$4.*$way_out"
  }
  appended 'a metadata record of type 99' 99 0 99
  appended 'a metadata record of version 9' 2 9 9
  # FeatureLevelRecord: a compact string, a level of two bytes, no tagged fields.
  appended 'metadata.version 99' 12 0 'metadata.version.*99' "11$(printf metadata.version | od -An -tx1 | tr -d ' \n')006300"
  appended 'a feature of which nobody knows' 12 0 'swap.version.*7' "0d$(printf swap.version | od -An -tx1 | tr -d ' \n')000700"
}

# rebuilds: without indexes, producer snapshots, what a killed klamm has settled and the marker of a clean stop, both make the same files of the same logs.
rebuilds() {
  local kafka klamm file differing=() count=0
  copy_to kafka; kafka=$copy
  copy_to klamm; klamm=$copy
  for copy in "$kafka" "$klamm"; do
    find "$copy/data" -mindepth 3 -not -path '*/__cluster_metadata-0/*' \
      \( -name '*.index' -o -name '*.timeindex' -o -name '*.txnindex' -o -name '*.snapshot' -o -name '*.settled' \) -delete
    rm -f "$copy"/data/*/.kafka_cleanshutdown "$copy"/data/*/recovery-point-offset-checkpoint
  done
  TARGET=kafka; broker_start "$kafka" && sleep 2 && stop || fail 'start of Kafka'
  TARGET=$other; broker_start "$klamm" && sleep 2 && stop || fail "start of $other"
  files_of() {
    (cd "$1/data" && find . -mindepth 3 -type f -not -path '*/__*' -not -path './*-delete/*' -not -name '*.deleted' | sort)
  }
  while read -r file; do
    count=$((count + 1))
    cmp -s "$kafka/data/$file" "$klamm/data/$file" || differing+=("$file")
  done < <(files_of "$kafka")
  [ "$count" -gt 50 ] || fail "only $count files"
  [ ${#differing[@]} = 0 ] || fail "${#differing[@]} of $count files differ: ${differing[*]:0:30}"
  [ "$(files_of "$kafka")" = "$(files_of "$klamm")" ] || fail "other files: $(diff <(files_of "$kafka") <(files_of "$klamm") | tr '\n' '|')"
  if [ -n "$problem" ] && [ -n "${KEEP:-}" ]; then cp -a "$fifos" "$KEEP"; fi
  check_done "indexes and snapshots that both rebuild are equal, byte for byte ($count files)"
}

# spoil: each check sees what it is there for: one change after the other, by the broker and behind its back.
spoil() {
  local saved=$fifos/saved
  turn kafka 'before anything is spoilt'
  ask spoil
  ask 'note what is there'
  stop
  cp -a "$BROKER_DIR/data" "$saved"
  # seen NAME PATTERN COMMAND...: after the command (in the directory of the disks), "FAIL ... PATTERN" is among the answers.
  seen() {
    local name=$1 pattern=$2 before=$FAILURES; shift 2
    rm -rf "$BROKER_DIR/data"; cp -a "$saved" "$BROKER_DIR/data"
    (cd "$BROKER_DIR/data" && "$@") || fail "cannot spoil"
    TARGET=$other; authorizer
    if broker_start "$BROKER_DIR" > "$fifos/answers.txt" 2>&1; then
      ask "check spoilt" > "$fifos/answers.txt"
      broker_kill
    fi
    BROKER_PID=''
    FAILURES=$before
    grep -Eq "^FAIL.*$pattern" "$fifos/answers.txt" || fail "not seen: $(grep -v '^ok' "$fifos/answers.txt" | head -n 3)"
    check_done "the check sees $name"
  }
  cut_log() { truncate -s -100 "$(find . -path "*/$1/*.log" | sort | tail -n 1)"; }
  seen 'the end of a log cut off' 'log files' cut_log plain-0
  seen 'a record changed' 'records' eval 'f=$(echo */plain-2/*0.log); printf X | dd of=$f bs=1 seek=300 conv=notrunc status=none'
  seen 'lost offsets of groups' 'committed offsets' eval 'rm -rf */__consumer_offsets-*/*'
  seen 'a lost log start' 'offsets' eval 'rm */log-start-offset-checkpoint'
  seen 'lost aborted transactions' 'read_committed' eval 'for f in */transactions-0/*.txnindex; do : > $f; done'
  seen 'a lost log' 'records' eval 'rm -rf */codec-zstd-0'
  seen 'a log in another directory' 'log directories' eval 'd=$(echo */codec-gzip-0); for o in */; do [ "$o" = "${d%%/*}/" ] || mv "$d" "$o"; done'
}

# transaction_states: the last record of each transactional id ("id number"), as kafka-dump-log reads it, in $fifos/states.
transaction_states() {
  local files; files=$(find "$BROKER_DIR"/data/*/__transaction_state-* -name '*.log' -size +0)
  tool kafka-dump-log --transaction-log-decoder --deep-iteration --files "$(echo "$files" | paste -sd ,)"; succeeded
  sed -n 's/.*"transactionalId":"\([^"]*\)".*"transactionStatus":\([0-9]*\).*/\1 \2/p' "$TOOL_DIR/out" |
    awk '{ state[$1] = $2 } END { for (id in state) print id, state[id] }' | sort > "$fifos/states"
  [ -s "$fifos/states" ] || fail "no transactional ids in $(shown)"
}

# listed NAME: kafka-transactions and kafka-dump-log tell the same of every transactional id.
listed() {
  local names=(Empty Ongoing PrepareCommit PrepareAbort CompleteCommit CompleteAbort) id
  transaction_states
  tool kafka-transactions --bootstrap-server "$BOOTSTRAP" list; succeeded
  awk 'NR > 1 { print $1, $4 }' "$TOOL_DIR/out" | sort > "$fifos/listed"
  while read -r id state; do echo "$id ${names[state]}"; done < "$fifos/states" | sort > "$fifos/dumped"
  cmp -s "$fifos/listed" "$fifos/dumped" || fail "they differ: $(diff "$fifos/listed" "$fifos/dumped" | head -n 5 | tr '\n' '|')"
  id=$(awk '$2 == "CompleteCommit" { print $1 }' "$fifos/listed" | tail -n 1)
  tool kafka-transactions --bootstrap-server "$BOOTSTRAP" describe --transactional-id "$id"; succeeded
  expect "^1[[:space:]]+$id[[:space:]]+[0-9]+[[:space:]]+[0-9]+[[:space:]]+CompleteCommit"
  check_done "$1: kafka-transactions and kafka-dump-log agree on $(wc -l < "$fifos/dumped") transactional ids"
}

# decided: a clean stop, and two of the open transactions are decided by a record that is written by hand.
decided() {
  stop
  ask decide
  transaction_states
  [ "$(grep -c ' 2$' "$fifos/states") $(grep -c ' 3$' "$fifos/states")" = '1 1' ] || fail "not one of each: $(tr '\n' '|' < "$fifos/states")"
  check_done 'kafka-dump-log: one transaction is prepared to commit, one to abort'
}

# killed: transactions end and the broker is killed meanwhile, until it leaves some prepared of both kinds.
killed() {
  local target=$TARGET commits=0 aborts=0 n
  for n in $(seq 20); do
    ask "end $BROKER_PID"
    broker_kill
    BROKER_PID=''
    transaction_states
    commits=$(grep -c ' 2$' "$fifos/states") aborts=$(grep -c ' 3$' "$fifos/states")
    echo "   $target was killed with $commits transactions prepared to commit and $aborts to abort, $(grep -c ' 1$' "$fifos/states") open"
    [ "$commits" = 0 ] || [ "$aborts" = 0 ] || break
    if [ "$target" = kafka ]; then turn kafka "Kafka after its own kill -9"; else turn other "$target after its own kill -9"; fi
  done
  [ "$commits" != 0 ] && [ "$aborts" != 0 ] || fail "never both"
  check_done "$target is killed while transactions of both kinds are prepared"
}
