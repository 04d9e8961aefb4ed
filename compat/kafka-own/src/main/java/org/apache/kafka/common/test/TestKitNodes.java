package org.apache.kafka.common.test;

import java.util.Map;

/** How many brokers a test would like, and the settings that are only the first one's. */
public record TestKitNodes(int brokers, Map<String, String> ownSettings) {
    public static final class Builder {
        private int brokers = 1;
        private Map<String, String> ownSettings = Map.of();

        public Builder setCombined(boolean isCombined) {
            return this;
        }

        public Builder setNumControllerNodes(int number) {
            return this;
        }

        public Builder setNumBrokerNodes(int number) {
            brokers = number;
            return this;
        }

        public Builder setPerServerProperties(Map<Integer, Map<String, String>> settings) {
            ownSettings = settings.getOrDefault(0, Map.of());
            return this;
        }

        public TestKitNodes build() {
            return new TestKitNodes(brokers, ownSettings);
        }
    }
}
