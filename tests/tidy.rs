//! The project's rules that the compiler does not check.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The layers from bottom to top. A module may use itself and the modules of the lines above its
/// own.
const LAYERS: &[&[&str]] = &[
    &["types"],
    &["error", "clock"],
    &["sync"],
    &["config"],
    &["disk"],
    &["record", "codec"],
    &["client"],
    &["log"],
    &["metadata"],
    &["controller"],
    &["replica"],
    &["coordinator"],
    &["handlers"],
    &["server"],
    &["broker"],
    &["logging"],
];
/// The lowest layer with async code. Below it only these files may await.
const ASYNC_FROM: &str = "replica";
const ASYNC_DOORS: &[&str] = &["src/client.rs", "src/client/", "src/controller/client.rs"];
/// The most lines of a file; the table of settings is exempt.
const FILE_LINES_MAX: usize = 600;
/// The files that may contain unsafe code. A SAFETY comment there gives the reason.
const UNSAFE: &[&str] = &["src/codec/splice.rs", "src/disk/mmap.rs", "src/server/memory.rs"];

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The top-level module of a source file: `src/log/segment.rs` -> `log`.
fn module_of(file: &Path) -> String {
    let name = file.components().nth(1).unwrap().as_os_str().to_str().unwrap();
    name.trim_end_matches(".rs").to_owned()
}

