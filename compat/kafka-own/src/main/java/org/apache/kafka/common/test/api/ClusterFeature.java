package org.apache.kafka.common.test.api;

import org.apache.kafka.server.common.Feature;

import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;

/** The level of a feature that the directory is formatted with. */
@Retention(RetentionPolicy.RUNTIME)
public @interface ClusterFeature {
    Feature feature();
    short version();
}
