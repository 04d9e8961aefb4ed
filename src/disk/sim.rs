//! A file system in memory that crashes, tears writes, fails and fills up, all determined by a
//! seed.
//!
//! It has a live image, which a process sees and which `kill -9` leaves unchanged, and a durable
//! one. A power loss leaves of each file what was synced and any part of what was not, page by page
//! and torn within a page; of each directory it leaves what was synced and the first of its later
//! changes.

use super::Handle;
use super::system::{Kind, Mode, OpenFile, Stat, System};
use crate::sync::lock;
use fastrand::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind, IoSlice};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// Bytes that are written together; small, so that small files have several pages.
const PAGE: usize = 256;
const ROOT: u64 = 0;
/// The time of the last write of every file.
const MODIFIED: crate::types::Timestamp = 1_700_000_000_000;

/// The file system. Clones share it.
#[derive(Clone, Debug)]
pub struct Sim(Arc<Mutex<World>>);

#[derive(Clone, Debug)]
pub struct SimFile {
    sim: Sim,
    id: u64,
    path: PathBuf,
}

/// A failure that is about to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The number of calls that change something and succeed before it.
    pub after: u64,
    /// The error that is returned.
    pub kind: ErrorKind,
    /// Only an fsync can fail.
    pub sync_only: bool,
    /// The process dies there: nothing is changed any more until the next [`Sim::fail`].
    pub is_end: bool,
}

#[derive(Debug)]
struct World {
    random: Rng,
    nodes: BTreeMap<u64, Node>,
    next_id: u64,
    capacity: u64,
    fault: Option<Fault>,
    /// The process has died; its calls have no effect.
    is_dead: bool,
    /// What an fsync claims to do but does not.
    lie: Option<Lie>,
    syncs: u64,
    power_losses: u32,
    trace: DefaultHasher,
}

/// A kind of dishonest disk. If the tests detect it, they would also detect a broker that forgets
/// to sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// The content of files does not become durable.
    Files,
    /// The entries of directories do not become durable.
    Directories,
}

#[derive(Debug)]
enum Node {
    Dir { live: Names, durable: Names, pending: Vec<Change> },
    File(Content),
}

type Names = BTreeMap<String, u64>;

/// An unsynced change of a directory.
#[derive(Clone, Debug)]
enum Change {
    Link(String, u64),
    Unlink(String),
    Rename(String, String),
}

#[derive(Debug, Default)]
struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Pages that differ from the durable ones; the next sync writes them.
    dirty: BTreeSet<usize>,
    /// Pages dropped by a failed sync; later syncs do not mention them.
    lost: BTreeSet<usize>,
}

impl Sim {
    /// An empty file system.
    pub fn new(seed: u64) -> Sim {
        let root = Node::Dir { live: Names::new(), durable: Names::new(), pending: Vec::new() };
        Sim(Arc::new(Mutex::new(World {
            random: Rng::with_seed(seed),
            nodes: BTreeMap::from([(ROOT, root)]),
            next_id: 1,
            capacity: u64::MAX,
            fault: None,
            is_dead: false,
            lie: None,
            syncs: 0,
            power_losses: 0,
            trace: DefaultHasher::new(),
        })))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.0)
    }

    /// Sets the call that will fail; None for none. Also revives a dead process.
    pub fn fail(&self, fault: Option<Fault>) {
        let mut world = self.world();
        (world.fault, world.is_dead) = (fault, false);
    }

    /// Makes fsync dishonest from now on.
    pub fn lie(&self, about: Lie) {
        self.world().lie = Some(about);
    }

    /// Whether the failure is still to come.
    pub fn is_fault_ahead(&self) -> bool {
        self.world().fault.is_some()
    }

    /// Whether the process has died of a failure.
    pub fn is_dead(&self) -> bool {
        self.world().is_dead
    }

    /// Limits the free space to `bytes` bytes.
    pub fn leave_free(&self, bytes: u64) {
        let mut world = self.world();
        world.capacity = world.used().saturating_add(bytes);
    }

    /// The number of fsyncs so far, of files and directories.
    pub fn syncs(&self) -> u64 {
        self.world().syncs
    }

    /// A hash of all calls so far and their order.
    pub fn trace(&self) -> u64 {
        self.world().trace.finish()
    }

    /// Cuts the power; open files must not be used afterwards.
    pub fn lose_power(&self) {
        let world = &mut *self.world();
        for node in world.nodes.values_mut() {
            match node {
                Node::Dir { live, durable, pending } => {
                    let kept = world.random.usize(0..=pending.len());
                    pending.drain(..).take(kept).for_each(|change| change.apply(durable));
                    live.clone_from(durable);
                }
                Node::File(content) => content.lose_power(&mut world.random),
            }
        }
        (world.fault, world.is_dead) = (None, false);
        world.power_losses += 1;
    }
}

