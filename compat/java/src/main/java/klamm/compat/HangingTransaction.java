package klamm.compat;

import java.util.List;
import java.util.Optional;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** Begins a transaction and leaves it open. Argument: name of the topic and transactional id. Prints the producer's id and epoch. */
public final class HangingTransaction {
    public static void main(String[] args) throws Exception {
        String name = args[0];
        Broker.admin().createTopics(List.of(new NewTopic(name, Optional.of(1), Optional.empty()))).all().get();
        Broker.awaitTopic(name, 1);
        var producer = Broker.producer("transactional.id", name, "transaction.timeout.ms", 600_000);
        producer.initTransactions();
        producer.beginTransaction();
        producer.send(new ProducerRecord<>(name, 0, "a", "a"));
        producer.flush();
        TopicPartition tp = new TopicPartition(name, 0);
        var state = Broker.admin().describeProducers(List.of(tp)).all().get().get(tp).activeProducers().get(0);
        System.out.println(state.producerId() + " " + state.producerEpoch());
        // close() would abort.
        Runtime.getRuntime().halt(0);
    }
}
