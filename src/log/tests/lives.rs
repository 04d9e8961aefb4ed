//! Random lives of several logs in a few directories, on disks that crash, tear, fail and fill up
//! (`disk/sim.rs`): transactions, compaction, retention, deleted topics, flushes in progress, and a
//! process that may die at any call. A directory that fails, at start or later, affects no other,
//! and logs move between directories. What was acknowledged survives `kill -9`, and also a power
//! loss if it was flushed. What is read is what was sent.
//!
//! `KLAMM_SIM_SEEDS=5000 cargo test --lib log::tests::lives` runs more of them.

mod model;

use super::*;
use crate::config::Config;
use crate::disk::sim::{Fault, Lie, Sim, check, is_told};
use crate::log::manager::{FoundFuture, LogManager, Placement};
use fastrand::Rng;
use model::Model;
use std::collections::HashMap;
use std::io::ErrorKind;

const SEEDS: u64 = 60;
/// The step that stops cleanly.
const STOP: u8 = 5;
const STEPS: usize = 100;

/// How the process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Clean,
    Kill,
    PowerLoss,
}

struct Life {
    sim: Sim,
    random: Rng,
    now: Timestamp,
    manager: LogManager,
    models: Vec<Model>,
    topics_made: u128,
    /// `log.dirs`.
    dirs: &'static str,
    /// Whether a directory has failed since the start.
    has_failed: bool,
}

fn open_manager(sim: &Sim, dirs: &str) -> Result<LogManager> {
    let config = Config::new([("log.dirs".to_owned(), dirs.to_owned())].into()).unwrap();
    let mut manager = LogManager::open(Disk::Sim(sim.clone()), &config.into())?;
    manager.claim()?;
    manager.unmark()?;
    Ok(manager)
}

fn is_online(manager: &LogManager, path: &Path) -> bool {
    manager.dirs().iter().any(|dir| dir.path == path && !dir.is_offline())
}

/// Settings under which much happens.
fn some_config(random: &mut Rng) -> TopicConfig {
    let (compact, delete) = [(false, true), (true, false), (true, true)][random.usize(0..3)];
    TopicConfig {
        compact,
        delete,
        segment_bytes: random.i32(400..4000),
        segment_ms: random.i64(5_000..60_000),
        index_interval_bytes: random.i32(0..500),
        retention_bytes: if random.bool() { -1 } else { random.i64(2000..20_000) },
        retention_ms: if random.bool() { -1 } else { random.i64(10_000..60_000) },
        file_delete_delay_ms: random.i64(0..10_000),
        delete_retention_ms: random.i64(0..5_000),
        min_cleanable_dirty_ratio: 0.0,
        flush_messages: if random.u8(0..3) == 0 { 1 } else { i64::MAX },
        ..config()
    }
}

impl Life {
    fn new(seed: u64) -> Life {
        let mut random = Rng::with_seed(seed);
        let sim = Sim::new(random.u64(..));
        if random.bool() {
            // Small enough for a reserve, but too large to be filled.
            sim.leave_free(4 << 20);
        }
        let dirs = ["/d", "/d,/e", "/d,/e,/f"][random.usize(0..3)];
        let manager = open_manager(&sim, dirs).unwrap();
        manager.note_recovered().unwrap();
        let mut life = Life {
            sim,
            random,
            now: NOW,
            manager,
            models: Vec::new(),
            topics_made: 0,
            dirs,
            has_failed: false,
        };
        for n in 0..life.random.i32(1..4) {
            let model = life.new_topic(TopicPartition::new("t", n)).unwrap();
            life.models.push(model);
        }
        life
    }

    fn new_topic(&mut self, partition: TopicPartition) -> Result<Model> {
        self.topics_made += 1;
        let config = Arc::new(some_config(&mut self.random));
        let placement = Placement { dir: None, one_of_many: self.random.bool() };
        let topic_id = Uuid::from_u128(self.topics_made);
        Model::open(&self.manager, placement, partition, topic_id, config, self.now)
    }

    fn step(&mut self) {
        if self.random.u8(0..8) == 0 {
            self.arm();
        }
        self.now += self.random.i64(0..1000);
        self.notice_failures();
        let step = self.random.u8(0..50);
        let at = self.random.usize(0..self.models.len());
        if is_told() {
            println!("step {step} at {at}: {:?}", self.models[at]);
        }
        if !self.models[at].is_here && step >= 9 {
            return;
        }
        let done = match step {
            0..2 => self.checkpoint(),
            2 => self.manager.sync_dirs(),
            3 => self.full_disk(),
            4 => self.delete_topic(at),
            STOP => self.stop(),
            6 => self.restart(End::Kill),
            7..9 => self.restart(End::PowerLoss),
            _ => self.work(step, at),
        };
        let Err(error) = done else { return };
        assert!(matches!(error, Error::Disk { .. }), "{error}");
        if error.is_disk_full() {
            return;
        }
        // A stop always ends the process, even if it fails.
        let goes_on = step != STOP && !self.sim.is_dead();
        if goes_on && self.random.bool() && self.take_offline(&error) {
            return;
        }
        // A failed fsync leaves pages that are worthless and takes the directory offline, so the
        // next start that matters follows a power loss. If the process died, all pages may be
        // there.
        let end = match self.sim.is_dead() && self.random.bool() {
            true => End::Kill,
            false => End::PowerLoss,
        };
        self.restart(end).unwrap();
    }

