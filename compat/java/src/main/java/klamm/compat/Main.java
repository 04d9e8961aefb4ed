package klamm.compat;

/** The checks of the suite "java". Arguments: words, of which a check's name has to contain one. */
public final class Main {
    public static void main(String[] words) {
        Suite suite = new Suite(words);
        ProduceChecks.run(suite);
        ConsumeChecks.run(suite);
        GroupChecks.run(suite);
        TopicChecks.run(suite);
        ConfigChecks.run(suite);
        AdminChecks.run(suite);
        WireChecks.run(suite);
        // Kafka's clients leave threads behind when a check failed half-way.
        Runtime.getRuntime().halt(suite.finish());
    }
}