impl System for Sim {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Handle> {
        let world = &mut *self.world();
        let id = if mode == Mode::Create { world.open(path) } else { world.find(path) }?;
        Ok(Handle::Sim(SimFile { sim: self.clone(), id, path: path.to_owned() }))
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let world = self.world();
        let id = world.find(path)?;
        let len = world.content(id).map_or(0, |content| content.live.len() as u64);
        Ok(Stat { len, modified: MODIFIED, identity: (0, id) })
    }

    fn entries(&self, path: &Path) -> io::Result<Vec<(String, Kind)>> {
        let world = self.world();
        let Node::Dir { live, .. } = &world.nodes[&world.find(path)?] else {
            return Err(ErrorKind::NotADirectory.into());
        };
        let kind = |id: &u64| match world.nodes[id] {
            Node::Dir { .. } => Kind::Dir,
            Node::File(_) => Kind::File,
        };
        Ok(live.iter().map(|(name, id)| (name.clone(), kind(id))).collect())
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.world().create_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        assert_eq!(from.parent(), to.parent(), "renames stay in their directory");
        let world = &mut *self.world();
        world.find(from)?;
        let change = Change::Rename(name_of(from), name_of(to));
        world.change(from, change, "rename")
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.remove_dir_all(path)
    }

    fn remove_empty_dir(&self, path: &Path) -> io::Result<()> {
        self.remove_dir_all(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let world = &mut *self.world();
        world.find(path)?;
        world.change(path, Change::Unlink(name_of(path)), "remove")
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let world = &mut *self.world();
        let id = world.find(path)?;
        world.sync(id, path)
    }

    /// Each log directory counts as a disk of its own: a failure in it affects nothing else.
    fn sync_all(&self, path: &Path) -> io::Result<()> {
        let world = &mut *self.world();
        let mut ids = vec![world.find(path)?];
        let mut at = 0;
        while let Some(id) = ids.get(at) {
            if let Some(Node::Dir { live, .. }) = world.nodes.get(id) {
                ids.extend(live.values());
            }
            at += 1;
        }
        ids.into_iter().try_for_each(|id| world.sync(id, path))
    }

    /// An unlimited disk does not report its size, so that no reserve of several MiB is kept on it.
    fn space(&self, _: &Path) -> io::Result<(i64, i64)> {
        let world = self.world();
        let Ok(total) = i64::try_from(world.capacity) else { return Ok((0, i64::MAX)) };
        Ok((total, total.saturating_sub(world.used() as i64)))
    }

    fn boot_mark(&self, _: &Path) -> io::Result<Option<String>> {
        Ok(Some(format!("after {} power losses", self.world().power_losses)))
    }
}

impl OpenFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let world = self.sim.world();
        let live = &world.content(self.id)?.live;
        let from = (position as usize).min(live.len());
        let len = buffer.len().min(live.len() - from);
        buffer[..len].copy_from_slice(&live[from..from + len]);
        Ok(len)
    }

    /// On a full disk, a part is written.
    fn write_at(&self, slices: &mut [IoSlice<'_>], position: u64) -> io::Result<()> {
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
        let world = &mut *self.sim.world();
        let was_dead = world.is_dead;
        let failed = world.call("write", &self.path, false).err();
        let from = position as usize;
        let room = world.room();
        let len = world.content(self.id)?.live.len();
        let fits = ((len as u64).saturating_add(room) as usize).saturating_sub(from);
        let mut written = bytes.len().min(fits);
        if was_dead {
            written = 0;
        } else if failed.is_some() {
            written = world.random.usize(0..=written);
        }
        world.content_mut(self.id)?.write(&bytes[..written], from);
        match failed {
            Some(error) => Err(error),
            None if written < bytes.len() => Err(ErrorKind::StorageFull.into()),
            None => Ok(()),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let world = &mut *self.sim.world();
        world.call("truncate", &self.path, false)?;
        let content = world.content_mut(self.id)?;
        let (old, len) = (content.live.len(), len as usize);
        content.live.resize(len, 0);
        content.touch(old.min(len)..old.max(len));
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.sim.world().content(self.id)?.live.len() as u64)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sim.world().sync(self.id, &self.path)
    }
}