    /// Takes a step that concerns one log.
    fn work(&mut self, step: u8, at: usize) -> Result<()> {
        let (now, random, model) = (self.now, &mut self.random, &mut self.models[at]);
        let done = match step {
            9..23 => model.append(random, now),
            23..26 => model.end_transaction(random, now),
            26..28 => model.resend(random, now),
            28 if random.bool() => model.with_log(Log::settle),
            28 => model.with_log(|log| log.roll(now)),
            29 => model.delete_records(random),
            30..32 => model.clean_up(random, now),
            32..36 => model.compact(self.manager.cleaner(), now),
            36..39 => model.flush(),
            39 => model.begin_flush(),
            40..42 => model.land_flush(),
            42..44 => model.next_epoch(),
            44 => {
                let dirs = self.manager.dirs().iter().filter(|dir| !dir.is_offline());
                // The last one may have failed in a checkpoint.
                let to = random.choice(dirs.collect::<Vec<_>>());
                to.map_or(Ok(()), |to| model.begin_move(&self.manager, &to.path, now))
            }
            45..48 => model.copy(random, now).map(drop),
            _ => model.land(&self.manager, random, now),
        };
        if done.is_ok() {
            model.learn();
        }
        done
    }

    /// Lets one of the next calls fail or end the process.
    fn arm(&mut self) {
        let random = &mut self.random;
        let kind = [ErrorKind::Other, ErrorKind::StorageFull][random.usize(0..2)];
        let is_end = random.bool();
        self.sim.fail(Some(Fault {
            after: random.u64(0..30),
            kind: if is_end { ErrorKind::Other } else { kind },
            sync_only: random.u8(0..3) == 0,
            is_end,
        }));
    }

    fn checkpoint(&mut self) -> Result<()> {
        let logs = |model: &Model| (model.partition.clone(), model.log.clone());
        let here = self.models.iter().filter(|model| model.is_here);
        let logs: HashMap<_, _> = here.map(logs).collect();
        let done = self.manager.checkpoint(&logs);
        if done.is_ok() {
            self.here().for_each(Model::learn);
        }
        done
    }

    fn here(&mut self) -> impl Iterator<Item = &mut Model> {
        self.models.iter_mut().filter(|model| model.is_here)
    }

    /// Notices directories that failed while a log was created in another one.
    fn notice_failures(&mut self) {
        for dir in self.manager.dirs().iter().filter(|dir| dir.is_offline()) {
            self.has_failed = true;
            self.models.iter_mut().for_each(|model| model.lose(&dir.path));
        }
    }

    /// Takes only the directory of `error` offline, if there is another one.
    fn take_offline(&mut self, error: &Error) -> bool {
        let Error::Disk { path, .. } = error else { return false };
        let failed = self.manager.dirs().iter().find(|dir| path.starts_with(&dir.path));
        let Some(failed) = failed.filter(|_| self.manager.dirs().len() > 1) else { return false };
        failed.fail(error);
        self.has_failed = true;
        self.models.iter_mut().for_each(|model| model.lose(&failed.path));
        true
    }

    /// Whatever finds no room is refused and leaves nothing behind.
    fn full_disk(&mut self) -> Result<()> {
        self.sim.leave_free(self.random.u64(0..1000));
        for _ in 0..self.random.usize(1..8) {
            let at = self.random.usize(0..self.models.len());
            let done = match self.random.u8(0..10) {
                0 => self.checkpoint(),
                _ => {
                    let step = self.random.u8(9..50);
                    if self.models[at].is_here { self.work(step, at) } else { Ok(()) }
                }
            };
            match done {
                Err(error) if error.is_disk_full() => {}
                done => done.inspect_err(|_| self.sim.leave_free(4 << 20))?,
            }
        }
        self.here().for_each(Model::check);
        self.sim.leave_free(4 << 20);
        if self.random.bool() { self.restart(End::Kill) } else { Ok(()) }
    }

    /// Deletes a topic and creates one of the same name.
    fn delete_topic(&mut self, at: usize) -> Result<()> {
        if !self.models[at].is_here {
            return Ok(());
        }
        self.sim.fail(None);
        self.models[at].end_move(&self.manager, self.now)?;
        let partition = self.models[at].partition.clone();
        self.models[at].with_log(|log| self.manager.delete_log(log, self.now))?;
        if self.random.bool() {
            self.manager.run_deletes(self.now + 10_000)?;
        }
        self.models[at] = self.new_topic(partition)?;
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        let closed = self.close();
        let end = if closed.is_ok() { End::Clean } else { End::Kill };
        match closed {
            // A log is not used after it was closed.
            Err(error) if error.is_disk_full() => {}
            closed => closed?,
        }
        self.restart(end)
    }

