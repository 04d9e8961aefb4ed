package org.apache.kafka.common.test.api;

import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;

/** What the tests of a class have in common. */
@Retention(RetentionPolicy.RUNTIME)
public @interface ClusterTestDefaults {
    Type[] types() default {Type.KRAFT, Type.CO_KRAFT};
    int brokers() default 1;
    int controllers() default 1;
    int disksPerBroker() default 1;
    boolean autoStart() default true;
    ClusterConfigProperty[] serverProperties() default {};
}
