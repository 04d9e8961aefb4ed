package org.apache.kafka.common.test.api;

import org.junit.jupiter.api.TestTemplate;

import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;

/** A test for each {@link ClusterConfig} that the static method {@code value} returns. */
@Retention(RetentionPolicy.RUNTIME)
@TestTemplate
public @interface ClusterTemplate {
    String value();
}
