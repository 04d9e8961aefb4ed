import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Runs Kafka's command-line tools one after another in one JVM, because a JVM per call costs a second.
 *
 * <p>Started with a directory; for each line on stdin it runs the tool named by the file "args" there
 * (class and arguments, NUL-separated) with "in", "out" and "err" as its streams, and answers with its
 * exit status. compat/lib/tools.sh is the other half.
 */
public final class Tools {
    /** Thrown where a tool would end the JVM. */
    private static final class Exited extends Error {
        Exited() {
            super("ended", null, false, false);
        }
    }

    /** The status of the first exit: some tools catch what is thrown there and exit once more. */
    private static Integer exitStatus;

    private static void exit(int status) {
        if (exitStatus == null) {
            exitStatus = status;
        }
        throw new Exited();
    }

    public static void main(String[] arguments) throws Exception {
        Path dir = Path.of(arguments[0]);
        PrintStream answers = System.out;
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in));
        List<Runnable> hooks = new ArrayList<>();
        replace("setExitProcedure", procedure -> exit((int) procedure[0]));
        replace("setHaltProcedure", procedure -> exit((int) procedure[0]));
        replace("setShutdownHookAdder", hook -> hooks.add((Runnable) hook[1]));
        while (requests.readLine() != null) {
            String[] command = Files.readString(dir.resolve("args")).split("\0");
            int status;
            try (PrintStream out = new PrintStream(dir.resolve("out").toFile());
                    PrintStream err = new PrintStream(dir.resolve("err").toFile());
                    FileInputStream in = new FileInputStream(dir.resolve("in").toFile())) {
                System.setOut(out);
                System.setErr(err);
                System.setIn(in);
                status = run(command);
                // What a tool leaves to the end of the JVM (closing its producer) happens here.
                hooks.forEach(Runnable::run);
                hooks.clear();
            }
            answers.println(status);
            answers.flush();
        }
    }

    /** Sets one of the procedures of Kafka's Exit, whose package is another one in each version. */
    private static void replace(String setter, Consumer<Object[]> procedure) throws ReflectiveOperationException {
        for (Method method : exit().getMethods()) {
            if (method.getName().equals(setter)) {
                Class<?> type = method.getParameterTypes()[0];
                method.invoke(null, Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type},
                    (proxy, called, arguments) -> {
                        procedure.accept(arguments);
                        return null;
                    }));
                return;
            }
        }
        throw new NoSuchMethodException(setter);
    }

    private static Class<?> exit() throws ClassNotFoundException {
        try {
            return Class.forName("org.apache.kafka.common.utils.internals.Exit");
        } catch (ClassNotFoundException e) {
            return Class.forName("org.apache.kafka.common.utils.Exit");
        }
    }

    private static int run(String[] command) {
        String[] arguments = new String[command.length - 1];
        System.arraycopy(command, 1, arguments, 0, arguments.length);
        exitStatus = null;
        try {
            Class.forName(command[0]).getMethod("main", String[].class).invoke(null, (Object) arguments);
            return exitStatus == null ? 0 : exitStatus;
        } catch (InvocationTargetException e) {
            if (exitStatus != null) {
                return exitStatus;
            }
            e.getCause().printStackTrace();
            return 1;
        } catch (ReflectiveOperationException e) {
            e.printStackTrace();
            return 1;
        }
    }
}
