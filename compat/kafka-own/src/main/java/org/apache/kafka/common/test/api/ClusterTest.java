package org.apache.kafka.common.test.api;

import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.server.common.MetadataVersion;
import org.junit.jupiter.api.TestTemplate;

import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;

/** A test on a cluster of its own. */
@Retention(RetentionPolicy.RUNTIME)
@TestTemplate
public @interface ClusterTest {
    Type[] types() default {};
    int brokers() default 0;
    int controllers() default 0;
    int disksPerBroker() default 0;
    AutoStart autoStart() default AutoStart.DEFAULT;
    SecurityProtocol brokerSecurityProtocol() default SecurityProtocol.PLAINTEXT;
    String brokerListener() default "EXTERNAL";
    SecurityProtocol controllerSecurityProtocol() default SecurityProtocol.PLAINTEXT;
    String controllerListener() default "CONTROLLER";
    MetadataVersion metadataVersion() default MetadataVersion.IBP_4_3_IV0;
    ClusterConfigProperty[] serverProperties() default {};
    String[] tags() default {};
    ClusterFeature[] features() default {};
    boolean standalone() default false;
}
