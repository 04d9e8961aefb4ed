package org.apache.kafka.common.test.api;

import org.junit.jupiter.api.TestTemplate;
import org.junit.jupiter.api.Timeout;

import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;

/** The same test on several clusters. */
@Retention(RetentionPolicy.RUNTIME)
@TestTemplate
@Timeout(60)
public @interface ClusterTests {
    ClusterTest[] value();
}
