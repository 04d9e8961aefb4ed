package klamm.compat;

import java.util.List;

/** The checks of the suite "queues": share groups of KIP-932 and their dead letters. Arguments: words, of which a check's name has to contain one. */
public final class Queues {
    public static void main(String[] words) throws Exception {
        Suite suite = new Suite(words);
        // Most of a check's time is waiting: three at a time.
        List<Thread> threads = List.of(new Thread(() -> ShareChecks.run(suite)), new Thread(() -> ShareOffsetChecks.run(suite)),
            new Thread(() -> {
                ShareCrowdChecks.run(suite);
                ShareLockChecks.run(suite);
            }));
        threads.forEach(Thread::start);
        for (Thread thread : threads) {
            thread.join();
        }
        if (DeadLetterChecks.possible()) {
            DeadLetterChecks.run(suite);
        }
        Runtime.getRuntime().halt(suite.finish());
    }
}
