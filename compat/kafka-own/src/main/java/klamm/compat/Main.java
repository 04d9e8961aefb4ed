package klamm.compat;

import net.bytebuddy.agent.ByteBuddyAgent;
import net.bytebuddy.agent.builder.AgentBuilder;
import net.bytebuddy.asm.Advice;
import org.apache.kafka.common.message.CreateTopicsRequestData.CreatableTopic;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.FilterResult;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.PostDiscoveryFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

import java.io.PrintStream;
import java.lang.instrument.Instrumentation;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

import static net.bytebuddy.matcher.ElementMatchers.named;

/** Runs what a list says and prints a line for each test: {@code Main tests.txt [regex]}. */
public final class Main implements TestExecutionListener {
    private static final Pattern ALL = Pattern.compile(".*");

    private final PrintStream out = System.out;
    private final Map<TestIdentifier, Long> began = new HashMap<>();
    private int passed;
    private int failed;

    public static void main(String[] arguments) throws Exception {
        Instrumentation instrumentation = ByteBuddyAgent.install();
        if (!Node.SEVERAL) {
            oneReplica(instrumentation);
        }
        noMetrics(instrumentation);
        Pattern wanted = Pattern.compile(arguments.length > 1 ? arguments[1] : "");
        List<DiscoverySelector> classes = new ArrayList<>();
        List<String> left = new ArrayList<>();
        Map<String, Pattern> some = new HashMap<>();
        for (String line : Files.readAllLines(Path.of(arguments[0]))) {
            if (line.startsWith("run ")) {
                String[] parts = line.substring(4).trim().split("#", 2);
                classes.add(DiscoverySelectors.selectClass(parts[0]));
                if (parts.length > 1) {
                    some.put(parts[0], Pattern.compile(parts[1]));
                }
            } else if (line.startsWith("not ")) {
                left.add(line.substring(4).replaceAll(":.*", ""));
            }
        }
        Pattern leftOut = Pattern.compile(String.join("|", left));
        LauncherDiscoveryRequest request = LauncherDiscoveryRequestBuilder.request()
            .selectors(classes)
            .filters((PostDiscoveryFilter) test -> FilterResult.includedIf(
                !(test.getSource().orElse(null) instanceof MethodSource source)
                || !leftOut.matcher(name(source)).matches() && wanted.matcher(name(source)).find()
                    && some.getOrDefault(source.getClassName(), ALL).matcher(source.getMethodName()).matches()))
            .configurationParameter("junit.jupiter.extensions.autodetection.enabled", "true")
            .configurationParameter("junit.jupiter.params.displayname.default", "{displayName}.{argumentsWithNames}")
            // A cluster has more processes, for which a busy machine needs time.
            .configurationParameter("junit.jupiter.execution.timeout.testable.method.default", Node.SEVERAL ? "180 s" : "60 s")
            .build();
        Main listener = new Main();
        // What tests print is not for the suite's output.
        System.setOut(System.err);
        LauncherFactory.create().execute(request, listener);
        listener.out.println("# kafka-own: " + listener.passed + " tests passed, " + listener.failed + " failed");
        System.exit(listener.failed == 0 && (listener.passed > 0 || arguments.length > 1) ? 0 : 1);
    }

    /** Topics that a test wants three times are there once. */
    private static void oneReplica(Instrumentation instrumentation) {
        new AgentBuilder.Default()
            .disableClassFormatChanges()
            .with(AgentBuilder.RedefinitionStrategy.RETRANSFORMATION)
            .type(named("org.apache.kafka.clients.admin.NewTopic"))
            .transform((builder, type, loader, module, domain) ->
                builder.visit(Advice.to(OneReplica.class).on(named("convertToCreatableTopic"))))
            .installOn(instrumentation);
    }

    /** Where tests of share groups look at the broker's metrics as well, they do not. */
    private static void noMetrics(Instrumentation instrumentation) {
        new AgentBuilder.Default()
            .disableClassFormatChanges()
            .type(named("org.apache.kafka.clients.consumer.ShareConsumerTest"))
            .transform((builder, type, loader, module, domain) ->
                builder.visit(Advice.to(Skipped.class).on(named("verifyYammerMetricCount"))))
            .installOn(instrumentation);
    }

    /** What {@link #noMetrics} does to a method. */
    public static final class Skipped {
        @Advice.OnMethodEnter(skipOn = Advice.OnNonDefaultValue.class)
        public static boolean enter() {
            return true;
        }
    }

    /** What {@link #oneReplica} does to a topic on its way into a request. */
    public static final class OneReplica {
        @Advice.OnMethodExit
        public static void exit(@Advice.Return CreatableTopic topic) {
            if (topic.replicationFactor() > 1) {
                topic.setReplicationFactor((short) 1);
            }
            for (var partition : topic.assignments()) {
                partition.setBrokerIds(java.util.List.of(0));
            }
        }
    }

    private static String name(MethodSource source) {
        return source.getClassName().substring(source.getClassName().lastIndexOf('.') + 1) + "#" + source.getMethodName();
    }

    private static String name(TestIdentifier test) {
        return test.getSource().orElse(null) instanceof MethodSource source ? name(source) : test.getDisplayName();
    }

    @Override
    public void executionStarted(TestIdentifier test) {
        began.put(test, System.currentTimeMillis());
    }

    @Override
    public void executionSkipped(TestIdentifier test, String reason) {
        out.println("skip kafka-own/" + name(test) + ": Kafka does not run it either");
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
        if (test.isTest() || result.getStatus() != TestExecutionResult.Status.SUCCESSFUL) {
            report(test, result.getStatus() == TestExecutionResult.Status.SUCCESSFUL ? "ok" : result.getStatus().name(),
                result.getThrowable().map(Main::cause).orElse(""));
        }
    }

    private void report(TestIdentifier test, String status, String why) {
        String name = name(test);
        String which = test.isTest() ? " " + test.getDisplayName() : "";
        long took = System.currentTimeMillis() - began.getOrDefault(test, System.currentTimeMillis());
        if (status.equals("ok")) {
            passed++;
            out.println("ok kafka-own/" + name + which + " (" + took + " ms)");
        } else {
            failed++;
            out.println("FAIL kafka-own/" + name + which + ": " + status + " " + why);
        }
    }

    private static String cause(Throwable error) {
        StringBuilder text = new StringBuilder(error.toString());
        for (StackTraceElement frame : error.getStackTrace()) {
            if (frame.getClassName().endsWith("Test") || frame.getClassName().contains("Test$")) {
                text.append(" @").append(frame.getFileName()).append(':').append(frame.getLineNumber());
                break;
            }
        }
        if (error.getCause() != null && error.getCause() != error) {
            text.append(" <- ").append(cause(error.getCause()));
        }
        return text.toString().replace('\n', ' ');
    }
}
