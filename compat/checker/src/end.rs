//! What there is when all processes have ended.

use crate::client::{Client, GaveUp};
use crate::history::{History, Step};
use crate::reader::Reader;
use crate::workload::{COPY_TOPIC, GROUP, PARTITIONS, Run, SOURCE_TOPIC, SOURCES, place};
use std::ops::Range;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Transactions that nobody ends time out in the meantime.
const OPEN_TIMEOUT: Duration = Duration::from_secs(45);

/// The whole log and the committed positions.
pub fn read(run: &Run) -> Result<History, GaveUp> {
    let mut history = read_log(run, 0..PARTITIONS)?;
    let mut client = run.connect();
    for source in 0..SOURCES {
        let (topic, index) = place(source);
        let position = client.position_of(GROUP, topic, index)?;
        history.positions.push((source, position.max(0)));
    }
    Ok(history)
}

/// Waits for open transactions, then reads these partitions. A new leader may not know yet how far
/// all replicas have got, so what is read counts only if the leaders stay.
pub fn read_log(run: &Run, partitions: Range<i32>) -> Result<History, GaveUp> {
    let mut client = run.connect();
    loop {
        let leaders = client.settled(&[SOURCE_TOPIC, COPY_TOPIC])?;
        let history = read_partitions(run, &mut client, partitions.clone())?;
        if client.settled(&[SOURCE_TOPIC, COPY_TOPIC])? == leaders {
            return Ok(history);
        }
        eprintln!("a leader has changed while the log was read");
    }
}

fn read_partitions(
    run: &Run,
    client: &mut Client,
    partitions: Range<i32>,
) -> Result<History, GaveUp> {
    let mut history = History::default();
    let end = Instant::now() + OPEN_TIMEOUT;
    for partition in partitions {
        let (topic, index) = place(partition);
        while client.end_of(topic, index, true)? < client.end_of(topic, index, false)? {
            if Instant::now() > end {
                history.open.push(partition);
                eprintln!("{}", client.describe_open(topic, index)?);
                break;
            }
            sleep(Duration::from_millis(50));
        }
        read_partition(run, partition, &mut history)?;
    }
    Ok(history)
}

fn read_partition(run: &Run, partition: i32, history: &mut History) -> Result<(), GaveUp> {
    let mut reader = Reader::new(run, [(partition, 0)].into_iter());
    let is_open = history.open.contains(&partition);
    let mut is_silent = false;
    while !(reader.is_at_end() || is_open && is_silent) {
        let mut steps = Vec::new();
        reader.poll(1000, Duration::from_secs(1), &mut steps);
        is_silent = steps.is_empty();
        if let Some(Step::Poll { records, .. }) = steps.pop() {
            history.end.extend(records);
        }
        if Instant::now() > run.give_up {
            eprintln!("partition {partition}: its end is not found");
            return Err(GaveUp);
        }
    }
    Ok(())
}
