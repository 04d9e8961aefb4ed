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
    &["peers"],
    &["replica"],
    &["coordinator"],
    &["share"],
    &["handlers"],
    &["server"],
    &["broker"],
    &["logging"],
];
/// The lowest layer with async code.
const ASYNC_FROM: &str = "replica";

/// Words that only some files may contain.
struct Ban {
    words: &'static [&'static str],
    /// Whether the ban is meant for a top-level module.
    within: fn(&str) -> bool,
    /// The files that may, or the beginnings of their paths, and why.
    except: &'static [(&'static str, &'static str)],
}

const BANS: &[Ban] = &[
    Ban {
        words: &[
            "fs::",
            "std::fs",
            "tokio::fs",
            "File::",
            ".exists()",
            ".try_exists()",
            ".is_dir()",
            ".is_file()",
            ".metadata()",
            ".symlink_metadata()",
            ".canonicalize()",
            ".read_dir()",
        ],
        within: |_| true,
        except: &[
            ("src/disk.rs", "it is the disk"),
            ("src/disk/", "they are the disk"),
            ("src/config/properties.rs", "the file of settings is read before there is a disk"),
            ("src/config/providers.rs", "files of secrets are read with the settings"),
            ("src/config/listeners.rs", "/proc has the name of the host"),
            ("src/broker/signals.rs", "/proc has the signals that are ignored"),
            ("src/server/memory.rs", "/proc has the memory in use"),
            ("src/server/transport.rs", "sendfile is given an open file"),
            ("src/logging.rs", "an event has metadata too"),
        ],
    },
    Ban {
        words: &["SystemTime", "UNIX_EPOCH"],
        within: |_| true,
        except: &[("src/clock.rs", "it is the clock"), ("src/disk.rs", "files have times too")],
    },
    Ban {
        words: &["Instant::now", ".elapsed()"],
        within: |module| {
            ["types", "error", "config", "record", "codec", "log", "metadata", "coordinator"]
                .contains(&module)
        },
        except: &[],
    },
    Ban {
        words: &[
            ".await",
            "async fn",
            "async move",
            "async {",
            "async |",
            "poll_fn",
            "impl Future",
            "tokio::spawn",
            "tokio::time",
        ],
        within: |module| layer(module) < layer(ASYNC_FROM),
        except: &[
            ("src/client.rs", "other nodes are waited for"),
            ("src/client/", "other nodes are waited for"),
            ("src/controller/client.rs", "the controller's thread is waited for"),
            ("src/peers.rs", "other brokers are waited for"),
            ("src/controller/remote", "the active controller is waited for"),
            ("src/controller/observer.rs", "the controllers are waited for"),
        ],
    },
    Ban {
        words: &["block_on", "blocking_recv", "blocking_send", "thread::sleep"],
        within: |_| true,
        except: &[
            ("src/broker.rs", "it starts the runtime"),
            ("src/broker/applier.rs", "it is a thread of its own"),
            ("src/broker/heartbeats.rs", "they are a thread of its own"),
            ("src/controller.rs", "the controller is a thread of its own"),
            ("src/controller/observer.rs", "it is a thread of its own"),
            ("src/controller/thread.rs", "the controller is a thread of its own"),
            ("src/replica/fetcher/thread.rs", "it is a thread of its own"),
            ("src/disk/cached.rs", "a write waits for the files that others hold"),
            ("src/sync/throttle.rs", "only threads of their own are slowed down"),
        ],
    },
];

/// What ends the process, or the task, if we are wrong.
const PANICS: &[&str] = &[
    "panic!",
    "unreachable!",
    "todo!",
    "unimplemented!",
    "assert!",
    "assert_eq!",
    "assert_ne!",
    ".expect(",
];
/// How many of them a module has: the first row whose module is the file's or contains it. A module
/// without a row has none. The numbers may only fall.
const PANICS_MAX: &[(&str, usize)] = &[
    ("codec/guard", 0),
    ("record/validate", 0),
    ("config", 12),
    ("disk", 1),
    ("record", 12),
    ("codec", 9),
    ("client", 1),
    ("log", 17),
    ("metadata", 6),
    ("controller", 1),
    ("replica", 3),
    ("coordinator", 40),
    ("handlers", 3),
];

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

/// A source file without comments and without what is compiled only for tests.
struct Source {
    path: PathBuf,
    module: Vec<String>,
    code: String,
}

/// The modules that lead to a source file: `src/log/segment.rs` -> `log`, `segment`.
fn module_of(file: &Path) -> Vec<String> {
    let names = file.with_extension("");
    names.iter().skip(1).map(|name| name.to_str().unwrap().to_owned()).collect()
}

/// All that the product consists of.
fn product() -> Vec<Source> {
    let mut only_tests = Vec::new();
    let read = |path: PathBuf| {
        let (code, tests) = split_off_tests(&fs::read_to_string(&path).unwrap());
        let module = module_of(&path);
        let files = tests.lines().filter_map(|line| line.strip_suffix(';')?.split_once("mod "));
        only_tests.extend(files.map(|(_, name)| [&module[..], &[name.to_owned()]].concat()));
        Source { path, module, code }
    };
    let mut all: Vec<Source> = sources(Path::new("src")).into_iter().map(read).collect();
    all.retain(|source| !only_tests.iter().any(|tests| source.module.starts_with(tests)));
    all
}

