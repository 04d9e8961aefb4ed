package klamm.compat;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.List;
import java.util.Map;

/**
 * What compat/swap/run asks of the broker while Kafka and klamm take turns on one directory.
 *
 * <p>Commands on stdin, each answered by lines of checks and "done":
 *
 * <pre>
 * fill            (Kafka runs) makes topics, groups and all else, and notes what the broker tells
 * load            writes until the next check
 * check NAME      everything is as noted; with load running: no record is lost or doubled
 * more            writes on with the broker that runs, and notes what it tells
 * compact         the compacted topic is compacted by the broker that runs and has the same last values
 * </pre>
 *
 * A command may be preceded by "kafka" or "klamm", the broker that runs.
 */
public final class Swap {
    static final String INFLIGHT = "inflight";
    static final String CONSUMER_GROUP = "consumer-group";
    static final String SHARE_GROUP = "share-group";
    static final String STREAMS_GROUP = "streams-group";

    private final SwapData data = new SwapData();
    private SwapLoad load;
    private boolean loading;
    private SwapState noted;
    private int failures;

    private Swap() { }

    private void note(boolean kafka) throws Exception {
        SwapState older = noted;
        noted = SwapState.capture(kafka);
        if (older != null) {
            noted.inherit(older);
        }
    }

    private void failed(String name, String why) {
        failures++;
        System.out.println("FAIL " + name + ": " + why.replace('\n', ' '));
    }

    private void check(String name, boolean kafka) throws Exception {
        if (loading) {
            loading = false;
            try {
                load.stopAndCheck();
                System.out.println("ok " + name + ": every record of the producer that goes on");
            } catch (Exception | AssertionError e) {
                failed(name + ": every record of the producer that goes on", e.toString());
            }
        }
        Map<String, List<String>> all = noted.compare(SwapState.capture(kafka));
        all.forEach((aspect, differences) -> {
            if (differences.isEmpty()) {
                System.out.println("ok " + name + ": " + aspect);
            } else {
                failed(name + ": " + aspect, differences.size() + " differences: " + String.join("; ", differences.subList(0, Math.min(4, differences.size()))));
            }
        });
    }

    private void command(String broker, String command, String name) throws Exception {
        boolean kafka = broker.equals("kafka");
        switch (command) {
            case "fill" -> {
                data.fill();
                load = new SwapLoad(INFLIGHT);
                note(kafka);
                System.out.println("ok " + name);
            }
            case "load" -> {
                load.start();
                loading = true;
            }
            case "check" -> check(name, kafka);
            case "more" -> {
                data.more(kafka);
                note(kafka);
                System.out.println("ok " + name);
            }
            case "compact" -> {
                data.compact();
                note(kafka);
                System.out.println("ok " + name);
            }
            default -> throw new IllegalArgumentException(command);
        }
    }

    private void run() throws Exception {
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String[] words = line.split(" ", 3);
            try {
                command(words[0], words[1], words.length > 2 ? words[2] : words[1]);
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
