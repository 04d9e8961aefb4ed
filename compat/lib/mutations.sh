# A copy of the sources with faults that KLAMM_MUTATION switches on, by which a suite proves that it finds them. To be
# sourced.

# mutated_tree TREE PATCH: the sources as git knows them, with the patch, in the directory TREE.
mutated_tree() {
  local root; root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
  rm -rf "$1"
  mkdir -p "$1"
  (cd "$root" && git ls-files -z --cached | xargs -0 cp --parents -t "$1") || return 1
  patch --quiet --strip=1 --directory="$1" < "$2" || { echo "$2 does not fit any more"; return 1; }
}
