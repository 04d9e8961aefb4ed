package org.apache.kafka.common.test;

import org.apache.kafka.common.Uuid;

/** A controller that a test would like, as far as tests look at it. */
public interface TestKitNode {
    int id();

    Uuid metadataDirectoryId();
}
