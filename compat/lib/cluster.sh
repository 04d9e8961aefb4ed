# A cluster of several nodes: Apache Kafka's controllers, and brokers of which some are Kafka's and some klamm's. To be
# sourced by suites, after broker.sh, tools.sh and java.sh.
#
# A node has a name, a kind and a directory $BROKER_DIR/NAME, which is a broker's directory as in broker.sh. Kinds:
#   klamm           klamm; Kafka with TARGET=kafka
#   kafka           Apache Kafka of $KAFKA_VERSION (default 4.3.1)
#   kafka-VERSION   Apache Kafka of another version
# server.properties is the same for all kinds of brokers, so that a node goes on as another kind where it has stopped.
#
#   cluster_controllers N [KIND]       declares the controllers c1 to cN, which are formatted
#   cluster_broker NAME KIND [key=value...]   declares a broker, named b1, b2, ...
#   cluster_gather N KIND...           both, with controllers c1 to cN and brokers of these kinds, and starts them. All nodes
#                      have $SETTINGS (controllers check a group's by their own), and brokers what "prepare NAME" gives them
#   cluster_start                      starts them all, and klamm.compat.Cluster, which ask, query and check speak to
#   node_set NAME key=value...         changes its server.properties; key= takes a setting away
#   cluster_end                        kills whatever still runs, for an EXIT trap
#   node_start, node_stop, node_kill, node_pause, node_resume NAME; node_replace NAME KIND
#   ask COMMAND, query COMMAND         of klamm.compat.Cluster; query sets ANSWER
#   impair NAME cut|deaf|mute|reset|slow           what may happen to all links of a node, until heal NAME
#   cut_link FROM TO drop|reset|delay MS|pass      what becomes of the bytes from one node to another, with CLUSTER_PROXY=yes
#   cluster_equal NAME                 stops all, and compares the replicas of each partition byte for byte
#
#   KRAFT_VERSION   1 (default): the voters are in the metadata log; 0: they are in server.properties
#   CLUSTER_PROXY   yes: each node is reached through proxy.py, so that it can be cut off
#   NODE_JVM        options of each JVM that is a node; the default is small and starts fast

declare -A NODE_KIND=() NODE_PID=() NODE_PORT=() NODE_TARGET_PORT=() NODE_DIRECTORY_ID=()
CONTROLLERS=() BROKERS=()
CLUSTER_PID='' PROXY_PID='' ANSWER=''

# node_id NAME: brokers are 1, 2, ..., controllers 101, 102, ...
node_id() { case $1 in b*) echo "${1#b}" ;; c*) echo "$((100 + ${1#c}))" ;; esac; }

# node_ports NAME: where it listens, and where it is reached, which is another port if the proxy is between.
node_ports() {
  local used=" ${NODE_PORT[*]} ${NODE_TARGET_PORT[*]} "
  local port target
  while port=$(free_port); [[ $used == *" $port "* ]]; do :; done
  target=$port
  if [ "${CLUSTER_PROXY:-no}" = yes ]; then
    while target=$(free_port); [ "$target" = "$port" ] || [[ $used == *" $target "* ]]; do :; done
  fi
  NODE_PORT[$1]=$port NODE_TARGET_PORT[$1]=$target
}

# node_configure NAME LISTENER ROLE [key=value...]: what all nodes have in common.
node_configure() {
  local name=$1 listener=$2 role=$3; shift 3
  mkdir -p "$BROKER_DIR/$name/data" "$BROKER_DIR/$name/logs"
  {
    echo "process.roles=$role"
    echo "node.id=$(node_id "$name")"
    echo "listeners=$listener://127.0.0.1:${NODE_TARGET_PORT[$name]}"
    echo "advertised.listeners=$listener://127.0.0.1:${NODE_PORT[$name]}"
    echo "controller.listener.names=CONTROLLER"
    echo "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"
    echo "log.dirs=$BROKER_DIR/$name/data"
    echo "num.partitions=1"
    echo "default.replication.factor=3"
    echo "min.insync.replicas=2"
    if [ "${KRAFT_VERSION:-1}" = 1 ]; then
      echo "controller.quorum.bootstrap.servers=$(voters | sed 's/[0-9]*@//g; s/:[^:,]*\(,\|$\)/\1/g')"
    else
      echo "controller.quorum.voters=$(voters | sed 's/:[^:,]*\(,\|$\)/\1/g')"
    fi
    printf '%s\n' "$@"
  } > "$BROKER_DIR/$name/server.properties"
}

