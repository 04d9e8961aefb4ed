package org.apache.kafka.common.test;

/** Constants that test classes name; klamm has no SASL. */
public final class JaasUtils {
    public static final String KAFKA_PLAIN_ADMIN = "plain-admin";
    public static final String KAFKA_PLAIN_ADMIN_PASSWORD = "plain-admin-secret";
}
