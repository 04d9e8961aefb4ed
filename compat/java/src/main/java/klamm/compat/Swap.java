package klamm.compat;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import org.apache.kafka.common.protocol.ApiKeys;

/**
 * What compat/swap/run asks of the broker while Kafka and klamm take turns on one directory.
 *
 * <p>Commands on stdin, each answered by lines of checks and "done":
 *
 * <pre>
 * fill            makes topics, groups and all else, and notes what the broker tells
 * note            notes what the broker tells
 * load            writes until the next check
 * check NAME      everything is as noted; with load running: no record is lost or doubled
 * more            writes on with the broker that runs, and notes what it tells
 * compact         the compacted topics are compacted by the broker that runs and have the same last values
 * spoil           changes one thing after the other and asks whether the check sees it
 * </pre>
 */
public final class Swap {
    /** What the load writes; all other topics are compared as they are. */
    static final String INFLIGHT = "inflight";
    static final String INFLIGHT_TRANSACTIONS = "inflight-transactions";
    static final String CONSUMER_GROUP = "consumer-group";
    static final String SHARE_GROUP = "share-group";
    static final String STREAMS_GROUP = "streams-group";

    private final SwapData data = new SwapData();
    /** What all brokers until now serve. */
    private final Set<ApiKeys> everywhere = EnumSet.allOf(ApiKeys.class);
    private SwapLoad load;
    private SwapTransactions transactions;
    private boolean loading;
    private SwapState noted;
    private int failures;

    private Swap() { }

    private void note(String name) throws Exception {
        SwapState older = noted;
        noted = SwapState.capture();
        if (older != null) {
            noted.inherit(older);
        }
        System.out.println("ok " + name);
    }

    private void failed(String name, String why) {
        failures++;
        System.out.println("FAIL " + name + ": " + why.replace('\n', ' '));
    }

    private void one(String name, Callable<?> check) {
        try {
            check.call();
            System.out.println("ok " + name);
        } catch (Exception | AssertionError e) {
            failed(name, e.toString());
        }
    }

    private void startLoad() throws Exception {
        load.start();
        if (everywhere.contains(ApiKeys.END_TXN)) {
            if (transactions == null) {
                transactions = new SwapTransactions(INFLIGHT_TRANSACTIONS);
            }
            transactions.start();
        }
        loading = true;
    }

    private void check(String name) throws Exception {
        everywhere.retainAll(Broker.served());
        if (loading) {
            loading = false;
            one(name + ": every record of the producer that goes on", load::stopAndCheck);
            if (transactions != null) {
                one(name + ": every transaction of the producer that goes on", transactions::stopAndCheck);
            }
        }
        noted.compare(SwapState.capture()).forEach((aspect, differences) -> {
            if (differences.isEmpty()) {
                System.out.println("ok " + name + ": " + aspect);
            } else {
                failed(name + ": " + aspect, differences.size() + " differences: " + String.join("; ", differences.subList(0, Math.min(4, differences.size()))));
            }
        });
    }

    private void spoil(String aspect, Callable<?> change) {
        one("the check sees a change of " + aspect, () -> {
            change.call();
            Broker.eventually(5000, aspect + " as before", () -> !noted.compare(SwapState.capture()).get(aspect).isEmpty());
            noted = SwapState.capture();
            return null;
        });
    }

    private void command(String command, String name) throws Exception {
        switch (command) {
            case "fill" -> {
                data.fill();
                load = new SwapLoad(INFLIGHT);
                everywhere.retainAll(Broker.served());
                note(name);
            }
            case "note" -> note(name);
            case "load" -> startLoad();
            case "quiet" -> {
                if (transactions != null) {
                    transactions.stop();
                }
            }
            case "check" -> check(name);
            case "more" -> {
                data.more();
                note(name);
            }
            case "compact" -> {
                data.compact();
                note(name);
            }
            case "spoil" -> data.spoil(this::spoil);
            default -> throw new IllegalArgumentException(command);
        }
    }

    private void run() throws Exception {
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String[] words = line.split(" ", 2);
            try {
                command(words[0], words[words.length - 1]);
            } catch (Exception | AssertionError e) {
                failed(line, e + " at " + List.of(e.getStackTrace()).stream().filter(f -> f.getClassName().contains("Swap")).findFirst().orElse(null));
            }
            System.out.println("done");
        }
        Runtime.getRuntime().halt(failures == 0 ? 0 : 1);
    }

    public static void main(String[] args) throws Exception {
        new Swap().run();
    }
}
