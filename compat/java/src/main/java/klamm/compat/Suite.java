package klamm.compat;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;

/** Runs checks and prints a line for each; and the assertions they are made of. */
final class Suite {
    private static final int CHECK_TIMEOUT_S = 90;

    private final String[] words;
    private int passed;
    private int failed;

    Suite(String... words) {
        this.words = words;
    }

    interface Body {
        void run() throws Exception;
    }

    /** A word that begins with "-" leaves out the checks whose names contain the rest of it. */
    private boolean isChosen(String name) {
        Map<Boolean, List<String>> parted = Arrays.stream(words).collect(Collectors.partitioningBy(word -> word.startsWith("-")));
        List<String> wanted = parted.get(false);
        return parted.get(true).stream().noneMatch(word -> name.contains(word.substring(1)))
            && (wanted.isEmpty() || wanted.stream().anyMatch(name::contains));
    }

    void check(String name, Body body) {
        check(name, CHECK_TIMEOUT_S, body);
    }

    void check(String name, int timeoutSeconds, Body body) {
        if (!isChosen(name)) {
            return;
        }
        long began = System.nanoTime();
        FutureTask<Void> task = new FutureTask<>(() -> {
            body.run();
            return null;
        });
        Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        thread.start();
        try {
            task.get(timeoutSeconds, TimeUnit.SECONDS);
            passed(name, (System.nanoTime() - began) / 1_000_000);
        } catch (TimeoutException e) {
            failed(name, "not done in " + timeoutSeconds + " s, at " + Arrays.toString(thread.getStackTrace()));
            thread.interrupt();
        } catch (Exception e) {
            failed(name, describe(e.getCause() == null ? e : e.getCause()));
        }
    }

    private synchronized void passed(String name, long ms) {
        passed++;
        System.out.println("ok " + name);
        if (System.getenv("TIMES") != null) {
            System.out.println("   " + ms + " ms");
        }
    }

    private synchronized void failed(String name, String why) {
        failed++;
        System.out.println("FAIL " + name + ": " + why.replace('\n', ' '));
    }

    /** The exit status. */
    synchronized int finish() {
        System.out.println("java: " + passed + " ok, " + failed + " failed");
        return failed == 0 && passed > 0 ? 0 : 1;
    }

    private static String describe(Throwable e) {
        StringBuilder text = new StringBuilder(e.toString());
        for (StackTraceElement frame : e.getStackTrace()) {
            if (frame.getClassName().startsWith("klamm.compat") && !frame.getClassName().endsWith("Suite")) {
                text.append(" at ").append(frame.getFileName()).append(':').append(frame.getLineNumber());
                break;
            }
        }
        return e.getCause() == null ? text.toString() : text + " <- " + describe(e.getCause());
    }

    static void that(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    static void equal(Object expected, Object actual, String what) {
        that(Objects.equals(expected, actual), what + ": expected " + expected + ", got " + actual);
    }

    /** Runs what has to fail with this error (or as the cause of a wrapper) and returns the error. */
    static <E extends Throwable> E fails(Class<E> error, Callable<?> body) {
        Object result;
        try {
            result = body.call();
        } catch (Exception e) {
            Throwable cause = e;
            while ((cause instanceof ExecutionException || cause instanceof CompletionException) && cause.getCause() != null) {
                cause = cause.getCause();
            }
            if (error == cause.getClass()) {
                return error.cast(cause);
            }
            throw new AssertionError("expected " + error.getSimpleName() + ", got " + cause, cause);
        }
        throw new AssertionError("expected " + error.getSimpleName() + ", got " + result);
    }
}
