package klamm.compat;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.test.TestKitNodes;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.metadata.storage.Formatter;
import org.apache.kafka.server.common.MetadataVersion;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/**
 * A process of its own with a fresh directory: a broker and controller in one, or a broker of a cluster, both klamm or
 * Apache Kafka. For a controller of that cluster it has the directory and the settings only.
 */
final class Node {
    static final String CONTROLLER = "CONTROLLER";
    /** Tests get as many brokers as they ask for. */
    static final boolean SEVERAL = "several".equals(System.getenv("BROKERS"));
    private static final boolean REFERENCE = "kafka".equals(System.getenv("TARGET"));
    private static final List<String> FACTORS = List.of("default.replication.factor", "min.insync.replicas",
        "offsets.topic.replication.factor",
        "transaction.state.log.replication.factor", "transaction.state.log.min.isr",
        "share.coordinator.state.topic.replication.factor", "share.coordinator.state.topic.min.isr");

    final int id;
    final Path directory;
    final Properties properties;
    private final Map<String, Integer> ports = new LinkedHashMap<>();
    private boolean isFormatted;
    private Controllers controllers;
    private Process process;
    private Admin admin;

    /** Takes the settings that a test wants; what makes one node of them is put in their place here. */
    Node(Map<?, ?> wanted, int disks) {
        this(wanted, disks, 0, "broker,controller");
        FACTORS.forEach(factor -> properties.setProperty(factor, "1"));
        listen(true, true);
        properties.setProperty("controller.quorum.voters", "0@" + bootstrapController());
    }

