package klamm.compat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.clients.consumer.ShareConsumer;

/**
 * Keeps a share group alive for the tools to look at: TOPIC GROUP MEMBERS makes the topic of four partitions with ten records
 * each, starts members "holder-N", says "ready" when they have accepted all of it, and lets them leave when its input ends.
 */
public final class HoldShare {
    private static final int PARTITIONS = 4;
    private static volatile boolean over;

    public static void main(String[] arguments) throws Exception {
        Queue queue = Queue.named(arguments[0], PARTITIONS, arguments[1]);
        for (int partition = 0; partition < PARTITIONS; partition++) {
            queue.send(partition, 10);
        }
        List<Thread> members = new ArrayList<>();
        for (int i = 1; i <= Integer.parseInt(arguments[2]); i++) {
            String name = "holder-" + i;
            members.add(new Thread(() -> hold(queue, name)));
        }
        members.forEach(Thread::start);
        for (int partition = 0; partition < PARTITIONS; partition++) {
            queue.awaitLag(partition, 0);
        }
        Broker.eventually(20_000, "members share the partitions", () -> Broker.admin().describeShareGroups(List.of(queue.group)).all().get().get(queue.group)
            .members().stream().filter(member -> member.assignment().topicPartitions().size() == PARTITIONS / members.size()).count() == members.size());
        System.out.println("ready");
        while (System.in.read() >= 0) {
            Thread.onSpinWait();
        }
        over = true;
        for (Thread member : members) {
            member.join();
        }
        Runtime.getRuntime().halt(0);
    }

    private static void hold(Queue queue, String name) {
        try (ShareConsumer<String, String> consumer = queue.member("client.id", name)) {
            while (!over) {
                consumer.poll(Duration.ofMillis(100));
            }
        }
    }
}
