package org.apache.kafka.common.test;

/** What a test says about faults inside of Kafka's broker; klamm's would end it, and be seen there. */
public final class MockFaultHandler {
    public void setIgnore(boolean isIgnored) { }
}
