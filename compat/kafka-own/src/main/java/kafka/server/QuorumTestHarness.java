package kafka.server;

import kafka.utils.Logging;
import kafka.utils.TestInfoUtils;
import klamm.compat.Harness;
import org.apache.kafka.clients.consumer.GroupProtocol;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.metadata.storage.Formatter;
import org.apache.kafka.server.common.MetadataVersion;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.params.provider.Arguments;
import scala.Option;
import scala.collection.Seq;
import scala.jdk.javaapi.CollectionConverters;

import java.util.List;
import java.util.Properties;
import java.util.stream.Stream;

/** What Kafka's Scala tests inherit from, with the methods that they call, on top of {@link Harness}. */
public abstract class QuorumTestHarness implements Logging {
    private final Harness harness = new Harness();
    private String logIdent = "";
    private TestInfo testInfo;

    @Override
    public String logIdent() {
        return logIdent;
    }

    @Override
    public void logIdent_$eq(String value) {
        logIdent = value;
    }

    public SecurityProtocol controllerListenerSecurityProtocol() {
        return SecurityProtocol.PLAINTEXT;
    }

    public Seq<Properties> kraftControllerConfigs(TestInfo info) {
        return CollectionConverters.asScala(List.of(new Properties())).toSeq();
    }

    public MetadataVersion metadataVersion() {
        return MetadataVersion.latestTesting();
    }

    public Option<GroupProtocol> maybeGroupProtocolSpecified() {
        return TestInfoUtils.maybeGroupProtocolSpecified(testInfo);
    }

    public GroupProtocol groupProtocolFromTestParameters() {
        return maybeGroupProtocolSpecified().get();
    }

    public ControllerServer controllerServer() {
        return harness.controller();
    }

    public void shutdownKRaftController() {
        harness.stopController();
    }

    public Seq<ControllerServer> controllerServers() {
        return CollectionConverters.asScala(List.of(controllerServer())).toSeq();
    }

    public Seq<SecurityProtocol> extraControllerSecurityProtocols() {
        return CollectionConverters.asScala(List.<SecurityProtocol>of()).toSeq();
    }

    public void addFormatterSettings(Formatter formatter) { }

    @BeforeEach
    public void setUp(TestInfo info) {
        testInfo = info;
        harness.open(CollectionConverters.asJava(kraftControllerConfigs(info)).get(0),
            TestInfoUtils.isTransactionV2Enabled(info));
    }

    @AfterEach
    public void tearDown() {
        harness.close();
    }

    public KafkaBroker createBroker(KafkaConfig config, Time time, boolean startup, Option<String> threads) {
        KafkaBroker broker = harness.broker(config);
        if (startup) {
            broker.startup();
        }
        return broker;
    }

    public Time createBroker$default$2() {
        return Time.SYSTEM;
    }

    public boolean createBroker$default$3() {
        return true;
    }

    public Option<String> createBroker$default$4() {
        return Option.empty();
    }

    public static Stream<Arguments> getTestGroupProtocolParametersAll() {
        return Stream.of(Arguments.of("classic"), Arguments.of("consumer"));
    }

    public static Stream<Arguments> getTestGroupProtocolParametersClassicGroupProtocolOnly() {
        return Stream.of(Arguments.of("classic"));
    }

    public static Stream<Arguments> getTestGroupProtocolParametersConsumerGroupProtocolOnly() {
        return Stream.of(Arguments.of("consumer"));
    }

    public static void verifyNoUnexpectedThreads(String context) { }
}