# voters: the controllers as kafka-storage takes them, id@host:port:directory.
voters() {
  local name list=()
  for name in "${CONTROLLERS[@]}"; do
    list+=("$(node_id "$name")@127.0.0.1:${NODE_PORT[$name]}:${NODE_DIRECTORY_ID[$name]}")
  done
  (IFS=,; echo "${list[*]}")
}

# A random Kafka UUID. One that begins with "-" would be taken for an option.
directory_id() {
  local id=-
  while [[ $id == -* ]]; do id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d =); done
  echo "$id"
}

node_set() {
  local properties=$BROKER_DIR/$1/server.properties setting; shift
  for setting in "$@"; do
    sed -i "/^${setting%%=*}=/d" "$properties"
    if [ -n "${setting#*=}" ]; then echo "$setting" >> "$properties"; fi
  done
}

cluster_controllers() {
  local n name
  for n in $(seq "$1"); do
    name=c$n
    CONTROLLERS+=("$name")
    NODE_KIND[$name]=${2:-kafka}
    NODE_DIRECTORY_ID[$name]=$(directory_id)
    node_ports "$name"
  done
  for name in "${CONTROLLERS[@]}"; do
    # Sessions are short, so that a killed node is soon taken for dead.
    node_configure "$name" CONTROLLER controller broker.session.timeout.ms="${SESSION_MS:-6000}"
  done
}

cluster_broker() {
  local name=$1 kind=$2; shift 2
  BROKERS+=("$name")
  NODE_KIND[$name]=$kind
  node_ports "$name"
  node_configure "$name" PLAINTEXT broker inter.broker.listener.name=PLAINTEXT broker.session.timeout.ms="${SESSION_MS:-6000}" \
    broker.heartbeat.interval.ms="${HEARTBEAT_MS:-1000}" \
    offsets.topic.replication.factor=3 offsets.topic.num.partitions=4 \
    transaction.state.log.replication.factor=3 transaction.state.log.min.isr=2 transaction.state.log.num.partitions=4 \
    share.coordinator.state.topic.replication.factor=3 share.coordinator.state.topic.min.isr=2 \
    share.coordinator.state.topic.num.partitions=4 group.initial.rebalance.delay.ms=0 \
    transaction.abort.timed.out.transaction.cleanup.interval.ms=1000 log.cleaner.enable=false "$@"
}

SETTINGS=()
prepare() { :; }
cluster_gather() {
  local n=0 kind name
  cluster_controllers "$1"; shift
  for name in "${CONTROLLERS[@]}"; do node_set "$name" ${SETTINGS[@]+"${SETTINGS[@]}"}; done
  for kind in "$@"; do
    n=$((n + 1))
    cluster_broker "b$n" "$kind" ${SETTINGS[@]+"${SETTINGS[@]}"}
    prepare "b$n"
  done
  cluster_start
  ask "brokers $n"
}

# as_node NAME FUNCTION args...: runs a function of broker.sh for that node.
as_node() {
  local name=$1 function=$2; shift 2
  local -x TARGET=$TARGET KAFKA_VERSION=${KAFKA_VERSION:-} KAFKA_HEAP_OPTS=${NODE_JVM:--Xmx320M -XX:+UseSerialGC -XX:TieredStopAtLevel=1}
  local -x BROKER_PID=${NODE_PID[$name]:-} FORMAT_OPTIONS=''
  case ${NODE_KIND[$name]} in
    kafka-*) TARGET=kafka KAFKA_VERSION=${NODE_KIND[$name]#kafka-} ;;
    kafka) TARGET=kafka ;;
  esac
  if [[ $name == c* ]] && [ "${KRAFT_VERSION:-1}" = 1 ]; then FORMAT_OPTIONS="--initial-controllers $(voters)"; fi
  "$function" "$@" || return 1
  NODE_PID[$name]=$BROKER_PID
}

