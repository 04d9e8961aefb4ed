package org.apache.kafka.common.test.api;

/** Marks a test that Kafka's own builds do not rely on. */
public @interface Flaky {
    String value();
    String comment() default "";
}
