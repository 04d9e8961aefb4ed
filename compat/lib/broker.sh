# Start, stop and kill one broker of either target. To be sourced by compat/run and by suites that
# handle the broker themselves (crash).
#
# A broker lives in a directory: server.properties, data/ (log.dirs), logs/ and pid. Environment:
#   TARGET           klamm or kafka
#   KLAMM_BIN        the klamm binary, default target/release/klamm
#   FORMAT_OPTIONS   more options of "kafka-storage format", for the reference
#   KAFKA_HEAP_OPTS  heap of the reference, default -Xmx512M
#   START_TIMEOUT    seconds until the broker has to answer, default 60

COMPAT_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
COMPAT_CACHE=${COMPAT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/klamm-compat}
KLAMM_BIN=${KLAMM_BIN:-${CARGO_TARGET_DIR:-$COMPAT_ROOT/../target}/release/klamm}
export COMPAT_CACHE KLAMM_BIN

# Prints a free loopback port, below Linux's ephemeral range so that no outgoing connection takes
# it between this look and the broker's bind.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 10000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

# broker_configure DIR [key=value...]: writes DIR/server.properties, the same text for both targets,
# and sets BROKER_DIR, BROKER_PORT, CONTROLLER_PORT, BOOTSTRAP and BOOTSTRAP_CONTROLLER.
broker_configure() {
  mkdir -p "$1/data" "$1/logs"
  BROKER_DIR=$(cd "$1" && pwd); shift
  BROKER_PORT=$(free_port)
  CONTROLLER_PORT=$(free_port)
  while [ "$CONTROLLER_PORT" = "$BROKER_PORT" ]; do CONTROLLER_PORT=$(free_port); done
  BOOTSTRAP=127.0.0.1:$BROKER_PORT
  BOOTSTRAP_CONTROLLER=127.0.0.1:$CONTROLLER_PORT
  export BROKER_DIR BROKER_PORT CONTROLLER_PORT BOOTSTRAP BOOTSTRAP_CONTROLLER
  cat > "$BROKER_DIR/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@$BOOTSTRAP_CONTROLLER
listeners=PLAINTEXT://$BOOTSTRAP,CONTROLLER://$BOOTSTRAP_CONTROLLER
advertised.listeners=PLAINTEXT://$BOOTSTRAP
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$BROKER_DIR/data
num.partitions=1
auto.create.topics.enable=true
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
PROPERTIES
  printf '%s\n' "$@" >> "$BROKER_DIR/server.properties"
}

# broker_start DIR: starts the broker of DIR as a child of this shell, waits until it answers
# ApiVersions and sets BROKER_PID. Logs go to DIR/logs.
broker_start() { broker_launch "$1" && broker_await "$1"; }

# broker_launch DIR: the same without waiting.
broker_launch() {
  local dir=$1
  case $TARGET in
    klamm)
      "$KLAMM_BIN" "$dir/server.properties" >> "$dir/logs/broker.log" 2>&1 < /dev/null & ;;
    kafka)
      local kafka=$COMPAT_ROOT/kafka
      local libs; libs=$("$kafka/fetch") || return 1
      local java=(java -server -Dkafka.logs.dir="$dir/logs"
        -Dlog4j2.configurationFile="$kafka/log4j2-broker.yaml" -cp "$libs/*")
      if [ -z "$(find "$dir/data" -maxdepth 2 -name meta.properties)" ]; then
        # shellcheck disable=SC2086 # options are a list of words
        "${java[@]}" kafka.tools.StorageTool format -t klammCompatReference0A ${FORMAT_OPTIONS:-} \
          -c "$dir/server.properties" >> "$dir/logs/format.log" 2>&1 || { cat "$dir/logs/format.log" >&2; return 1; }
      fi
      # shellcheck disable=SC2086 # heap options are a list of words
      "${java[@]}" ${KAFKA_HEAP_OPTS:--Xmx512M} kafka.Kafka "$dir/server.properties" \
        >> "$dir/logs/broker.log" 2>&1 < /dev/null & ;;
    *) echo "unknown target $TARGET" >&2; return 1 ;;
  esac
  BROKER_PID=$!
  export BROKER_PID
  echo "$BROKER_PID" > "$dir/pid"
}

# broker_await DIR: waits until the broker answers an ApiVersions v0 request with its correlation id.
broker_await() {
  local dir=$1 port end=$((SECONDS + ${START_TIMEOUT:-60})) answer
  port=$(sed -n 's/^listeners=[A-Z]*:\/\/127.0.0.1:\([0-9]*\).*/\1/p' "$dir/server.properties")
  while [ $SECONDS -lt $end ]; do
    if ! kill -0 "$BROKER_PID" 2>/dev/null; then
      echo "the broker exited at start:" >&2; tail -n 5 "$dir/logs/broker.log" >&2; return 1
    fi
    # size 10, api key 18, version 0, correlation id 7, null client id
    answer=$( { exec 3<>"/dev/tcp/127.0.0.1/$port" \
      && printf '\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x07\xff\xff' >&3 \
      && timeout 5 head -c 8 <&3 | od -An -tu1 | tr -s ' '; } 2>/dev/null )
    [ "${answer##* }" = 7 ] && return 0
    sleep 0.02
  done
  echo "the broker did not answer ApiVersions on port $port" >&2
  return 1
}

# broker_stop [SECONDS]: SIGTERM; fails if the broker is not gone in time (30 s) or did not exit with 0
# (143 for the reference: the JVM reports the signal), and then leaves no process behind either.
broker_stop() {
  local status=0 end=$((SECONDS + ${1:-30}))
  kill -TERM "$BROKER_PID" 2>/dev/null || { echo "the broker had exited by itself" >&2; return 1; }
  while kill -0 "$BROKER_PID" 2>/dev/null; do
    if [ $SECONDS -ge $end ]; then
      echo "the broker did not stop on SIGTERM" >&2; broker_kill; return 1
    fi
    sleep 0.05
  done
  wait "$BROKER_PID" 2>/dev/null || status=$?
  [ $status = 0 ] || { [ "$TARGET" = kafka ] && [ $status = 143 ]; } && return 0
  echo "the broker exited with status $status" >&2
  return 1
}

# broker_kill: kill -9 and wait until it is gone.
broker_kill() {
  kill -KILL "$BROKER_PID" 2>/dev/null
  wait "$BROKER_PID" 2>/dev/null
  return 0
}