node_launch() { as_node "$1" broker_launch "$BROKER_DIR/$1"; }
node_await() { as_node "$1" broker_await "$BROKER_DIR/$1"; }

# A fault that the driver itself cannot get over ends the suite.
must() { "$@" || { echo "FAIL $*"; exit 1; }; }

# node_start NAME: ends when it serves clients, which a broker does once it is unfenced.
node_start() { must as_node "$1" broker_start "$BROKER_DIR/$1"; }

# node_stop NAME: SIGTERM, and with it controlled shutdown.
node_stop() {
  if ! as_node "$1" broker_stop "${STOP_SECONDS:-60}"; then
    echo "FAIL clean stop of $1 (${NODE_KIND[$1]})"
    FAILURES=$((FAILURES + 1))
  fi
  NODE_PID[$1]=''
}

node_kill() { as_node "$1" broker_kill; NODE_PID[$1]=''; }
node_pause() { kill -STOP "${NODE_PID[$1]}"; }
node_resume() { kill -CONT "${NODE_PID[$1]}"; }

# node_replace NAME KIND: the other kind goes on in the same directory with the same server.properties.
node_replace() {
  node_stop "$1"
  NODE_KIND[$1]=$2
  node_start "$1"
}

# node_of ID: the name of the broker or controller with this id.
node_of() { if [ "$1" -gt 100 ]; then echo "c$(($1 - 100))"; else echo "b$1"; fi; }

# node_format NAME: as an operator does it. klamm also takes an empty directory, which is left to it where it is klamm.
node_format() {
  local options=() properties=$BROKER_DIR/$1/server.properties
  if [[ $1 == c* ]] && [ "${KRAFT_VERSION:-1}" = 1 ]; then options=(--initial-controllers "$(voters)"); fi
  tool kafka-storage format -t klammCompatReference0A ${options[@]+"${options[@]}"} -c "$properties"
  [ "$STATUS" = 0 ] || { echo "FAIL format of $1: $(shown)"; exit 1; }
}

# cluster_start: the tools of $KAFKA_VERSION format, so that it has to be the oldest one in the cluster.
cluster_start() {
  local name
  must tool_session
  for name in "${CONTROLLERS[@]}" "${BROKERS[@]}"; do
    if [ "${NODE_KIND[$name]}" != klamm ]; then node_format "$name"; fi
  done
  if [ "${CLUSTER_PROXY:-no}" = yes ]; then proxy_start; fi
  for name in "${CONTROLLERS[@]}"; do must node_launch "$name"; done
  for name in "${CONTROLLERS[@]}"; do must node_await "$name"; done
  for name in "${BROKERS[@]}"; do must node_launch "$name"; done
  for name in "${BROKERS[@]}"; do must node_await "$name"; done
  clients_start
}

# clients_start: klamm.compat.Cluster, which knows all brokers that are declared.
clients_start() {
  local name
  BOOTSTRAP=$(for name in "${BROKERS[@]}"; do echo "127.0.0.1:${NODE_PORT[$name]}"; done | paste -sd ,)
  export BOOTSTRAP
  mkfifo "$BROKER_DIR/commands" "$BROKER_DIR/answers"
  java -Xmx512M -cp "$JAVA_BUILD/classes:$JAVA_BUILD/libs/*" klamm.compat.Cluster < "$BROKER_DIR/commands" \
    > "$BROKER_DIR/answers" 2> "$BROKER_DIR/client.log" &
  CLUSTER_PID=$!
  exec 6> "$BROKER_DIR/commands" 5< "$BROKER_DIR/answers"
}

