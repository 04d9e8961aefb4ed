package klamm.compat;

import kafka.server.QuorumTestHarness;
import org.junit.platform.commons.annotation.Testable;
import org.junit.platform.commons.support.AnnotationSupport;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.Modifier;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Holds the lists to the test jars: {@code Census LIST...} fails if a class that needs a cluster is in none of them, or
 * if a line of theirs names nothing.
 */
public final class Census {
    private Census() { }

    public static void main(String[] lists) throws IOException {
        Set<String> run = new HashSet<>();
        Map<String, Pattern> left = new TreeMap<>();
        for (String list : lists) {
            for (String line : Files.readAllLines(Path.of(list))) {
                if (line.startsWith("run ")) {
                    run.add(line.substring(4).trim());
                } else if (line.startsWith("not ")) {
                    String test = line.substring(4).replaceAll(":.*", "");
                    left.put(test, Pattern.compile(test));
                }
            }
        }
        Set<String> wrong = new TreeSet<>();
        Set<String> names = new HashSet<>();
        for (String name : testClasses()) {
            Class<?> type = load(name);
            Set<String> tests = type == null ? Set.of() : tests(type);
            if (tests.isEmpty()) {
                continue;
            }
            names.add(simple(name));
            tests.forEach(method -> names.add(simple(name) + "#" + method));
            boolean isListed = run.contains(name)
                || left.values().stream().anyMatch(pattern -> pattern.matcher(simple(name)).matches());
            if (!isListed && needsCluster(type)) {
                wrong.add(name + " is in no list");
            }
        }
        left.forEach((test, pattern) -> {
            if (names.stream().noneMatch(name -> pattern.matcher(name).matches())) {
                wrong.add("no test is called " + test);
            }
        });
        wrong.forEach(line -> System.out.println("FAIL kafka-own/census: " + line));
        if (wrong.isEmpty()) {
            System.out.println("ok kafka-own/census");
        }
        System.exit(wrong.isEmpty() ? 0 : 1);
    }

    private static List<String> testClasses() throws IOException {
        List<String> found = new ArrayList<>();
        for (String part : System.getProperty("java.class.path").split(File.pathSeparator)) {
            if (part.endsWith("-test.jar")) {
                try (JarFile jar = new JarFile(part)) {
                    jar.stream().map(JarEntry::getName).filter(name -> name.endsWith("Test.class"))
                        .forEach(name -> found.add(name.substring(0, name.length() - 6).replace('/', '.')));
                }
            }
        }
        return found;
    }

    /** Null for what is no test by itself. */
    private static Class<?> load(String name) {
        try {
            Class<?> type = Class.forName(name, false, Census.class.getClassLoader());
            return Modifier.isAbstract(type.getModifiers()) ? null : type;
        } catch (ClassNotFoundException | NoClassDefFoundError e) {
            return null;
        }
    }

    /** The names of its tests; none if it wants classes that no jar has. */
    private static Set<String> tests(Class<?> type) {
        Set<String> found = new HashSet<>();
        for (Class<?> one = type; one != null; one = one.getSuperclass()) {
            try {
                Arrays.stream(one.getDeclaredMethods())
                    .filter(method -> AnnotationSupport.isAnnotated(method, Testable.class))
                    .forEach(method -> found.add(method.getName()));
            } catch (NoClassDefFoundError e) {
                return Set.of();
            }
        }
        return found;
    }

    private static boolean needsCluster(Class<?> type) {
        return Stream.<Class<?>>iterate(type, one -> one != null, Class::getSuperclass).anyMatch(Census::namesCluster);
    }

    private static boolean namesCluster(Class<?> type) {
        if (type == QuorumTestHarness.class) {
            return true;
        }
        String file = "/" + type.getName().replace('.', '/') + ".class";
        try (InputStream stream = type.getResourceAsStream(file)) {
            String bytes = new String(stream.readAllBytes(), StandardCharsets.ISO_8859_1);
            return Stream.of("common/test/ClusterInstance", "KafkaClusterTestKit", "EmbeddedKafkaCluster")
                .anyMatch(bytes::contains);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String simple(String name) {
        return name.substring(name.lastIndexOf('.') + 1);
    }
}