/// Every `x` of `crate::x`, also in `use crate::{x, y::z}`.
fn modules_used(text: &str) -> BTreeSet<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let mut used = BTreeSet::new();
    for (at, matched) in text.match_indices("crate::") {
        let rest = &text[at + matched.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            used.insert(word(rest));
            continue;
        };
        let mut depth = 1;
        let mut item_starts = true;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => item_starts = true,
                c if item_starts && c.is_alphabetic() => {
                    used.insert(word(&group[at..]));
                    item_starts = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    used.retain(|module: &String| !module.is_empty());
    used
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

#[test]
fn modules_use_only_lower_layers() {
    let mut broken = Vec::new();
    for file in sources(Path::new("src")) {
        if file.ends_with("main.rs") || file.ends_with("lib.rs") {
            continue;
        }
        let module = module_of(&file);
        let own = layer(&module).unwrap_or_else(|| panic!("{module} is not in LAYERS"));
        for used in modules_used(&fs::read_to_string(&file).unwrap()) {
            // In generated code and macros, `crate::` may be followed by something other than a
            // module.
            let Some(other) = layer(&used) else { continue };
            if used != module && other >= own {
                broken.push(format!("{}: {module} may not use {used}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn nothing_below_replica_waits() {
    let words = [".await", "async fn", "async move", "async {", "async |"];
    let lowest = layer(ASYNC_FROM).unwrap();
    let mut broken = Vec::new();
    for file in sources(Path::new("src")) {
        let shown = file.display().to_string();
        let is_below = layer(&module_of(&file)).is_some_and(|layer| layer < lowest);
        let is_door = ASYNC_DOORS.iter().any(|door| shown.starts_with(door));
        let is_test = file.iter().any(|part| part == "tests" || part == "tests.rs");
        let text = fs::read_to_string(&file).unwrap();
        if is_below && !is_door && !is_test {
            let found = words.iter().filter(|word| text.contains(**word));
            broken.extend(found.map(|word| format!("{shown}: {word} below {ASYNC_FROM}")));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn the_layer_check_sees_every_way_to_name_a_module() {
    let text = "use crate::log::Log; use crate::{error::{self, Error}, types}; crate::disk::x()";
    let used: Vec<String> = modules_used(text).into_iter().collect();
    assert_eq!(used, ["disk", "error", "log", "types"]);
}

#[test]
fn messages_come_from_one_place() {
    let mut broken = sources(Path::new("src"));
    broken.retain(|file| !file.starts_with("src/codec"));
    broken.retain(|file| fs::read_to_string(file).unwrap().contains("kafka_protocol::messages"));
    assert!(broken.is_empty(), "import from crate::codec::messages: {broken:?}");
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut broken = Vec::new();
    for file in sources(Path::new("src")).into_iter().chain(sources(Path::new("build"))) {
        let text = fs::read_to_string(&file).unwrap();
        let shown = file.display();
        if text.lines().count() > FILE_LINES_MAX && !file.ends_with("src/config/table.rs") {
            broken.push(format!("{shown}: over {FILE_LINES_MAX} lines; split it"));
        }
        if !text.starts_with("//!") && !file.ends_with("tests.rs") {
            broken.push(format!("{shown}: the first line must say what the file is (//!)"));
        }
        if text.contains("unsafe_code") && !UNSAFE.iter().any(|allowed| file.ends_with(allowed)) {
            broken.push(format!("{shown}: unsafe code belongs into {UNSAFE:?}"));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn sources_are_formatted() {
    let mut files = sources(Path::new("src"));
    files.extend(sources(Path::new("tests")));
    files.extend(sources(Path::new("benches")));
    files.extend(sources(Path::new("build")));
    let mut rustfmt = std::process::Command::new("rustfmt");
    let output =
        rustfmt.args(["--edition", "2024", "--check", "-l"]).args(&files).output().unwrap();
    let listed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "run `cargo fmt` on\n{listed}");
}

/// The paths of all modules that `text` names with `crate::` or `super::`, starting at the crate's
/// root; also those in `use x::{y, z::{...}}`. `module` is the module that contains the text.
fn paths_used(text: &str, module: &[String]) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    for root in ["crate::", "super::"] {
        for (at, _) in text.match_indices(root) {
            // `super::super::x` is read from its first `super`.
            if text[..at].ends_with("super::") || text[..at].ends_with(is_word) {
                continue;
            }
            let mut rest = &text[at..];
            let mut base = match rest.strip_prefix("crate::") {
                Some(stripped) => {
                    rest = stripped;
                    Vec::new()
                }
                None => module.to_vec(),
            };
            while let Some(stripped) = rest.strip_prefix("super::") {
                rest = stripped;
                base.pop();
            }
            expand(rest, base, &mut paths);
        }
    }
    paths
}

/// Adds the paths of the use tree at the beginning of `text`, below `base`. Returns the text after
/// it.
fn expand<'a>(text: &'a str, base: Vec<String>, paths: &mut Vec<Vec<String>>) -> &'a str {
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
            match rest.strip_prefix('}') {
                Some(after) => return after,
                None if rest.is_empty() => return rest,
                None => {
                    let after = expand(rest, base.clone(), paths);
                    let skipped = after.find([',', '}']).unwrap_or(after.len());
                    rest = &after[skipped..];
                }
            }
        }
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let mut path = base;
    path.push(text[..end].to_owned());
    match text[end..].strip_prefix("::") {
        Some(rest) => expand(rest, path, paths),
        None => {
            paths.push(path);
            &text[end..]
        }
    }
}

/// Which files use which other files of the same module: module -> file -> files. A file in a
/// folder counts as the file that the folder belongs to.
fn files_used() -> BTreeMap<PathBuf, BTreeMap<String, BTreeSet<String>>> {
    let mut used: BTreeMap<PathBuf, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for file in sources(Path::new("src")) {
        let names = file.with_extension("");
        let module: Vec<String> =
            names.iter().skip(1).map(|name| name.to_str().unwrap().to_owned()).collect();
        if module.iter().any(|name| name == "tests") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for path in paths_used(text, &module) {
            let common = module.iter().zip(&path).take_while(|(a, b)| a == b).count();
            let (Some(from), Some(to)) = (module.get(common), path.get(common)) else { continue };
            let parent: PathBuf =
                Path::new("src").join(module[..common].iter().collect::<PathBuf>());
            // The layers check top-level modules; names without a file are items.
            if common > 0 && parent.join(format!("{to}.rs")).exists() {
                let files = used.entry(parent).or_default();
                files.entry(from.clone()).or_default().insert(to.clone());
            }
        }
    }
    used
}

/// Whether `from` uses `to`, directly or through other files.
fn reaches(files: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut next = vec![from];
    while let Some(file) = next.pop() {
        for used in files.get(file).into_iter().flatten() {
            if used == to {
                return true;
            }
            if seen.insert(used) {
                next.push(used);
            }
        }
    }
    false
}

#[test]
fn files_of_a_module_use_each_other_in_no_circle() {
    let mut broken = Vec::new();
    for (module, files) in files_used() {
        let in_circle: Vec<&str> =
            files.keys().map(String::as_str).filter(|file| reaches(&files, file, file)).collect();
        if !in_circle.is_empty() {
            broken.push(format!("{}: {}", module.display(), in_circle.join(" <-> ")));
        }
    }
    assert!(broken.is_empty(), "files that use each other in a circle:\n{}", broken.join("\n"));
}

#[test]
fn the_circle_check_sees_every_way_to_name_a_file() {
    let text = "use super::a::X; use super::super::{b, c::{d, e::Y as Z}}; use crate::{f::G, h};\n\
                fn x(_: crate::i::J) -> super::k::L {}";
    let module = ["x", "y", "z"].map(str::to_owned);
    let mut found: Vec<String> =
        paths_used(text, &module).into_iter().map(|path| path.join("::")).collect();
    found.sort();
    let expected =
        ["f::G", "h", "i::J", "x::b", "x::c::d", "x::c::e::Y", "x::y::a::X", "x::y::k::L"];
    assert_eq!(found, expected);
}