# ask COMMAND: relays the answer of klamm.compat.Cluster; a line that begins with "= " goes to ANSWER instead.
ask() {
  local line
  ANSWER=''
  echo "$1" >&6
  while read -r -t 300 line <&5; do
    case $line in
      'done') return 0 ;;
      '= '*) ANSWER=${line#= } ;;
      FAIL*) FAILURES=$((FAILURES + 1)); echo "$line" ;;
      *) echo "$line" ;;
    esac
  done
  echo "FAIL $1: no answer"
  exit 1
}

# query COMMAND: the same, where an answer is needed.
query() {
  ask "$1"
  [ -n "$ANSWER" ] || { echo "FAIL $1: nothing is answered"; exit 1; }
}

proxy_start() {
  local name
  mkfifo "$BROKER_DIR/proxy-commands" "$BROKER_DIR/proxy-answers"
  python3 "$COMPAT_ROOT/lib/proxy.py" < "$BROKER_DIR/proxy-commands" > "$BROKER_DIR/proxy-answers" 2> "$BROKER_DIR/proxy.log" &
  PROXY_PID=$!
  exec 3> "$BROKER_DIR/proxy-commands" 4< "$BROKER_DIR/proxy-answers"
  for name in "${CONTROLLERS[@]}" "${BROKERS[@]}"; do
    proxy "node $name ${NODE_PORT[$name]} ${NODE_TARGET_PORT[$name]} $BROKER_DIR/$name/pid"
  done
}

proxy() {
  local answer
  echo "$1" >&3
  read -r -t 20 answer <&4
  [ "$answer" = 'done' ] || { echo "FAIL proxy: $1: $answer"; exit 1; }
}

# cut_link FROM TO WHAT: names of nodes, "client" for what is none, "*" for all.
cut_link() { proxy "rule $*"; }

# cut_off NAME, heal NAME: nothing goes to that node or comes from it; everything does again.
cut_off() { cut_link "$1" '*' "${2:-drop}"; cut_link '*' "$1" "${2:-drop}"; }
heal() { cut_link "$1" '*' pass; cut_link '*' "$1" pass; }

impair() {
  case $2 in
    cut) cut_off "$1" ;;
    deaf) cut_link '*' "$1" drop ;;
    mute) cut_link "$1" '*' drop ;;
    reset) cut_off "$1" reset ;;
    slow) cut_off "$1" 'delay 200' ;;
  esac
}

# cluster_equal NAME: the load has to be quiet. Brokers go before the controllers, which they tell of it.
cluster_equal() {
  local name directories=() dirs
  ask "isr $1: every replica is in sync"
  ask "ends $BROKER_DIR/ends"
  for name in "${BROKERS[@]}"; do
    node_stop "$name"
    IFS=, read -ra dirs <<< "$(sed -n 's/^log.dirs=//p' "$BROKER_DIR/$name/server.properties")"
    directories+=("${dirs[@]}")
  done
  for name in "${CONTROLLERS[@]}"; do node_stop "$name"; done
  python3 "$COMPAT_ROOT/lib/replicas.py" "$BROKER_DIR/ends" "${directories[@]}" || FAILURES=$((FAILURES + 1))
}

# cluster_end: no process is left behind, and compat/run finds all logs.
cluster_end() {
  local name
  exec 3>&- 4<&- 5<&- 6>&-
  for name in "${!NODE_PID[@]}"; do
    if [ -n "${NODE_PID[$name]}" ]; then node_kill "$name"; fi
  done
  for name in "$CLUSTER_PID" "$PROXY_PID"; do
    if [ -n "$name" ]; then { kill -KILL "$name" && wait "$name"; } 2>/dev/null; fi
  done
  if [ -n "${TOOL_DIR:-}" ]; then tool_session_end; fi
  mkdir -p "$BROKER_DIR/logs"
  cp "$BROKER_DIR"/*.log "$BROKER_DIR/logs/" 2>/dev/null
  for name in "${CONTROLLERS[@]}" "${BROKERS[@]}"; do
    cp -r "$BROKER_DIR/$name/logs" "$BROKER_DIR/logs/$name"
    cp "$BROKER_DIR/$name/server.properties" "$BROKER_DIR/logs/$name/"
  done
}
