package klamm.compat;
final class TopicChecks { static void run(Suite suite) { } }
