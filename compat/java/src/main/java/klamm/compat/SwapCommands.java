package klamm.compat;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.concurrent.Callable;

/** What the plans of compat/swap/run say on stdin: a line is a command and its argument, answered by checks and "done". */
final class SwapCommands {
    /** What a command does. */
    interface Command {
        void run(String command, String argument) throws Exception;
    }

    private SwapCommands() {}

    /** Runs the commands, until there are no more. */
    static void serve(Command command) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ", 2);
            one(line, () -> {
                command.run(words[0], words[words.length - 1]);
                return null;
            });
            System.out.println("done");
        }
        Runtime.getRuntime().halt(0);
    }

    /** Tells what came of a check. */
    static void one(String name, Callable<?> check) {
        try {
            check.call();
            System.out.println("ok " + name);
        } catch (Exception | AssertionError e) {
            System.out.println("FAIL " + name + ": " + e.toString().replace('\n', ' '));
        }
    }
}
