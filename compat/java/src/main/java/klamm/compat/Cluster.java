package klamm.compat;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;

/**
 * Load on a cluster whose nodes are stopped, killed, replaced and cut off by compat/lib/cluster.sh, and what it asks of it.
 *
 * <p>Commands on stdin, each answered by lines of checks and "done":
 *
 * <pre>
 * load [share] [bare]  makes the topics and begins to write and read, with a share group if so asked; bare: the topics have no
 *                      min.insync.replicas of their own
 * progress NAME        all that the load does makes progress from here on
 * quiet                the load comes to rest: all that it has begun is decided
 * check NAME           everything that was acknowledged is there, once and in order; what was committed is not lost
 * isr NAME             brokers are unfenced, partitions have a leader, and all of their replicas are in sync
 * brokers N            waits until N brokers are there and not fenced
 * without ID           waits until that broker leads nothing and is in no ISR
 * prefer               makes the first replicas the leaders
 * move                 turns the order of the replicas of each partition of the load, and makes the first ones leaders
 * spread SEED          gives each partition other replicas at random, and makes the first ones leaders
 * led ID               = how many partitions that broker leads
 * leader               = who leads the first partition of the load
 * follower             = another replica of it
 * coordinator KIND     = the coordinator of the load's group or transaction
 * controller           = the active controller
 * ends FILE            writes the high watermark of each partition to a file
 * gap NAME             = the longest time without an acknowledgement since the last time asked, median and maximum of partitions
 * state                prints brokers and partitions
 * </pre>
 */
public final class Cluster {
    private ClusterNumbers numbers;
    private ClusterTransactions transactions;
    private ClusterGroups groups;
    private ClusterShare share;

    private Cluster() { }

    private void load(Set<String> options) throws Exception {
        String[] configs = options.contains("bare") ? new String[0] : new String[] {"min.insync.replicas", "2"};
        numbers = new ClusterNumbers();
        transactions = new ClusterTransactions();
        groups = new ClusterGroups(ClusterNumbers.TOPIC);
        numbers.start(configs);
        transactions.start(configs);
        groups.start();
        if (options.contains("share")) {
            share = new ClusterShare(ClusterNumbers.TOPIC);
            share.start();
        }
        progress();
    }

    private void progress() throws Exception {
        Callable<Boolean> numbered = numbers.progress();
        Callable<Boolean> transacted = transactions.progress();
        Callable<Boolean> read = groups.progress();
        Callable<Boolean> shared = share == null ? () -> true : share.progress();
        await("records are acknowledged in each partition", numbers, numbered);
        await("transactions are committed", transactions, transacted);
        await("groups read and commit", groups, read);
        await("the share group accepts", share, shared);
    }

    /** Waits, and where that is in vain says what the part of the load looks like. */
    private static void await(String what, Object part, Callable<Boolean> condition) throws Exception {
        try {
            Broker.eventually(90_000, what, condition);
        } catch (AssertionError e) {
            throw new AssertionError(e.getMessage() + "; " + part, e);
        }
    }

    private void quiet() throws Exception {
        numbers.stop();
        transactions.stop();
        groups.stop();
        if (share != null) {
            share.stop();
        }
    }

    private void check(String name) {
        one(name + ": every acknowledged record is there, once and in order", numbers::check);
        one(name + ": every committed transaction is there, and whole", transactions::check);
        one(name + ": groups have read everything, and no committed offset is lost", groups::check);
        if (share != null) {
            one(name + ": the share group got everything, and nothing again that it had accepted", share::check);
        }
    }

    private static void one(String name, Callable<String> check) {
        try {
            System.out.println("ok " + name + " (" + check.call() + ")");
        } catch (Exception | AssertionError e) {
            System.out.println("FAIL " + name + ": " + e.toString().replace('\n', ' '));
        }
    }

    @Override
    public String toString() {
        return "numbers: " + numbers + "; transactions: " + transactions + "; groups: " + groups + "; share: " + share;
    }

    private static void answer(Object value) {
        System.out.println("= " + value);
    }

    private void command(String command, String rest) throws Exception {
        switch (command) {
            case "load" -> load(Set.of(rest.split(" ")));
            case "progress" -> {
                progress();
                System.out.println("ok " + rest);
            }
            case "quiet" -> quiet();
            case "check" -> check(rest);
            case "isr" -> {
                ClusterState.awaitInSync();
                System.out.println("ok " + rest);
            }
            case "brokers" -> ClusterState.awaitBrokers(Integer.parseInt(rest));
            case "without" -> ClusterState.awaitWithout(Integer.parseInt(rest));
            case "prefer" -> ClusterState.prefer();
            case "move" -> ClusterState.move(List.of(ClusterNumbers.TOPIC, ClusterTransactions.TOPIC));
            case "spread" -> ClusterState.spread(Long.parseLong(rest));
            case "led" -> answer(ClusterState.led(Integer.parseInt(rest)));
            case "leader" -> answer(ClusterState.first(ClusterNumbers.TOPIC).leader().id());
            case "follower" -> answer(ClusterState.follower(ClusterNumbers.TOPIC));
            case "coordinator" -> answer(rest.equals("group") ? groups.coordinator() : transactions.coordinator());
            case "controller" -> answer(ClusterState.controller());
            case "ends" -> ClusterState.writeEnds(rest);
            case "gap" -> answer(numbers.gap());
            case "state" -> ClusterState.print();
            default -> throw new IllegalArgumentException(command);
        }
    }

    public static void main(String[] args) throws Exception {
        Cluster cluster = new Cluster();
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String[] words = line.split(" ", 2);
            String rest = words[words.length - 1];
            try {
                cluster.command(words[0], rest);
            } catch (Exception | AssertionError e) {
                e.printStackTrace();
                System.out.println("FAIL " + rest + ": " + e.toString().replace('\n', ' '));
                System.out.println("   " + cluster);
                ClusterState.print();
            }
            System.out.println("done");
        }
        Runtime.getRuntime().halt(0);
    }
}
