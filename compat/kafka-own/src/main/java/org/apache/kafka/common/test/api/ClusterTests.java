package org.apache.kafka.common.test.api;

import org.junit.jupiter.api.TestTemplate;

import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;

/** The same test on several clusters. */
@Retention(RetentionPolicy.RUNTIME)
@TestTemplate
public @interface ClusterTests {
    ClusterTest[] value();
}
