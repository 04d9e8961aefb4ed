package org.apache.kafka.common.test.api;

/** Whether the cluster is started before the test begins. */
public enum AutoStart { YES, NO, DEFAULT }
