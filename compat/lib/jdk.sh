# need_jdk: a JDK (17 or later) and Maven are there, or are installed when this runs as root on Debian.
need_jdk() {
  if command -v javac > /dev/null && command -v mvn > /dev/null; then return 0; fi
  if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    apt-get update -q > /dev/null && apt-get install -y -q --no-install-recommends default-jdk-headless maven > /dev/null && return 0
  fi
  echo "a JDK (17 or later) and Maven are needed" >&2
  return 1
}