/// The code of a formatted text, and its items behind `#[cfg(test)]`. An item ends where a line is
/// indented as its first one and ends it.
fn split_off_tests(text: &str) -> (String, String) {
    let (mut code, mut tests) = (String::new(), String::new());
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            code += line.split(" // ").next().unwrap();
            code.push('\n');
            continue;
        }
        for inner in lines.by_ref() {
            tests += inner;
            tests.push('\n');
            if indent(inner) == indent(line) && inner.ends_with([';', ',', '}']) {
                break;
            }
        }
    }
    (code, tests)
}

/// How often a word is in the code, not as the end of a longer one.
fn count(code: &str, word: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let is_end = |at: usize| word.starts_with(is_word) && code[..at].ends_with(is_word);
    code.match_indices(word).filter(|(at, _)| !is_end(*at)).count()
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
        let path = module_of(&file);
        let module = &path[0];
        let own = layer(module).unwrap_or_else(|| panic!("{module} is not in LAYERS"));
        let text = fs::read_to_string(&file).unwrap();
        let used: BTreeSet<String> =
            paths_used(&text, &path).into_iter().map(|(mut path, _)| path.swap_remove(0)).collect();
        for used in used {
            // In generated code and macros, `crate::` may be followed by something other than a
            // module.
            let Some(other) = layer(&used) else { continue };
            if used != *module && other >= own {
                broken.push(format!("{}: {module} may not use {used}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn words_stay_where_they_are_allowed() {
    let product = product();
    let mut broken = Vec::new();
    for ban in BANS {
        let mut unused: BTreeSet<&str> = ban.except.iter().map(|(path, _)| *path).collect();
        for source in product.iter().filter(|source| (ban.within)(&source.module[0])) {
            let shown = source.path.display().to_string();
            let found: Vec<_> =
                ban.words.iter().filter(|word| count(&source.code, word) > 0).collect();
            match ban.except.iter().find(|(path, _)| shown.starts_with(path)) {
                Some((path, _)) if !found.is_empty() => drop(unused.remove(path)),
                Some(_) => {}
                None => broken.extend(found.iter().map(|word| format!("{shown}: {word}"))),
            }
        }
        broken.extend(unused.iter().map(|path| format!("{path} needs no exception any more")));
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn panics_only_become_fewer() {
    let mut found: BTreeMap<String, usize> =
        PANICS_MAX.iter().map(|(module, _)| (module.to_string(), 0)).collect();
    for Source { module, code, .. } in product() {
        let path: PathBuf = module.iter().collect();
        let row = PANICS_MAX.iter().find(|(row, _)| path.starts_with(row));
        let panics = PANICS.iter().map(|word| count(&code, word)).sum::<usize>();
        *found.entry(row.map_or(module.join("/"), |(row, _)| row.to_string())).or_default() +=
            panics;
    }
    let allowed: BTreeMap<&str, usize> = PANICS_MAX.iter().copied().collect();
    let differs = |(module, found): (String, usize)| {
        let allowed = allowed.get(&*module).copied().unwrap_or(0);
        (found != allowed).then(|| format!("{module}: {found} panics, {allowed} in PANICS_MAX"))
    };
    let differs: Vec<String> = found.into_iter().filter_map(differs).collect();
    assert!(differs.is_empty(), "\n{}", differs.join("\n"));
}

#[test]
fn what_is_compiled_only_for_tests_is_no_part_of_the_product() {
    let text = "use a;\n#[cfg(test)]\nmod x;\nenum E {\n    A,\n    #[cfg(test)]\n    B(b),\n}\n\
                // c\n#[cfg(test)]\n#[allow(d)]\nmod tests {\n    fn e() {\n    }\n}\nf; // g\n";
    let (code, tests) = split_off_tests(text);
    assert_eq!(code, "use a;\nenum E {\n    A,\n}\nf;\n");
    assert!(tests.starts_with("mod x;\n    B(b),\n#[allow(d)]\nmod tests {"), "{tests}");
    let paths: Vec<PathBuf> = product().into_iter().map(|source| source.path).collect();
    let has = |path: &str| paths.iter().any(|one| one.ends_with(path));
    assert!(has("src/log.rs") && !has("src/log/tests.rs") && !has("src/disk/sim.rs"));
    assert_eq!(count("File::x IndexFile::x fs::File::y", "File::"), 2);
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
            broken.push(format!("{shown}: unsafe code belongs in {UNSAFE:?}"));
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

/// A path from the crate's root, and the name under which a `use` makes it known.
type Named = (Vec<String>, String);

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The paths of all modules that `text` names with `crate::`, `super::` or `self::`; also those in
/// `use x::{y, z::{...}}`. `module` is the module that contains the text.
fn paths_used(text: &str, module: &[String]) -> Vec<Named> {
    let mut paths = Vec::new();
    for root in ["crate::", "super::", "self::"] {
        for (at, _) in text.match_indices(root) {
            // `super::super::x` is read from its first `super`.
            if text[..at].ends_with("super::") || text[..at].ends_with(is_word) {
                continue;
            }
            let rest = &text[at..];
            let (mut rest, mut base) = match rest.strip_prefix("crate::") {
                Some(rest) => (rest, Vec::new()),
                None => (rest.strip_prefix("self::").unwrap_or(rest), module.to_vec()),
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
fn expand<'a>(text: &'a str, base: Vec<String>, paths: &mut Vec<Named>) -> &'a str {
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
    let word = |text: &str| text.chars().take_while(|c| is_word(*c)).collect::<String>();
    let mut name = word(text);
    let rest = &text[name.len()..];
    let mut path = base;
    match name == "self" {
        true => name = path.last().cloned().unwrap_or_default(),
        false => path.push(name.clone()),
    }
    match rest.strip_prefix("::") {
        Some(rest) => expand(rest, path, paths),
        None => {
            paths.push((path, rest.strip_prefix(" as ").map_or(name, word)));
            rest
        }
    }
}

/// The `use` declarations of a text.
fn uses(code: &str) -> impl Iterator<Item = &str> {
    let declarations = code.match_indices("use ").filter(|(at, _)| {
        let line = code[..*at].rsplit('\n').next().unwrap().trim();
        line.is_empty() || (line.starts_with("pub") && !line.contains(' '))
    });
    declarations.map(|(at, found)| code[at + found.len()..].split(';').next().unwrap())
}

/// The names that each module makes known by a `use`, and what they stand for.
type Known = BTreeMap<Vec<String>, BTreeMap<String, Vec<String>>>;

fn names_known(product: &[Source]) -> Known {
    let mut known: Known =
        product.iter().map(|source| (source.module.clone(), BTreeMap::new())).collect();
    for source in product {
        let mut paths = Vec::new();
        for declared in uses(&source.code) {
            let first = declared.split(|c| !is_word(c)).next().unwrap().to_owned();
            let child = [&source.module[..], &[first]].concat();
            match known.contains_key(&child) {
                true => drop(expand(declared, source.module.clone(), &mut paths)),
                false => paths.extend(paths_used(declared, &source.module)),
            }
        }
        let names = paths.into_iter().map(|(path, name)| (name, path));
        known.insert(source.module.clone(), names.collect());
    }
    known
}

/// What a path stands for, if its first name that is no module is known by a `use`.
fn target_of(path: &[String], known: &Known) -> Option<Vec<String>> {
    let end = (1..path.len()).rev().find(|end| known.contains_key(&path[..*end]))?;
    let target = known[&path[..end]].get(&path[end])?;
    Some([target, &path[end + 1..]].concat())
}

/// Which files use which other files of the same module: module -> file -> files. A file in a
/// folder counts as the file that the folder belongs to.
fn files_used() -> BTreeMap<PathBuf, BTreeMap<String, BTreeSet<String>>> {
    let mut used: BTreeMap<PathBuf, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    let product = product();
    let known = names_known(&product);
    for Source { module, code, .. } in &product {
        for (mut path, _) in paths_used(code, module) {
            // A name may stand for something that another file has declared.
            while let Some(target) = target_of(&path, &known) {
                path = target;
            }
            let common = module.iter().zip(&path).take_while(|(a, b)| a == b).count();
            let (Some(from), Some(to)) = (module.get(common), path.get(common)) else { continue };
            // The layers check top-level modules; names without a file are items.
            if common > 0 && known.contains_key(&path[..=common]) {
                let files = used.entry(module[..common].iter().collect()).or_default();
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
    let text = "use super::a::X; use super::super::{b, c::{self, d, e::Y as Z}}; use self::l;\n\
                use crate::{f::G, h}; fn x(_: crate::i::J) -> super::k::L {}";
    let module = ["x", "y", "z"].map(str::to_owned);
    let mut found: Vec<String> = paths_used(text, &module)
        .into_iter()
        .map(|(path, name)| format!("{} = {name}", path.join("::")))
        .collect();
    found.sort();
    let expected = [
        "f::G = G",
        "h = h",
        "i::J = J",
        "x::b = b",
        "x::c = c",
        "x::c::d = d",
        "x::c::e::Y = Z",
        "x::y::a::X = X",
        "x::y::k::L = L",
        "x::y::z::l = l",
    ];
    assert_eq!(found, expected);
}

#[test]
fn no_use_hides_from_where_a_name_comes() {
    let hiding =
        ["self as", "crate as", "super as", "crate::*", "crate::{*", "super::*", "super::{*"];
    let mut broken = Vec::new();
    for source in product() {
        for declared in uses(&source.code) {
            let found = hiding.iter().filter(|word| count(declared, word) > 0);
            broken.extend(found.map(|word| format!("{}: {word}", source.path.display())));
        }
        let renamed = count(&source.code, "extern crate");
        broken.extend((renamed > 0).then(|| format!("{}: extern crate", source.path.display())));
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}
