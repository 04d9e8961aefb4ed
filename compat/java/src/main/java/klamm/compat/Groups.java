package klamm.compat;

import java.util.List;

/**
 * The checks of the suite "groups": the consumer protocol of KIP-848, groups of both protocols, and chaos. Arguments:
 * words, of which a check's name has to contain one.
 */
public final class Groups {
    public static void main(String[] words) throws InterruptedException {
        Suite suite = new Suite(words);
        // Most of a check's time is waiting: three at a time.
        List<Thread> threads = List.of(new Thread(() -> ConsumerGroupChecks.run(suite)), new Thread(() -> {
            GroupAdminChecks.run(suite);
            MixedGroupChecks.run(suite);
        }), new Thread(() -> Chaos.run(suite)));
        threads.forEach(Thread::start);
        for (Thread thread : threads) {
            thread.join();
        }
        Runtime.getRuntime().halt(suite.finish());
    }
}
