//! librdkafka's idempotent producer: sends, and what became of them.

use crate::history::{Step, Value};
use crate::workload::{Run, place};
use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Collects the offsets of what was acknowledged.
#[derive(Clone, Default)]
struct Reports(Arc<Mutex<HashMap<Value, i64>>>);

impl ClientContext for Reports {
    fn error(&self, _: rdkafka::error::KafkaError, _: &str) {}
    fn log(&self, _: rdkafka::config::RDKafkaLogLevel, _: &str, _: &str) {}
}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();
    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Ok(message) = result {
            let value = std::str::from_utf8(message.payload().expect("was sent with a payload"));
            let value = value.expect("was sent as text").parse().expect("was sent as a number");
            self.0.lock().expect("nobody panics with it").insert(value, message.offset());
        }
    }
}

pub struct Sender<'a> {
    run: &'a Run,
    producer: BaseProducer<Reports>,
}

impl<'a> Sender<'a> {
    pub fn new(run: &'a Run) -> Sender<'a> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", &run.bootstrap)
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", "60000")
            .set("socket.timeout.ms", "2000")
            .set("request.timeout.ms", "2000")
            .set("retry.backoff.ms", "20")
            .set("reconnect.backoff.ms", "10")
            .set("reconnect.backoff.max.ms", "200")
            .set("batch.num.messages", "2")
            .set("linger.ms", "0")
            .create_with_context(Reports::default())
            .expect("a valid configuration");
        Sender { run, producer }
    }

    /// Sends these and waits until each is acknowledged or given up.
    pub fn send(&mut self, to: &[(i32, Value)], steps: &mut Vec<Step>) {
        let mut has_failed = false;
        for (partition, value) in to {
            let (topic, index) = place(*partition);
            let payload = value.to_string();
            let record = BaseRecord::<(), str>::to(topic).partition(index).payload(&payload);
            has_failed |= self.producer.send(record).is_err();
        }
        while self.producer.in_flight_count() > 0 {
            self.producer.poll(Duration::from_millis(10));
        }
        let reports =
            std::mem::take(&mut *self.producer.context().0.lock().expect("nobody panics with it"));
        for &(partition, value) in to {
            let offset = reports.get(&value).copied().filter(|offset| *offset >= 0);
            has_failed |= offset.is_none();
            steps.push(Step::Send { partition, offset, value, source: None });
        }
        if has_failed {
            *self = Sender::new(self.run);
        }
    }
}
