# The history checker of compat/checker/src. To be sourced by suites, after broker.sh.
#
#   checker_build              sets CHECKER_BIN, unless it is given
#   checker_start WORKLOAD     log, queue or letters, on the broker or cluster at $BOOTSTRAP, from and into $BROKER_DIR
#   checker_wait WORKLOAD      its status; a history with anomalies is kept in target/compat/
#   checker_end                kills it, for an EXIT trap
#
# CHECKER_SECONDS is how long a workload runs, SEED which operations it has. Whoever makes the broker fail notes in
# $BROKER_DIR/downs when it was down, by "note_down FROM".
CHECKER_PID=''
# What a broker needs for the workloads: locks are short, and dead members are missed soon.
CHECKER_SETTINGS=(transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
  group.share.min.record.lock.duration.ms=1000 group.share.min.session.timeout.ms=1000
  group.share.session.timeout.ms=6000 group.share.min.heartbeat.interval.ms=1000
  group.share.heartbeat.interval.ms=1000 group.share.initialize.retry.interval.ms=1000)

checker_build() {
  if [ -n "${CHECKER_BIN:-}" ]; then return 0; fi
  local root; root=$(dirname "$COMPAT_ROOT")
  (cd "$root" && cargo build --quiet --example checker) || return 1
  CHECKER_BIN=${CARGO_TARGET_DIR:-$root/target}/debug/examples/checker
}

checker_start() {
  local options=()
  case $1 in
    log) options=(run) ;;
    queue) options=(queue --downs "$BROKER_DIR/downs") ;;
    letters) options=(queue --letters --downs "$BROKER_DIR/downs") ;;
  esac
  mkdir -p "$BROKER_DIR/logs"
  "$CHECKER_BIN" "${options[@]}" --bootstrap "$BOOTSTRAP" --seconds "$CHECKER_SECONDS" --seed "$SEED" \
    --history "$BROKER_DIR/history" 2> "$BROKER_DIR/logs/checker.log" &
  CHECKER_PID=$!
}

checker_wait() {
  local status kept
  wait "$CHECKER_PID"
  status=$?
  CHECKER_PID=''
  if [ $status != 0 ] && [ -e "$BROKER_DIR/history" ]; then
    kept=target/compat/history-$TARGET-$1-$SEED
    mkdir -p "$(dirname "$COMPAT_ROOT")/target/compat"
    cp "$BROKER_DIR/history" "$(dirname "$COMPAT_ROOT")/$kept"
    echo "the history is in $kept"
  fi
  return $status
}

checker_end() { if [ -n "$CHECKER_PID" ]; then kill -KILL "$CHECKER_PID" 2>/dev/null; fi; }

# Microseconds of the epoch.
now() { echo "${EPOCHREALTIME/[.,]/}"; }

note_down() { echo "$1 $(now)" >> "$BROKER_DIR/downs"; }