    private Node(Map<?, ?> wanted, int disks, int id, String roles) {
        this.id = id;
        try {
            directory = Files.createTempDirectory("kafka-own");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        properties = new Properties();
        wanted.forEach((key, value) -> properties.setProperty(key.toString(), value.toString()));
        properties.setProperty("process.roles", roles);
        properties.setProperty("node.id", "" + id);
        properties.remove("broker.id");
        properties.remove("controller.quorum.bootstrap.servers");
        List<String> directories = new ArrayList<>();
        for (int disk = 0; disk < disks; disk++) {
            directories.add(directory.resolve("data" + disk).toString());
        }
        properties.remove("metadata.log.dir");
        if (properties.getProperty("log.dirs", properties.getProperty("log.dir")) == null) {
            properties.setProperty("log.dirs", String.join(",", directories));
        }
        // Versions that are not released yet are not klamm's; tests look here whether to use them.
        properties.setProperty("unstable.api.versions.enable", "false");
        properties.putIfAbsent("group.initial.rebalance.delay.ms", "0");
        properties.putIfAbsent("log.cleaner.dedupe.buffer.size", "2097152");
        properties.putIfAbsent("log.segment.delete.delay.ms", "1000");
    }

    /** A controller of a cluster, with those of the settings that are a controller's. */
    static Node controller(Map<?, ?> wanted, int id) {
        Node node = new Node(wanted, 1, id, "controller");
        node.properties.setProperty("log.dirs", node.directory.resolve("data0").toString());
        node.properties.remove("log.dir");
        node.properties.remove("inter.broker.listener.name");
        node.listen(false, true);
        return node;
    }

    /** One of several brokers. */
    static Node broker(Map<?, ?> wanted, int disks, int id, int brokers, Controllers controllers) {
        Node node = new Node(wanted, disks, id, "broker");
        FACTORS.forEach(factor -> node.properties.putIfAbsent(factor,
            factor.startsWith("offsets") ? "" + Math.min(3, brokers) : "1"));
        node.listen(true, false);
        node.properties.putAll(controllers.quorum());
        node.controllers = controllers;
        return node;
    }

    /** Every listener gets a free port of its own, on loopback. */
    private void listen(boolean isBroker, boolean isController) {
        StringBuilder listeners = new StringBuilder();
        StringBuilder advertised = new StringBuilder();
        for (String listener : properties.getProperty("listeners", "PLAINTEXT://localhost:0").split(",")) {
            String name = listener.substring(0, listener.indexOf(':')).trim();
            if (isBroker && !name.equals(CONTROLLER)) {
                ports.put(name, freePort());
                listeners.append(name).append("://localhost:").append(ports.get(name)).append(',');
                advertised.append(advertised.isEmpty() ? "" : ",")
                    .append(name).append("://localhost:").append(ports.get(name));
            }
        }
        if (isController) {
            ports.put(CONTROLLER, freePort());
            listeners.append(CONTROLLER + "://localhost:").append(ports.get(CONTROLLER));
        }
        properties.setProperty("listeners", listeners.toString().replaceAll(",$", ""));
        properties.remove("advertised.listeners");
        if (isBroker) {
            properties.setProperty("advertised.listeners", advertised.toString());
        }
        properties.setProperty("controller.listener.names", CONTROLLER);
        String map = properties.getProperty("listener.security.protocol.map", "");
        if (!map.contains(CONTROLLER + ":")) {
            map += (map.isEmpty() ? "" : ",") + CONTROLLER + ":PLAINTEXT";
        }
        if (!map.contains("PLAINTEXT:PLAINTEXT")) {
            map += ",PLAINTEXT:PLAINTEXT";
        }
        properties.setProperty("listener.security.protocol.map", map);
    }

    /** Below Linux's ephemeral ports: no connection that goes out takes it before the broker does, or while it is down. */
    private static int freePort() {
        while (true) {
            int port = ThreadLocalRandom.current().nextInt(20000, 30000);
            try (ServerSocket socket = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
                return socket.getLocalPort();
            } catch (IOException e) {
                // taken
            }
        }
    }

    /** Formats the directories by Kafka's own code; without this klamm does so itself when it starts. */
    void format(MetadataVersion version, Map<String, Short> features, Consumer<Formatter> more) throws Exception {
        Formatter formatter = new Formatter()
            .setPrintStream(new PrintStream(OutputStream.nullOutputStream()))
            .setClusterId(controllers == null ? TestKitNodes.CLUSTER_ID : controllers.clusterId)
            .setNodeId(id)
            .setDirectories(dataDirectories())
            .setMetadataLogDirectory(dataDirectories().get(0))
            .setControllerListenerName(CONTROLLER)
            .setReleaseVersion(version);
        features.forEach(formatter::setFeatureLevel);
        more.accept(formatter);
        formatter.run();
        isFormatted = true;
    }

    synchronized void start() {
        if (isAlive()) {
            return;
        }
        Path settings = directory.resolve("server.properties");
        try {
            if (REFERENCE && !isFormatted) {
                format(MetadataVersion.LATEST_PRODUCTION, Map.of(), formatter ->
                    formatter.setHasDynamicQuorum(properties.containsKey("controller.quorum.bootstrap.servers")));
            }
            List<String> lines = new ArrayList<>();
            new TreeMap<>(properties).forEach((key, value) -> lines.add(key + "=" + value));
            Files.write(settings, lines);
            List<String> command = REFERENCE
                ? List.of("java", SEVERAL ? "-Xmx256M" : "-Xmx512M", "-XX:TieredStopAtLevel=1", "-cp",
                    System.getProperty("java.class.path"), "kafka.Kafka", settings.toString())
                : List.of(System.getenv("KLAMM_BIN"), settings.toString());
            ProcessBuilder builder = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log()));
            if (SEVERAL) {
                // Controllers of an old metadata.version do not tell it.
                builder.environment().put("CLUSTER_ID", controllers.clusterId);
            }
            process = builder.start();
            // What outlives its test must not outlive this process.
            Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
            admin = Admin.create(Map.of("bootstrap.servers", bootstrap(), "reconnect.backoff.ms", "20"));
            await(admin.describeCluster().nodes());
        } catch (Exception e) {
            throw new IllegalStateException("the broker did not start: " + lastLine(), e);
        }
    }

    private void await(Future<?> answer) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (true) {
            try {
                answer.get(50, TimeUnit.MILLISECONDS);
                return;
            } catch (TimeoutException e) {
                if (!process.isAlive() || System.nanoTime() > end) {
                    throw e;
                }
            }
        }
    }

    synchronized void stop() {
        if (process == null) {
            return;
        }
        admin.close(Duration.ZERO);
        process.destroy();
        try {
            if (!process.waitFor(30, TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
                throw new IllegalStateException("the broker did not stop on SIGTERM; see " + log());
            }
            int status = process.exitValue();
            if (status != 0 && status != 143) { // 143: the JVM reports the signal
                throw new IllegalStateException("the broker exited with status " + status + "; see " + log());
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            throw new IllegalStateException(e);
        } finally {
            process = null;
        }
    }

    /** Stops and takes the directory away, unless $KEEP is set. */
    void close() throws IOException {
        stop();
        if (System.getenv("KEEP") == null) {
            Utils.delete(directory.toFile());
        }
    }

    List<String> dataDirectories() {
        return Arrays.asList(properties.getProperty("log.dirs", properties.getProperty("log.dir")).split(","));
    }

    boolean isAlive() {
        return process != null && process.isAlive();
    }

    Admin admin() {
        return admin;
    }

    int port(String listener) {
        return ports.get(listener);
    }

    /** The first listener for clients. */
    String clientListener() {
        return ports.keySet().iterator().next();
    }

    String bootstrap() {
        return "localhost:" + port(clientListener());
    }

    String bootstrapController() {
        return controllers == null ? "localhost:" + port(CONTROLLER) : controllers.bootstrap();
    }

    private String lastLine() {
        try {
            List<String> lines = Files.readAllLines(log().toPath());
            return lines.isEmpty() ? "no log" : lines.get(lines.size() - 1);
        } catch (IOException e) {
            return e.toString();
        }
    }

    private File log() {
        return directory.resolve("broker.log").toFile();
    }
}
