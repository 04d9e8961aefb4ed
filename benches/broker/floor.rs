//! The floor: a server that does only what every broker must do. It has one thread per connection,
//! which reads a frame, checks the CRC-32C, writes to the page cache and answers. A fetch is one
//! sendfile, and a poll of a fetch session is a sleep. It understands only the requests of
//! `load.rs`.

use crate::load::{self, PARTITIONS};
use std::fs::{File, OpenOptions};
use std::io::{IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The position of the partition's number in the frame of a Produce: after the header, the client
/// id, acks, the timeout and the topic's name. The length of the records and the records follow it.
const PRODUCE_PARTITION: usize = 31;
const FETCH_PARTITION: usize = 49;
const FETCH_WAIT_MS: usize = 20;
const FETCH_SESSION_EPOCH: usize = 37;
const CRC: usize = 17;
const CRC_COVERS: usize = 21;
const LAST_OFFSET_DELTA: usize = 23;

struct Partition {
    file: File,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    next_offset: i64,
    size: u64,
    /// The base offset and position of each batch.
    batches: Vec<(i64, u64)>,
}

/// Serves until it is killed.
pub fn serve(dir: &Path, port: u16) {
    let partitions: Arc<Vec<Partition>> = Arc::new(
        (0..PARTITIONS)
            .map(|index| {
                let path = dir.join(format!("floor-{index}.log"));
                let options = OpenOptions::new().read(true).write(true).create_new(true).open(path);
                Partition { file: options.unwrap(), log: Mutex::default() }
            })
            .collect(),
    );
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    for socket in listener.incoming() {
        let partitions = partitions.clone();
        std::thread::spawn(move || connection(socket.unwrap(), &partitions));
    }
}

fn connection(mut socket: TcpStream, partitions: &[Partition]) -> Option<()> {
    socket.set_nodelay(true).unwrap();
    let mut input = Vec::with_capacity(1 << 20);
    let mut answers: Vec<Vec<u8>> = (0..PARTITIONS).map(load::produce_answer).collect();
    let poll = load::poll_answer();
    loop {
        let mut size = [0; 4];
        socket.read_exact(&mut size).ok()?;
        input.resize(u32::from_be_bytes(size) as usize, 0);
        socket.read_exact(&mut input).ok()?;
        match i16::from_be_bytes([input[0], input[1]]) {
            0 => {
                let (partition, base) = produce(&input, partitions);
                let answer = &mut answers[partition];
                answer[load::ANSWER_BASE_OFFSET..][..8].copy_from_slice(&base.to_be_bytes());
                socket.write_all(answer).ok()?;
            }
            1 if int(&input, FETCH_SESSION_EPOCH) != u32::MAX => {
                let wait = Duration::from_millis(int(&input, FETCH_WAIT_MS).into());
                std::thread::sleep(wait);
                socket.write_all(&poll).ok()?;
            }
            1 => fetch(&mut socket, &input, partitions)?,
            19 => socket.write_all(&load::create_answer()).ok()?,
            _ => socket.write_all(&[0, 0, 0, 4, 0, 0, 0, 0]).ok()?,
        }
    }
}

/// Appends the batch of a Produce. Returns the partition and the base offset.
fn produce(frame: &[u8], partitions: &[Partition]) -> (usize, i64) {
    let index = int(frame, PRODUCE_PARTITION) as usize;
    let mut at = PRODUCE_PARTITION + 4;
    while frame[at] & 0x80 != 0 {
        at += 1;
    }
    // The request ends with three sections of tagged fields.
    let batch = &frame[at + 1..frame.len() - 3];
    assert_eq!(crc32c::crc32c(&batch[CRC_COVERS..]), int(batch, CRC), "crc");
    let partition = &partitions[index];
    let mut log = partition.log.lock().unwrap();
    let base = log.next_offset;
    let written = rustix::io::pwritev(
        &partition.file,
        &[IoSlice::new(&base.to_be_bytes()), IoSlice::new(&batch[8..])],
        log.size,
    );
    assert_eq!(written.unwrap(), batch.len());
    let position = log.size;
    log.batches.push((base, position));
    log.size += batch.len() as u64;
    log.next_offset += i64::from(int(batch, LAST_OFFSET_DELTA)) + 1;
    (index, base)
}

fn fetch(socket: &mut TcpStream, frame: &[u8], partitions: &[Partition]) -> Option<()> {
    let index = int(frame, FETCH_PARTITION) as usize;
    let offset = i64::from_be_bytes(frame[FETCH_PARTITION + 8..][..8].try_into().unwrap());
    let partition = &partitions[index];
    let (mut position, end) = {
        let log = partition.log.lock().unwrap();
        let found = log.batches.partition_point(|(base, _)| *base <= offset);
        let batch = log.batches.get(found.wrapping_sub(1)).filter(|_| offset < log.next_offset);
        (batch.map_or(log.size, |(_, at)| *at), log.size)
    };
    let end = end.min(position + load::FETCH_BYTES as u64);
    let (before, after) = load::fetch_answer(index, (end - position) as usize);
    socket.write_all(&before).ok()?;
    while position < end {
        let want = (end - position) as usize;
        rustix::fs::sendfile(&*socket, &partition.file, Some(&mut position), want).ok()?;
    }
    socket.write_all(&after).ok()
}

fn int(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}
