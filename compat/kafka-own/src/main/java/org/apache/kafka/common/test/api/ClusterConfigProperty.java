package org.apache.kafka.common.test.api;

import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;

/** A line of server.properties, of the node {@code id} or of all. */
@Retention(RetentionPolicy.RUNTIME)
public @interface ClusterConfigProperty {
    int id() default -1;
    String key();
    String value();
}
