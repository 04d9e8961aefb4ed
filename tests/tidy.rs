//! The house rules that a compiler does not check, run with every `cargo test`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Bottom to top. A module may use those of the lines above it and itself, nothing else.
const LAYERS: &[&[&str]] = &[
    &["types"],
    &["error", "clock"],
    &["config"],
    &["disk"],
    &["record", "codec"],
    &["client"],
    &["log"],
    &["metadata"],
    &["replica"],
    &["coordinator"],
    &["handlers"],
    &["server"],
    &["broker"],
    &["logging"],
];
/// Longer files are split; the table of settings may be long.
const FILE_LINES_MAX: usize = 600;
/// The files that may contain unsafe code, each with its reason in a SAFETY comment.
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

/// The top module a source file belongs to: `src/log/segment.rs` -> `log`.
fn module_of(file: &Path) -> String {
    let name = file.components().nth(1).unwrap().as_os_str().to_str().unwrap();
    name.trim_end_matches(".rs").to_owned()
}

/// Every `x` of `crate::x`, also inside `use crate::{x, y::z}`.
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
            // `crate::` in generated code and macros may name items that are no modules.
            let Some(other) = layer(&used) else { continue };
            if used != module && other >= own {
                broken.push(format!("{}: {module} may not use {used}", file.display()));
            }
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
