# Kafka's command-line tools in one JVM, and checks on what they print. To be sourced by suites.
#
#   tool_session              starts the JVM
#   tool NAME args...         runs a tool; its streams are then in $TOOL_DIR/out and err, its exit
#                             status in $STATUS; stdin is $TOOL_IN if that is set
#   expect / refuse ...       assertions; check_done NAME prints the check's line
#
# A check is: some tool calls and expectations, then "check_done name". CLIENTS_VERSION names another version of the
# tools than the reference's.

FAILURES=0
problem=''

tool_session() {
  local libs
  libs=$(KAFKA_VERSION=${CLIENTS_VERSION:-${KAFKA_VERSION:-}} "$COMPAT_ROOT/kafka/fetch") || return 1
  TOOL_DIR=$(mktemp -d "${TMPDIR:-/tmp}/klamm-tools.XXXXXX")
  mkfifo "$TOOL_DIR/requests" "$TOOL_DIR/answers"
  java -Xmx512M -Dlog4j2.configurationFile="$COMPAT_ROOT/kafka/log4j2-tools.yaml" -cp "$libs/*" \
    "$COMPAT_ROOT/kafka/Tools.java" "$TOOL_DIR" < "$TOOL_DIR/requests" > "$TOOL_DIR/answers" &
  TOOL_PID=$!
  exec 8> "$TOOL_DIR/requests" 9< "$TOOL_DIR/answers"
}

tool_session_end() {
  exec 8>&- 9<&-
  kill "$TOOL_PID" 2>/dev/null
  rm -rf "$TOOL_DIR"
}

tool() {
  local class
  class=$(awk -v name="$1" -v newer="${CLIENTS_VERSION:-${KAFKA_VERSION:-}}" \
    '$1 == name { print newer && newer !~ /^4\.[0-3]\./ && $3 ? $3 : $2 }' "$COMPAT_ROOT/kafka/tools.txt")
  [ -n "$class" ] || { fail "no such tool: $1"; return 1; }
  shift
  printf '%s\0' "$class" "$@" > "$TOOL_DIR/args"
  printf '%s' "${TOOL_IN:-}" > "$TOOL_DIR/in"
  : > "$TOOL_DIR/out"; : > "$TOOL_DIR/err"
  echo >&8
  if ! read -r -t 120 STATUS <&9; then
    STATUS=hung
    fail "$class did not end in 120 s"
    return 1
  fi
}

# fail TEXT: notes the first problem of the current check.
fail() { [ -n "$problem" ] || problem=$1; }

# What a failed expectation shows of the tool's output: enough to see why, on one line.
shown() { cat "$TOOL_DIR/out" "$TOOL_DIR/err" | head -c 600 | tr '\n' '|'; }

# succeeded: the last tool exited with 0.
succeeded() { [ "$STATUS" = 0 ] || fail "exit status $STATUS: $(shown)"; }

# failed: the last tool exited with something else.
failed() { [ "$STATUS" != 0 ] || fail "exit status 0, expected a failure: $(shown)"; }

# expect REGEX / refuse REGEX: a line of the last tool's output (stdout and stderr) matches, or none does.
expect() { grep -Eq -- "$1" "$TOOL_DIR/out" "$TOOL_DIR/err" || fail "no line matches /$1/: $(shown)"; }
refuse() { ! grep -Eq -- "$1" "$TOOL_DIR/out" "$TOOL_DIR/err" || fail "a line matches /$1/: $(shown)"; }

# expect_count N REGEX: exactly N lines of stdout match.
expect_count() {
  local n
  n=$(grep -Ec -- "$2" "$TOOL_DIR/out")
  [ "$n" = "$1" ] || fail "$n lines match /$2/, expected $1: $(shown)"
}

# expect_out TEXT: stdout is exactly this (trailing newlines aside).
expect_out() { [ "$(cat "$TOOL_DIR/out")" = "$1" ] || fail "stdout is not '$(echo "$1" | tr '\n' '|')': $(shown)"; }

# check_done NAME: prints the line of the check that ends here.
check_done() {
  if [ -z "$problem" ]; then
    echo "ok $1"
  else
    echo "FAIL $1: $problem"
    FAILURES=$((FAILURES + 1))
  fi
  problem=''
}
