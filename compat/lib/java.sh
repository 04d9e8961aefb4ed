# Builds the Java programs of suites. To be sourced by suites, after broker.sh. CLIENTS_VERSION names another version
# of Kafka's clients than the poms'.

# shellcheck source=jdk.sh
. "$COMPAT_ROOT/lib/jdk.sh"

# java_build [SUITE]: compiles compat/SUITE (default java) unless nothing changed since the last time, and sets
# JAVA_BUILD to where its classes and libraries are.
java_build() {
  local suite=${1:-java} stamp
  JAVA_BUILD=$COMPAT_ROOT/../target/compat/$suite-build${CLIENTS_VERSION:+-$CLIENTS_VERSION}
  stamp=$JAVA_BUILD/built
  need_jdk || return 1
  mkdir -p "$JAVA_BUILD"
  exec 7> "$JAVA_BUILD.lock"
  flock 7
  if [ ! -e "$stamp" ] || [ -n "$(find "$COMPAT_ROOT/$suite" -newer "$stamp" -type f)" ]; then
    # A library that the pom does not name any more must not stay on the class path.
    rm -rf "$JAVA_BUILD/libs"
    mvn -B -q -Dstyle.color=never -f "$COMPAT_ROOT/$suite/pom.xml" -Dbuild.dir="$JAVA_BUILD" \
      ${CLIENTS_VERSION:+-Dkafka.version="$CLIENTS_VERSION"} \
      compile dependency:copy-dependencies -DoutputDirectory="$JAVA_BUILD/libs" || return 1
    touch "$stamp"
  fi
  exec 7>&-
}

# java_run CLASS args...: runs klamm.compat.CLASS.
java_run() {
  local class=$1; shift
  java -Xmx1G -cp "$JAVA_BUILD/classes:$JAVA_BUILD/libs/*" "klamm.compat.$class" "$@"
}