    fn close(&mut self) -> Result<()> {
        self.here().try_for_each(Model::close)?;
        self.checkpoint()?;
        self.manager.mark_clean_shutdown(5, |_| true)
    }

    fn restart(&mut self, mut end: End) -> Result<()> {
        self.sim.fail(None);
        self.notice_failures();
        if std::mem::take(&mut self.has_failed) {
            end = End::PowerLoss;
        }
        // After a clean stop a power loss changes nothing.
        if end == End::PowerLoss || end == End::Clean && self.random.bool() {
            self.sim.lose_power();
        }
        if is_told() {
            println!("{end:?}");
            for model in &self.models {
                let dir = model.home.join(model.partition.to_string());
                println!("  {}: {:?}", dir.display(), self.manager.disk().list(&dir));
            }
        }
        // The process may also die while a log is opened: another crash of the same kind.
        if end != End::Clean && self.random.u8(0..4) == 0 {
            let after = self.random.u64(0..20);
            let kind = ErrorKind::Other;
            self.sim.fail(Some(Fault { after, kind, sync_only: false, is_end: true }));
            let reopened = self.reopen();
            self.sim.fail(None);
            if reopened.is_err() && end == End::PowerLoss && self.random.bool() {
                self.sim.lose_power();
            }
        }
        for model in &mut self.models {
            model.missed = model.missed.max(Some(end));
        }
        // A directory may fail at start.
        if self.random.u8(0..6) == 0 {
            let after = self.random.u64(0..40);
            let kind = ErrorKind::Other;
            self.sim.fail(Some(Fault { after, kind, sync_only: false, is_end: false }));
            let reopened = self.reopen();
            self.sim.fail(None);
            if self.has_failed || reopened.is_err() {
                // It is unknown what the failed directory still has.
                self.models.iter_mut().for_each(|model| model.missed = Some(End::PowerLoss));
            }
            if reopened.is_err() {
                self.sim.lose_power();
                self.reopen()?;
            }
        } else {
            self.reopen()?;
        }
        for model in self.here() {
            let missed = model.missed.take().unwrap();
            model.compare(missed);
        }
        Ok(())
    }

    fn reopen(&mut self) -> Result<()> {
        self.has_failed = false;
        self.manager = open_manager(&self.sim, self.dirs)?;
        for found in self.manager.scan()? {
            let is_of = |model: &Model| model.is_of(&found.partition, found.topic_id);
            if !self.models.iter().any(is_of) {
                self.manager.mark_stray(&found)?;
            }
        }
        if let Err(error) = self.manager.run_deletes(self.now)
            && (self.sim.is_dead() || !self.take_offline(&error))
        {
            return Err(error);
        }
        self.has_failed = self.manager.dirs().iter().any(|dir| dir.is_offline());
        let found = self.promote_futures()?;
        for at in 0..self.models.len() {
            let model = &mut self.models[at];
            model.forget_process();
            // A log that is not found may be in a directory that is offline.
            model.is_here = self.manager.has_log(&model.partition) || !self.has_failed;
            let opened = match model.is_here {
                true => model.reopen(&self.manager, self.now),
                false => Ok(()),
            };
            if let Err(error) = opened
                && (self.sim.is_dead() || !self.take_offline(&error))
            {
                return Err(error);
            }
            self.models[at].is_here &= is_online(&self.manager, &self.models[at].home);
        }
        self.notice_failures();
        for (at, future) in found {
            let model = &mut self.models[at];
            let done = match model.is_here && self.random.bool() {
                true => model.resume_move(&self.manager, &future.path, self.now),
                false => self.manager.discard_future(&future.path, &future.partition, self.now),
            };
            if let Err(error) = done
                && (self.sim.is_dead() || !self.take_offline(&error))
            {
                return Err(error);
            }
        }
        self.manager.note_recovered()
    }

    /// Does what `Replicas` does; returns the moves that can be resumed.
    fn promote_futures(&mut self) -> Result<Vec<(usize, FoundFuture)>> {
        let mut others = Vec::new();
        for future in self.manager.take_futures() {
            let is_of = |model: &Model| model.is_of(&future.partition, future.topic_id);
            match self.models.iter().position(is_of) {
                None => self.manager.mark_future_stray(&future)?,
                Some(at) if self.manager.has_log(&future.partition) => others.push((at, future)),
                Some(_) if self.has_failed => {}
                Some(at) if self.models[at].registered == future.dir.path => {
                    self.manager.promote(&future)?;
                }
                // The current log was not durable yet.
                Some(_) => self.manager.mark_future_stray(&future)?,
            }
        }
        Ok(others)
    }
}

/// Runs one life; returns the trace of its disk calls.
fn live(seed: u64, lie: Option<Lie>) -> u64 {
    let mut life = Life::new(seed);
    lie.into_iter().for_each(|lie| life.sim.lie(lie));
    for _ in 0..STEPS {
        life.step();
    }
    life.sim.fail(None);
    life.here().for_each(Model::check);
    life.restart(End::PowerLoss).unwrap();
    life.sim.trace()
}

#[test]
fn what_was_acknowledged_is_there_and_nothing_else() {
    check("log::tests::lives", SEEDS, live);
}
