package klamm.compat;

import java.util.ArrayList;
import java.util.List;

/**
 * Keeps a group alive for the tools to look at: TOPIC GROUP PROTOCOL... makes the topic of four partitions with ten
 * records each, starts a member "holder-N" for each protocol, says "ready" when they have read everything and
 * committed it, and lets them leave when its input ends.
 */
public final class Hold {
    private static final int PARTITIONS = 4;
    private static final int RECORDS = 10;

    public static void main(String[] arguments) throws Exception {
        String topic = arguments[0];
        String group = arguments[1];
        Broker.admin().createTopics(List.of(new org.apache.kafka.clients.admin.NewTopic(topic, PARTITIONS, (short) 1))).all().get();
        Broker.awaitTopic(topic, PARTITIONS);
        for (int p = 0; p < PARTITIONS; p++) {
            Broker.produce(topic, p, RECORDS);
        }
        List<Member> members = new ArrayList<>();
        for (int i = 2; i < arguments.length; i++) {
            members.add(new Member(group, List.of(topic), "group.protocol", arguments[i], "client.id", "holder-" + (i - 1),
                "enable.auto.commit", true, "auto.commit.interval.ms", 100));
        }
        GroupChecks.shared(GroupChecks.all(topic, PARTITIONS), members.toArray(new Member[0]));
        Broker.eventually(20_000, "all is read and committed", () -> Broker.admin().listConsumerGroupOffsets(group)
            .partitionsToOffsetAndMetadata().get().values().stream().mapToLong(o -> o.offset()).sum() == PARTITIONS * RECORDS);
        System.out.println("ready");
        while (System.in.read() >= 0) {
            Thread.onSpinWait();
        }
        members.forEach(Member::close);
        Runtime.getRuntime().halt(0);
    }
}
