package org.apache.kafka.common.test.api;

import org.junit.jupiter.api.TestTemplate;
import org.junit.jupiter.api.Timeout;

import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;

/** A test for each {@link ClusterConfig} that the static method {@code value} returns. */
@Retention(RetentionPolicy.RUNTIME)
@TestTemplate
@Timeout(60)
public @interface ClusterTemplate {
    String value();
}
