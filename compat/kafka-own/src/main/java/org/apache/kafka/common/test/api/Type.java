package org.apache.kafka.common.test.api;

/** Whether a test asks for controllers apart from the brokers; klamm is always both in one process. */
public enum Type { KRAFT, CO_KRAFT }