impl World {
    /// Begins every call that changes something.
    fn call(&mut self, what: &str, path: &Path, is_sync: bool) -> io::Result<()> {
        if self.is_dead {
            return Err(ErrorKind::Other.into());
        }
        // The name of a log that was moved away is random.
        let path_text = path.to_string_lossy();
        let is_away = ["-delete", "-stray", "-future"].iter().any(|s| path_text.contains(s));
        (what, (!is_away).then_some(path)).hash(&mut self.trace);
        let Some(fault) = &mut self.fault else { return Ok(()) };
        if fault.sync_only && !is_sync {
            return Ok(());
        }
        if fault.after > 0 {
            fault.after -= 1;
            return Ok(());
        }
        let Fault { kind, is_end, .. } = *fault;
        (self.fault, self.is_dead) = (None, is_end);
        Err(kind.into())
    }

    fn room(&self) -> u64 {
        match self.capacity {
            u64::MAX => u64::MAX,
            capacity => capacity.saturating_sub(self.used()),
        }
    }

    fn used(&self) -> u64 {
        let len = |node: &Node| match node {
            Node::File(content) => content.live.len() as u64,
            Node::Dir { .. } => 0,
        };
        self.nodes.values().map(len).sum()
    }

    fn find(&self, path: &Path) -> io::Result<u64> {
        let mut id = ROOT;
        for component in path.components() {
            let Component::Normal(name) = component else { continue };
            let Some(Node::Dir { live, .. }) = self.nodes.get(&id) else {
                return Err(ErrorKind::NotADirectory.into());
            };
            id = *live.get(&*name.to_string_lossy()).ok_or(ErrorKind::NotFound)?;
        }
        Ok(id)
    }

    fn change(&mut self, path: &Path, change: Change, what: &str) -> io::Result<()> {
        self.call(what, path, false)?;
        let parent = self.find(path.parent().unwrap_or(Path::new("/")))?;
        let Some(Node::Dir { live, pending, .. }) = self.nodes.get_mut(&parent) else {
            return Err(ErrorKind::NotADirectory.into());
        };
        change.clone().apply(live);
        pending.push(change);
        Ok(())
    }

    fn make(&mut self, path: &Path, node: Node, what: &str) -> io::Result<u64> {
        let id = self.next_id;
        self.change(path, Change::Link(name_of(path), id), what)?;
        self.nodes.insert(id, node);
        self.next_id += 1;
        Ok(id)
    }

    fn open(&mut self, path: &Path) -> io::Result<u64> {
        match self.find(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if self.room() == 0 {
                    return Err(ErrorKind::StorageFull.into());
                }
                self.make(path, Node::File(Content::default()), "create")
            }
            found => found,
        }
    }

    fn create_dir(&mut self, path: &Path) -> io::Result<()> {
        if self.find(path).is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let dir = Node::Dir { live: Names::new(), durable: Names::new(), pending: Vec::new() };
        self.make(path, dir, "mkdir").map(drop)
    }

    fn sync(&mut self, id: u64, path: &Path) -> io::Result<()> {
        self.syncs += 1;
        let failed = self.call("sync", path, true);
        match self.nodes.get_mut(&id) {
            _ if self.is_dead => {}
            Some(Node::File(content)) if failed.is_err() => {
                content.lost.append(&mut content.dirty);
            }
            Some(Node::File(_)) if self.lie == Some(Lie::Files) => {}
            Some(Node::Dir { .. }) if self.lie == Some(Lie::Directories) => {}
            Some(Node::File(content)) => content.sync(),
            Some(Node::Dir { durable, pending, .. }) if failed.is_ok() => {
                pending.drain(..).for_each(|change| change.apply(durable));
            }
            _ => {}
        }
        failed
    }

    fn content(&self, id: u64) -> io::Result<&Content> {
        match self.nodes.get(&id) {
            Some(Node::File(content)) => Ok(content),
            _ => Err(ErrorKind::IsADirectory.into()),
        }
    }

    fn content_mut(&mut self, id: u64) -> io::Result<&mut Content> {
        match self.nodes.get_mut(&id) {
            Some(Node::File(content)) => Ok(content),
            _ => Err(ErrorKind::IsADirectory.into()),
        }
    }
}

impl Change {
    fn apply(self, names: &mut Names) {
        match self {
            Change::Link(name, id) => drop(names.insert(name, id)),
            Change::Unlink(name) => drop(names.remove(&name)),
            Change::Rename(from, to) => {
                if let Some(id) = names.remove(&from) {
                    names.insert(to, id);
                }
            }
        }
    }
}

impl Content {
    fn touch(&mut self, bytes: std::ops::Range<usize>) {
        let pages = bytes.start / PAGE..bytes.end.div_ceil(PAGE);
        pages.for_each(|page| {
            self.dirty.insert(page);
            self.lost.remove(&page);
        });
    }

    fn write(&mut self, bytes: &[u8], from: usize) {
        if bytes.is_empty() {
            return;
        }
        let (old, end) = (self.live.len(), from + bytes.len());
        self.live.resize(old.max(end), 0);
        self.live[from..end].copy_from_slice(bytes);
        self.touch(from.min(old)..end);
    }

    fn sync(&mut self) {
        self.durable.resize(self.live.len(), 0);
        for page in std::mem::take(&mut self.dirty) {
            let page = page * PAGE..((page + 1) * PAGE).min(self.live.len());
            if !page.is_empty() {
                self.durable[page.clone()].copy_from_slice(&self.live[page]);
            }
        }
    }

    fn lose_power(&mut self, random: &mut Rng) {
        let (low, high) = (self.durable.len(), self.live.len());
        let len = match random.u8(0..4) {
            0 => low,
            1 => high,
            _ => random.usize(low.min(high)..=low.max(high)),
        };
        self.durable.resize(low.max(high), 0);
        self.live.resize(low.max(high), 0);
        for page in std::mem::take(&mut self.dirty) {
            let (start, end) = (page * PAGE, ((page + 1) * PAGE).min(self.live.len()));
            // The page is written as a whole, torn, or not at all.
            let written = match random.u8(0..4) {
                0 => 0,
                1 if start < end => random.usize(0..=end - start),
                _ => end.saturating_sub(start),
            };
            self.durable[start.min(end)..start.min(end) + written]
                .copy_from_slice(&self.live[start.min(end)..start.min(end) + written]);
        }
        self.lost.clear();
        self.durable.truncate(len);
        self.live.clone_from(&self.durable);
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Runs a simulation. `live` runs the life of a seed, on a dishonest disk if one is given, and
/// returns the trace of its disk calls. Runs `KLAMM_SIM_SEEDS` seeds (`count` if that is not set),
/// or only the seed `KLAMM_SIM_SEED`. `name` is the name of the test.
pub fn check(name: &str, count: u64, live: fn(u64, Option<Lie>) -> u64) {
    let seeds = match number("KLAMM_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("KLAMM_SIM_SEEDS").unwrap_or(count),
    };
    for seed in seeds {
        let lived = std::panic::catch_unwind(|| live(seed, None));
        assert!(lived.is_ok(), "seed {seed} fails; again: KLAMM_SIM_SEED={seed} cargo test {name}");
    }
    let traces = || (0..5).map(|seed| live(seed, None)).collect::<BTreeSet<_>>();
    assert!(traces().len() == 5 && traces() == traces(), "a seed is one life");
    // A broker that forgets to sync would be detected.
    for lie in [Lie::Files, Lie::Directories] {
        let found_out = |seed| std::panic::catch_unwind(|| live(seed, Some(lie))).is_err();
        assert!((0..10).any(found_out), "a disk that lies about {lie:?} is found out");
    }
}

/// Whether a single seed runs, which prints what it does.
pub fn is_told() -> bool {
    number("KLAMM_SIM_SEED").is_some()
}

/// The number in an environment variable.
pub fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
